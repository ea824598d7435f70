"""Pieces of a document: paper with a security pattern, a portrait placeholder, labels, the zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sin

from PIL import Image, ImageDraw, ImageFilter

from rendering.fonts import label_font, zone_font

Colour = tuple[int, int, int]
INK: Colour = (32, 34, 44)
DESK: Colour = (124, 121, 117)
_ZONE_PITCH_MM = 2.54
_ZONE_LINE_MM = 6.35


@dataclass(frozen=True, slots=True)
class Paper:
    """Size and colours of a document."""

    width_mm: float
    height_mm: float
    ground: Colour
    pattern: Colour
    accent: Colour
    px_per_mm: float = 11.0

    def px(self, millimetres: float) -> int:
        """Millimetres in px."""
        return round(millimetres * self.px_per_mm)


def blank(paper: Paper) -> Image.Image:
    """Paper with a gradient and waves of fine lines, as against copying."""
    width, height = paper.px(paper.width_mm), paper.px(paper.height_mm)
    slope = Image.linear_gradient("L").resize((width, height)).point(lambda level: round(level * 0.35))
    lighter: Colour = tuple(min(255, level + 14) for level in paper.ground)  # type: ignore[assignment]  # three levels in, three out
    image = Image.composite(
        Image.new("RGB", slope.size, paper.pattern), Image.new("RGB", slope.size, lighter), slope
    )
    image = Image.blend(image, Image.new("RGB", image.size, lighter), 0.6)
    pattern = image.copy()
    draw = ImageDraw.Draw(pattern)
    step = paper.px(1.6)
    for number in range(-8, height // step + 8):
        wave = [
            (
                x,
                number * step
                + paper.px(3.2) * sin(x / width * 5 * pi + number * 0.23) * sin(x / width * pi + 0.4),
            )
            for x in range(0, width + 8, 8)
        ]
        draw.line(wave, fill=paper.pattern, width=1)
    _rosette(draw, paper, width * 0.72, height * 0.42, height * 0.3)
    return Image.blend(image, pattern, 0.55)


def _rosette(draw: ImageDraw.ImageDraw, paper: Paper, x: float, y: float, radius: float) -> None:
    for turn in range(18):
        dx, dy = radius * 0.42 * sin(turn * pi / 9), radius * 0.42 * sin(turn * pi / 9 + pi / 2)
        size = radius * 0.58
        draw.ellipse(
            (x + dx - size, y + dy - size, x + dx + size, y + dy + size), outline=paper.accent, width=1
        )


def draw_portrait(image: Image.Image, box: tuple[int, int, int, int]) -> None:
    """A silhouette in place of a photo: nobody's face."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    photo = Image.composite(
        Image.new("RGB", (width, height), (196, 204, 212)),
        Image.new("RGB", (width, height), (226, 231, 235)),
        Image.linear_gradient("L").resize((width, height)),
    )
    draw = ImageDraw.Draw(photo)
    tone, shade = (132, 142, 156), (112, 122, 138)
    draw.ellipse((width * 0.08, height * 0.68, width * 0.92, height * 1.5), fill=shade)
    draw.rounded_rectangle((width * 0.4, height * 0.5, width * 0.6, height * 0.76), width * 0.08, fill=tone)
    draw.ellipse((width * 0.27, height * 0.14, width * 0.73, height * 0.62), fill=tone)
    image.paste(photo.filter(ImageFilter.GaussianBlur(1.2)), (left, top))
    ImageDraw.Draw(image).rectangle(box, outline=(150, 158, 168), width=2)


def draw_label(
    draw: ImageDraw.ImageDraw, paper: Paper, at_mm: tuple[float, float], label: str, value: str
) -> None:
    """A small caption with the value under it."""
    x, y = paper.px(at_mm[0]), paper.px(at_mm[1])
    draw.text((x, y), label, font=label_font(paper.px(1.7)), fill=(92, 98, 116))
    draw.text((x, y + paper.px(2.2)), value, font=label_font(paper.px(2.9), bold=True), fill=INK)


def draw_zone(
    image: Image.Image, paper: Paper, lines: Sequence[str], left_mm: float, bottom_mm: float
) -> None:
    """The zone in OCR-B, ten characters an inch, the lowest line's centre `bottom_mm` above the edge."""
    draw = ImageDraw.Draw(image)
    top = paper.height_mm - bottom_mm - _ZONE_LINE_MM * (len(lines) - 1) - 6
    strip = (0, paper.px(top), image.width, image.height)
    image.paste(
        Image.blend(
            image.crop(strip), Image.new("RGB", (strip[2], strip[3] - strip[1]), (250, 250, 248)), 0.72
        ),
        strip,
    )
    font = zone_font(paper.px(4.05))
    for number, line in enumerate(lines):
        y = paper.px(paper.height_mm - bottom_mm - _ZONE_LINE_MM * (len(lines) - 1 - number))
        for place, char in enumerate(line):
            x = (left_mm + (place + 0.5) * _ZONE_PITCH_MM) * paper.px_per_mm
            draw.text((x, y), char, font=font, fill=(24, 24, 28), anchor="mm")


def on_desk(image: Image.Image, margin: int) -> Image.Image:
    """The document lying on a plain desk, with rounded corners and a soft shadow."""
    size = (image.width + 2 * margin, image.height + 2 * margin)
    shape = Image.new("L", size, 0)
    box = (margin, margin, margin + image.width - 1, margin + image.height - 1)
    ImageDraw.Draw(shape).rounded_rectangle(box, image.height // 40, fill=255)
    desk = Image.new("RGB", size, DESK)
    shadow = shape.filter(ImageFilter.GaussianBlur(margin / 3)).point(lambda level: round(level * 0.55))
    desk.paste((40, 38, 36), (margin // 8, margin // 5), shadow)
    sheet = desk.copy()
    sheet.paste(image, (margin, margin))
    return Image.composite(sheet, desk, shape)
