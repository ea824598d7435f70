"""What a submitted picture may be, and the refusals that name the limit and the actual size."""

from __future__ import annotations

from dataclasses import dataclass

from vidence_server.core.errors import DomainError, Reason


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bounds of what is decoded; all are checked before memory is taken for pixels."""

    max_bytes: int = 20 * 1024 * 1024
    """Size of the submitted file, in bytes."""
    max_pixels: int = 50_000_000
    """Width × height, in px. Decoding takes 10 to 18 bytes per pixel for a moment, by format; 3 stay."""
    min_side_px: int = 8
    """The shorter side, in px."""
    pdf_dpi: float = 200.0
    """Resolution at which a PDF page is rendered, in dots per inch."""
    pdf_min_dpi: float = 72.0
    """A page too large for `max_pixels` at `pdf_dpi` is rendered coarser, down to this resolution."""
    max_jpeg_scans: int = 100
    """Passes of a progressive JPEG: each costs the time of a whole picture, cameras write ten."""

    def check_size(self, width: int, height: int) -> None:
        """Refuses a picture by its size in px, as its header states it.

        Raises:
            DomainError: IMAGE_TOO_MANY_PIXELS, IMAGE_TOO_SMALL.
        """
        size = {"width_px": str(width), "height_px": str(height)}
        if width * height > self.max_pixels:
            raise DomainError(
                Reason.IMAGE_TOO_MANY_PIXELS,
                f"The image has {width} × {height} pixels; at most {self.max_pixels} are read.",
                metadata={"limit": str(self.max_pixels), "actual": str(width * height), **size},
            )
        if min(width, height) < self.min_side_px:
            raise DomainError(
                Reason.IMAGE_TOO_SMALL,
                f"The image has {width} × {height} pixels; each side needs {self.min_side_px}.",
                metadata={"limit": str(self.min_side_px), "actual": str(min(width, height)), **size},
            )

    def check_bytes(self, count: int) -> None:
        """Refuses a file by its size in bytes.

        Raises:
            DomainError: IMAGE_EMPTY, IMAGE_TOO_LARGE.
        """
        if count == 0:
            raise DomainError(Reason.IMAGE_EMPTY, "The image has no bytes.")
        if count > self.max_bytes:
            raise DomainError(
                Reason.IMAGE_TOO_LARGE,
                f"The image has {count} bytes; at most {self.max_bytes} are read.",
                metadata={"limit": str(self.max_bytes), "actual": str(count)},
            )
