"""Identity documents of made-up people, with the truth about them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image, ImageDraw

from rendering.drawing import INK, Paper, blank, draw_label, draw_portrait, draw_zone, on_desk
from rendering.fonts import label_font
from rendering.people import Person
from rendering.zones import DOCUMENT_TYPE, true_fields, zone_lines

_PAPERS = {
    "TD3": Paper(125, 88, (232, 222, 226), (196, 168, 182), (172, 128, 150)),
    "TD1": Paper(85.6, 54, (222, 232, 226), (160, 190, 176), (118, 160, 142), px_per_mm=14),
    "TD2": Paper(105, 74, (222, 228, 238), (162, 178, 204), (122, 142, 180), px_per_mm=12),
    "MRV-A": Paper(120, 80, (234, 230, 214), (202, 188, 146), (168, 146, 88)),
    "MRV-B": Paper(105, 74, (226, 234, 232), (160, 194, 190), (112, 158, 154), px_per_mm=12),
}
_TITLES = {
    "TD1": "IDENTITY CARD",
    "TD2": "IDENTITY CARD",
    "TD3": "PASSPORT",
    "MRV-A": "VISA",
    "MRV-B": "VISA",
}
_ZONE_LEFT_MM = {"TD1": 4.7, "TD2": 6.8, "TD3": 6.6, "MRV-A": 4.1, "MRV-B": 6.8}
_ZONE_BOTTOM_MM = {"TD1": 5.2, "TD2": 7.4, "TD3": 8.4, "MRV-A": 7.4, "MRV-B": 7.4}


@dataclass(frozen=True, slots=True)
class RenderedDocument:
    """A picture and what is on it."""

    image: Image.Image
    document_type: str
    layout: str
    fields: dict[str, str]
    """Normalised values by standard field key."""
    lines: tuple[str, ...]
    """The machine readable zone, upper line first."""


def render_document(person: Person, layout: str, *, px_per_mm: float | None = None) -> RenderedDocument:
    """A document of `person` in one of `zones.FORMATS`.

    Raises:
        FontMissingError: OCR-B is not installed.
    """
    paper = _PAPERS[layout]
    if px_per_mm is not None:
        paper = replace(paper, px_per_mm=px_per_mm)
    image = blank(paper)
    lines = zone_lines(person, layout)
    _draw_heading(image, paper, layout)
    if layout == "TD1":
        _draw_card_back(image, paper, person)
    else:
        _draw_data_page(image, paper, person, layout)
    draw_zone(image, paper, lines, _ZONE_LEFT_MM[layout], _ZONE_BOTTOM_MM[layout])
    picture = on_desk(image, paper.px(4))
    return RenderedDocument(picture, DOCUMENT_TYPE[layout], layout, true_fields(person, layout), lines)


def _draw_heading(image: Image.Image, paper: Paper, layout: str) -> None:
    draw = ImageDraw.Draw(image)
    dark = tuple(level // 2 for level in paper.accent)
    band = paper.px(8.4)
    overlay = Image.blend(
        image.crop((0, 0, image.width, band)), Image.new("RGB", (image.width, band), paper.accent), 0.35
    )
    image.paste(overlay, (0, 0))
    draw.text((paper.px(5), paper.px(2.2)), "UTOPIA", font=label_font(paper.px(4), bold=True), fill=dark)
    right = image.width - paper.px(5)
    draw.text((right, paper.px(2.4)), _TITLES[layout], font=label_font(paper.px(3.4)), fill=dark, anchor="ra")


def _draw_data_page(image: Image.Image, paper: Paper, person: Person, layout: str) -> None:
    """Portrait to the left, labelled values to the right."""
    top, high = 11.5, paper.height_mm - 11.5 - 22
    draw_portrait(image, (paper.px(5), paper.px(top), paper.px(5 + high * 0.76), paper.px(top + high)))
    draw = ImageDraw.Draw(image)
    left = 5 + high * 0.76 + 5
    half = left + (paper.width_mm - left) * 0.5
    step = high / 5
    _draw_labels(draw, paper, _values(person, layout), (left, half, top, step))
    draw.text(
        (image.width - paper.px(5), paper.px(top + high)),
        "SPECIMEN",
        font=label_font(paper.px(2.2)),
        fill=tuple(level - 24 for level in paper.accent),
        anchor="rs",
    )


def _draw_labels(
    draw: ImageDraw.ImageDraw,
    paper: Paper,
    rows: list[list[tuple[str, str]]],
    grid: tuple[float, float, float, float],
) -> None:
    left, half, top, step = grid
    for number, row in enumerate(rows):
        for column, (label, value) in enumerate(row):
            draw_label(draw, paper, (half if column else left, top + number * step), label, value)


def _values(person: Person, layout: str) -> list[list[tuple[str, str]]]:
    number = "Visa No." if layout.startswith("MRV") else "Document No."
    return [
        [("Surname", person.surname), (number, person.number)],
        [("Given names", person.given_names)],
        [("Nationality", person.nationality), ("Sex", person.sex)],
        [
            ("Date of birth", f"{person.birth_date:%d %b %Y}".upper()),
            ("Personal No.", person.optional_data or "—"),
        ],
        [("Date of expiry", f"{person.expiry_date:%d %b %Y}".upper())],
    ]


def _draw_card_back(image: Image.Image, paper: Paper, person: Person) -> None:
    """The back of a card: authority, a signature line, a chip's outline."""
    draw = ImageDraw.Draw(image)
    draw_label(draw, paper, (5, 10.4), "Authority", "MINISTRY OF THE INTERIOR")
    draw_label(draw, paper, (5, 17.4), "Document No.", person.number)
    draw_label(draw, paper, (34, 17.4), "Date of expiry", f"{person.expiry_date:%d %b %Y}".upper())
    box = (paper.px(68), paper.px(11), paper.px(80), paper.px(20))
    draw.rounded_rectangle(box, paper.px(1.4), fill=(206, 186, 128), outline=(150, 130, 80), width=2)
    for part in (1, 2):
        y = box[1] + (box[3] - box[1]) * part // 3
        draw.line((box[0], y, box[2], y), fill=(150, 130, 80), width=2)
    draw.line(((box[0] + box[2]) // 2, box[1], (box[0] + box[2]) // 2, box[3]), fill=(150, 130, 80), width=2)
    draw.text((paper.px(68), paper.px(22)), "SPECIMEN", font=label_font(paper.px(2)), fill=INK)
