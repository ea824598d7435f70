"""The fonts that rendered documents use."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import ImageFont

OCR_B = Path("/usr/share/fonts/opentype/ocr-b/OCRB.otf")
OCR_B_MISSING = (
    f"{OCR_B} is missing: machine readable zones are printed in OCR-B, install Debian's `fonts-ocr-b`"
)
_DEJAVU = Path("/usr/share/fonts/truetype/dejavu")


class FontMissingError(RuntimeError):
    """A font that cannot be replaced is not installed; the message says which package has it."""


@cache
def zone_font(size: int) -> ImageFont.FreeTypeFont:
    """OCR-B in px; raises `FontMissingError` where it is not installed."""
    if not OCR_B.exists():
        raise FontMissingError(OCR_B_MISSING)
    return ImageFont.truetype(str(OCR_B), size)


@cache
def label_font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu Sans in px, or Pillow's own font where it is not installed."""
    path = _DEJAVU / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
    return ImageFont.truetype(str(path), size) if path.exists() else ImageFont.load_default(size)
