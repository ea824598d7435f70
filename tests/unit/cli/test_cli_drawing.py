"""Boxes on the picture."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from fakes import extraction_servicer as fake
from vidence.extraction.v1 import document_pb2 as document
from vidence_cli.drawing import DrawingError, draw_fields

ORIENTATION = 0x0112


def picture(width: int, height: int, *, orientation: int = 1, mode: str = "RGB") -> bytes:
    image = Image.new(mode, (width, height), "white")
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = BytesIO()
    image.save(file, "PNG", exif=exif)
    return file.getvalue()


@pytest.mark.requirement("R-EX3")
def test_the_box_stands_where_the_field_says(tmp_path: Path) -> None:
    target = tmp_path / "drawn.png"
    field = fake.read_field("document.number", "X", verdict=document.VALIDATION_VERDICT_VALID)
    field.box.CopyFrom(fake.box(100, 200, width=300, height=50))
    draw_fields(picture(600, 400), [field], target)
    with Image.open(target) as drawn:
        assert drawn.size == (600, 400)
        for corner in ((100, 200), (400, 200), (400, 250), (100, 250)):
            assert drawn.getpixel(corner) == (0, 140, 60)
        assert drawn.getpixel((250, 225)) == (255, 255, 255)


def test_the_picture_is_drawn_as_it_is_displayed(tmp_path: Path) -> None:
    target = tmp_path / "drawn.png"
    draw_fields(picture(60, 40, orientation=6), [], target)
    with Image.open(target) as drawn:
        assert drawn.size == (40, 60)
        assert drawn.getexif().get(ORIENTATION, 1) == 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA"])
def test_odd_pixel_formats_are_drawn_in_colour(tmp_path: Path, mode: str) -> None:
    target = tmp_path / "drawn.jpg"
    draw_fields(picture(60, 40, mode=mode), [fake.NUMBER, fake.SURNAME], target)
    with Image.open(target) as drawn:
        assert (drawn.mode, drawn.size) == ("RGB", (60, 40))


def test_a_field_without_a_place_leaves_the_picture_as_it_is(tmp_path: Path) -> None:
    target = tmp_path / "drawn.png"
    draw_fields(picture(60, 40), [document.ExtractedField(key="document.number", revision=1)], target)
    with Image.open(target) as drawn:
        assert drawn.getextrema() == ((255, 255),) * 3


def test_no_picture_and_no_format_are_told(tmp_path: Path) -> None:
    with pytest.raises(DrawingError, match="only pictures"):
        draw_fields(b"%PDF-1.7", [], tmp_path / "drawn.png")
    with pytest.raises(DrawingError, match="no picture format"):
        draw_fields(picture(60, 40), [], tmp_path / "drawn.unknown")
