"""What a batch may hold, checked before anything is read or kept."""

from __future__ import annotations

from dataclasses import dataclass

from vidence_server.core.errors import DomainError, Reason

_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"BM", "image/bmp"),
)
_PDF_WITHIN = 1024
"""Readers take a PDF whose header stands within its first bytes."""


def media_type_of(content: bytes) -> str | None:
    """The IANA media type by the first bytes; None for what no reader of the suite takes."""
    for magic, media_type in _MAGIC:
        if content.startswith(magic):
            return media_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return "application/pdf" if b"%PDF-" in content[:_PDF_WITHIN] else None


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds of one batch, and of what may wait for one tenant."""

    max_images: int = 1000
    max_image_bytes: int = 20 * 2**20
    max_batch_bytes: int = 512 * 2**20
    max_waiting_items: int = 10_000
    """Items of a tenant's started batches and jobs that have not ended."""

    def check_image(self, content: bytes) -> None:
        """Refuses an image by itself.

        Raises:
            DomainError: IMAGE_EMPTY, IMAGE_TOO_LARGE, IMAGE_UNSUPPORTED.
        """
        if not content:
            raise DomainError(Reason.IMAGE_EMPTY, "The image has 0 bytes.")
        if len(content) > self.max_image_bytes:
            raise DomainError(
                Reason.IMAGE_TOO_LARGE,
                f"The image has {len(content)} bytes; the limit is {self.max_image_bytes}.",
                metadata={"limit": str(self.max_image_bytes), "actual": str(len(content))},
            )
        if media_type_of(content) is None:
            raise DomainError(Reason.IMAGE_UNSUPPORTED, "The bytes are no image of a known format.")

    def check_batch(self, *, images: int, size_bytes: int) -> None:
        """Refuses a batch of so many images with so many bytes together.

        Raises:
            DomainError: BATCH_TOO_MANY_IMAGES, BATCH_TOO_LARGE.
        """
        if images > self.max_images:
            raise DomainError(
                Reason.BATCH_TOO_MANY_IMAGES,
                f"The batch has {images} images; the limit is {self.max_images}.",
                metadata={"limit": str(self.max_images), "actual": str(images)},
            )
        if size_bytes > self.max_batch_bytes:
            raise DomainError(
                Reason.BATCH_TOO_LARGE,
                f"The images of the batch have {size_bytes} bytes; the limit is {self.max_batch_bytes}.",
                metadata={"limit": str(self.max_batch_bytes), "actual": str(size_bytes)},
            )

    def check_waiting(self, *, waiting: int, added: int) -> None:
        """Refuses work where a tenant has too much of it waiting already.

        Raises:
            DomainError: QUEUE_FULL, with a retry delay.
        """
        if waiting + added > self.max_waiting_items:
            raise DomainError(
                Reason.QUEUE_FULL,
                "More work is waiting than may wait.",
                metadata={
                    "step": "batch",
                    "queued": str(waiting),
                    "limit": str(self.max_waiting_items),
                },
                retry_after_s=5.0,
            )
