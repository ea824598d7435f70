"""From submitted bytes to pixels: the one door through which pictures come in."""

from __future__ import annotations

import hashlib

from vidence_server.core.errors import DomainError, Reason
from vidence_server.vision.image import Image
from vidence_server.vision.limits import ImageLimits
from vidence_server.vision.pdf import PdfRenderer
from vidence_server.vision.raster import RASTER_FORMATS, RasterFormat, decode_raster

__all__ = ["ImageDecoder", "ImageLimits"]

_PDF_MARK = b"%PDF"
_PDF_MARK_WITHIN_BYTES = 1024
"""Readers accept some bytes before the mark (ISO 32000-1, annex H.3.4.1)."""


class ImageDecoder:
    """Decodes pictures and PDF pages within limits. Safe to call from several threads.

    PDFium works for one thread at a time: have one decoder per process.
    """

    def __init__(self, limits: ImageLimits) -> None:
        self.limits = limits
        self._pdf = PdfRenderer(limits)

    def decode(self, content: bytes, *, pdf_page: int = 1) -> Image:
        """The picture in a file; CPU work, meant for a worker thread.

        JPEG, PNG, WebP, BMP, TIFF and GIF with one frame, and one page of a PDF. The format is told by the
        content alone. All limits are checked in the header, before pixels are decoded.

        Args:
            content: the file.
            pdf_page: which page of a PDF, from 1; without meaning for other formats.

        Returns:
            Upright 8-bit BGR pixels: EXIF orientation applied, transparency on white, 16 bits scaled.

        Raises:
            DomainError: IMAGE_EMPTY, IMAGE_TOO_LARGE, IMAGE_UNSUPPORTED, IMAGE_CORRUPT, IMAGE_TOO_SMALL,
                IMAGE_TOO_MANY_PIXELS, IMAGE_ANIMATED, PDF_CORRUPT, PDF_ENCRYPTED, PDF_PAGE_OUT_OF_RANGE.
                Where a limit is passed, the metadata hold `limit` and `actual`.
        """
        self.limits.check_bytes(len(content))
        sha256 = hashlib.sha256(content).hexdigest()
        raster = _raster_format(content)
        if raster is not None:
            return Image(decode_raster(content, raster, self.limits), raster.media_type, sha256)
        if _PDF_MARK in content[:_PDF_MARK_WITHIN_BYTES]:
            drawn = self._pdf.render(content, pdf_page)
            return Image(drawn.pixels, "application/pdf", sha256, drawn.layer)
        raise DomainError(
            Reason.IMAGE_UNSUPPORTED,
            "The content is none of the formats that are read: JPEG, PNG, WebP, BMP, TIFF, GIF, PDF.",
        )


def _raster_format(content: bytes) -> RasterFormat | None:
    return next((known for known in RASTER_FORMATS if known.begins(content)), None)
