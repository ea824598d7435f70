"""One page of a PDF as pixels, with the text that the file has for it, by PDFium."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import pypdfium2
import pypdfium2.raw

from vidence_server.core.errors import DomainError, Reason
from vidence_server.vision.image import Pixels
from vidence_server.vision.limits import ImageLimits
from vidence_server.vision.pdf_text import text_layer
from vidence_server.vision.text_layer import TextLayer

_POINTS_PER_INCH = 72.0


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPage:
    """What a page shows, and what its file says about that."""

    pixels: Pixels
    """uint8 BGR, (H, W, 3)."""
    layer: TextLayer | None


class PdfRenderer:
    """Renders pages. PDFium is not thread safe: all its work happens under this object's lock."""

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()

    def render(self, content: bytes, page_number: int) -> DrawnPage:
        """Renders a page on white; blocks while another thread renders.

        Args:
            content: the PDF file.
            page_number: from 1.

        Returns:
            The page at `pdf_dpi`, or coarser where that would pass `max_pixels`.

        Raises:
            DomainError: PDF_CORRUPT, PDF_ENCRYPTED, PDF_PAGE_OUT_OF_RANGE, IMAGE_TOO_MANY_PIXELS,
                IMAGE_TOO_SMALL.
        """
        with self._lock:
            try:
                return self._rendered(content, page_number)
            except pypdfium2.PdfiumError as error:
                raise _refusal(error, content) from None

    def _rendered(self, content: bytes, page_number: int) -> DrawnPage:
        document = pypdfium2.PdfDocument(content)
        try:
            pages = len(document)
            if not 1 <= page_number <= pages:
                raise DomainError(
                    Reason.PDF_PAGE_OUT_OF_RANGE,
                    f"The PDF has {pages} pages; there is no page {page_number}.",
                    metadata={"limit": str(pages), "actual": str(page_number)},
                )
            page = document[page_number - 1]
            try:
                pixels = self._page_pixels(page)
                return DrawnPage(pixels, text_layer(page, pixels.shape[1], pixels.shape[0]))
            finally:
                page.close()
        finally:
            document.close()

    def _page_pixels(self, page: Any) -> Pixels:
        self._check_images(page)
        scale = self._scale(*page.get_size())
        bitmap = page.render(scale=scale, may_draw_forms=False)
        try:
            return np.array(bitmap.to_numpy()[:, :, :3], np.uint8, order="C")
        finally:
            bitmap.close()

    def _scale(self, width_pt: float, height_pt: float) -> float:
        """Pixels per point for a page of this size in points (1/72 inch)."""
        limits = self._limits
        highest = limits.pdf_dpi / _POINTS_PER_INCH
        # One row and one column of slack: PDFium rounds sides up.
        fitting = sqrt(limits.max_pixels / max(width_pt * height_pt, 1.0)) * 0.999
        scale = min(highest, fitting)
        lowest = min(limits.pdf_min_dpi, limits.pdf_dpi) / _POINTS_PER_INCH
        if scale < lowest:
            limits.check_size(round(width_pt * lowest), round(height_pt * lowest))
        limits.check_size(int(width_pt * scale), int(height_pt * scale))
        return scale

    def _check_images(self, page: Any) -> None:
        """A small page may hold a picture of any size, which PDFium decodes whole."""
        for item in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]):
            width, height = item.get_px_size()
            if width * height > self._limits.max_pixels:
                self._limits.check_size(width, height)


def _refusal(error: pypdfium2.PdfiumError, content: bytes) -> DomainError:
    locked = (pypdfium2.raw.FPDF_ERR_PASSWORD, pypdfium2.raw.FPDF_ERR_SECURITY)
    # The code may be left from an earlier file: PDFium sets none for some defects (a file without pages). The
    # key /Encrypt stands in every encrypted file's trailer, which is never compressed.
    if error.err_code in locked and b"/Encrypt" in content:
        return DomainError(Reason.PDF_ENCRYPTED, "The PDF is encrypted; submit it without a password.")
    return DomainError(Reason.PDF_CORRUPT, "The PDF is damaged, or no PDF.")
