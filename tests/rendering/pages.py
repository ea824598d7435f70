"""Pages of plain text, with the truth about them."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw

from rendering.fonts import label_font

_SIZE = (1240, 1000)
_MARGIN = 110
_LEADING = 62


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """A picture and its lines."""

    image: Image.Image
    lines: tuple[str, ...]
    """In reading order."""


def render_page(lines: tuple[str, ...]) -> RenderedPage:
    """A sheet with one heading and lines below it; empty strings leave a gap and are no part of the truth."""
    image = Image.new("RGB", _SIZE, (252, 251, 247))
    draw = ImageDraw.Draw(image)
    draw.line((_MARGIN, 86, _SIZE[0] - _MARGIN, 86), fill=(176, 60, 48), width=4)
    y = 112
    for number, line in enumerate(lines):
        size = 44 if number == 0 else 30
        draw.text((_MARGIN, y), line, font=label_font(size, bold=number == 0), fill=(36, 36, 40))
        y += _LEADING + (24 if number == 0 else 0) if line else _LEADING // 2
    draw.line((_MARGIN, _SIZE[1] - 70, _SIZE[0] - _MARGIN, _SIZE[1] - 70), fill=(190, 188, 182), width=2)
    return RenderedPage(image, tuple(line for line in lines if line))
