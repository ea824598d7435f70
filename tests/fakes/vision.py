"""Pictures for tests: text rendered by Pillow's own font, and the values the pipeline passes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.image import Image
from vidence_server.vision.text import TextRegion


@dataclass(frozen=True)
class Written:
    """One line that a test writes: text and where its ink lies, x1 y1 x2 y2 in px."""

    text: str
    ink: tuple[float, float, float, float]


def picture_of(pixels: PillowImage.Image) -> Image:
    """A decoded picture of what Pillow drew."""
    rgb = np.asarray(pixels.convert("RGB"))
    return Image(np.ascontiguousarray(rgb[:, :, ::-1]), "image/png", "0" * 64)


def blank(width: int = 640, height: int = 480, colour: str = "white") -> Image:
    """A picture with nothing on it."""
    return picture_of(PillowImage.new("RGB", (width, height), colour))


def written(
    lines: Sequence[str], *, size: int = 28, width: int = 800, margin: int = 40
) -> tuple[PillowImage.Image, list[Written]]:
    """Lines of text one below the other, black on white, and where each one's ink is."""
    font = ImageFont.load_default(size=size)
    pitch = int(size * 2.2)
    page = PillowImage.new("RGB", (width, 2 * margin + pitch * len(lines)), "white")
    pen = ImageDraw.Draw(page)
    found = []
    for number, text in enumerate(lines):
        at = (margin, margin + number * pitch)
        pen.text(at, text, fill="black", font=font)
        found.append(Written(text, pen.textbbox(at, text, font=font)))
    return page, found


def page_of(lines: Sequence[str], *, size: int = 28, width: int = 800) -> Image:
    """`written` as a decoded picture."""
    return picture_of(written(lines, size=size, width=width)[0])


def box(left: float, top: float, width: float, height: float) -> Quad:
    """An upright rectangle."""
    right, bottom = left + width, top + height
    return Quad(Point(left, top), Point(right, top), Point(right, bottom), Point(left, bottom))


def turned(quad: Quad, degrees: float, centre: Point) -> Quad:
    """A quadrilateral turned clockwise, as seen in the picture, about a point."""
    c, s = cos(radians(degrees)), sin(radians(degrees))

    def turn(p: Point) -> Point:
        dx, dy = p.x - centre.x, p.y - centre.y
        return Point(centre.x + dx * c - dy * s, centre.y + dx * s + dy * c)

    a, b, d, e = quad.corners
    return Quad(turn(a), turn(b), turn(d), turn(e))


def region(quad: Quad, score: float = 0.9) -> TextRegion:
    """A region without a detector."""
    return TextRegion(quad, score)
