"""Draws what was read, and where, onto the picture."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from vidence.extraction.v1 import document_pb2

_COLOUR_OF_VERDICT = {
    document_pb2.VALIDATION_VERDICT_VALID: (0, 140, 60),
    document_pb2.VALIDATION_VERDICT_INVALID: (200, 30, 30),
}
_UNCHECKED = (20, 90, 200)


class DrawingError(Exception):
    """The picture cannot be drawn on."""


def draw_fields(content: bytes | Path, fields: Iterable[document_pb2.ExtractedField], target: Path) -> None:
    """Writes the picture with a box and the key of every field that has a place.

    Args:
        content: The picture, as bytes or where it lies; drawn as it is displayed (EXIF orientation applied).
        fields: What was read; boxes in pixels of the displayed picture.
        target: Where to write; the suffix names the format.

    Raises:
        DrawingError: The content is no picture that Pillow reads (a PDF), or the target's format is unknown.
        OSError: A file cannot be read or written.
    """
    picture = _load(content)
    pen = ImageDraw.Draw(picture)
    stroke_px = max(1, round(max(picture.size) / 600))
    font = ImageFont.load_default(size=max(10, round(max(picture.size) / 90)))
    for read in fields:
        if read.HasField("box"):
            _draw_field(pen, read, font, stroke_px)
    try:
        picture.save(target)
    except ValueError as error:
        raise DrawingError(f"no picture format is known for {target.name}") from error


def _load(content: bytes | Path) -> Image.Image:
    try:
        with Image.open(BytesIO(content) if isinstance(content, bytes) else content) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError as error:
        raise DrawingError("only pictures can be drawn on, this is none (a PDF?)") from error


def _draw_field(
    pen: ImageDraw.ImageDraw,
    read: document_pb2.ExtractedField,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    stroke_px: int,
) -> None:
    colour = _COLOUR_OF_VERDICT.get(read.validation.verdict, _UNCHECKED)
    corners = (read.box.top_left, read.box.top_right, read.box.bottom_right, read.box.bottom_left)
    points = [(corner.x, corner.y) for corner in corners]
    pen.polygon(points, outline=colour, width=stroke_px)
    label = f"{read.key}[{read.index}]" if read.index else read.key
    place = (points[0][0], max(0.0, points[0][1] - stroke_px))
    pen.rectangle(pen.textbbox(place, label, font=font, anchor="ls"), fill=colour)
    pen.text(place, label, font=font, anchor="ls", fill=(255, 255, 255))
