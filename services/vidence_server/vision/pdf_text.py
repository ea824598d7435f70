"""The text of a PDF page with the place of each character, by PDFium."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium

from vidence_server.vision.text_layer import TextLayer

MAX_CHARACTERS = 30_000
"""A page with more is read from what is drawn: no document that is read here has so many."""
_FINENESS = 16
"""Parts of a px in which places are asked for: PDFium gives whole numbers."""
_UNKNOWN = "\ufffd"
_HYPHEN = 2
"""What PDFium gives for a hyphen at the end of a line."""
_PRIVATE = range(0xE000, 0xF900)
"""Characters that mean something in one font only."""


@dataclass(frozen=True, slots=True)
class _Glyph:
    character: str
    x: float
    y: float
    width: float
    after_space: bool


def text_layer(page: Any, width_px: int, height_px: int) -> TextLayer | None:
    """The characters of a page, where they are drawn; None where there are none, or too many.

    Call under the lock under which PDFium works.

    Args:
        page: an open `pypdfium2.PdfPage`.
        width_px: of the drawn page.
        height_px: of the drawn page.
    """
    text = page.get_textpage()
    try:
        count = pdfium.FPDFText_CountChars(text)
        if not 0 < count <= MAX_CHARACTERS:
            return None
        glyphs = list(_glyphs(page, text, count, (width_px, height_px)))
    finally:
        text.close()
    if not glyphs:
        return None
    return TextLayer(
        "".join(glyph.character for glyph in glyphs),
        np.array([(glyph.x, glyph.y) for glyph in glyphs], np.float32),
        np.array([glyph.width for glyph in glyphs], np.float32),
        np.array([glyph.after_space for glyph in glyphs], np.bool_),
    )


def _glyphs(page: Any, text: Any, count: int, size: tuple[int, int]) -> Iterator[_Glyph]:
    space = False
    sides = [ctypes.c_double() for _ in range(4)]
    for index in range(count):
        code = pdfium.FPDFText_GetUnicode(text, index)
        character = _character(code)
        if character.isspace():
            space = True
            continue
        if not pdfium.FPDFText_GetCharBox(text, index, *map(ctypes.byref, sides)):
            continue
        left, right, bottom, top = (side.value for side in sides)
        # The corners, not the middle: a turned page swaps the sides.
        x1, y1 = _on_page(page, left, top, size)
        x2, y2 = _on_page(page, right, bottom, size)
        yield _Glyph(character, (x1 + x2) / 2, (y1 + y2) / 2, abs(x2 - x1), space)
        space = False


def _character(code: int) -> str:
    if code == _HYPHEN:
        return "-"
    if code < ord(" "):
        return " "
    return _UNKNOWN if code in _PRIVATE or code > 0x10FFFF or 0xD800 <= code < 0xE000 else chr(code)


def _on_page(page: Any, x: float, y: float, size: tuple[int, int]) -> tuple[float, float]:
    """A position of the page's own coordinates in px of the drawn page."""
    across, down = ctypes.c_int(), ctypes.c_int()
    wide, high = (side * _FINENESS for side in size)
    pdfium.FPDF_PageToDevice(page, 0, 0, wide, high, 0, x, y, ctypes.byref(across), ctypes.byref(down))
    return across.value / _FINENESS, down.value / _FINENESS
