"""Fields out of the front of a licence: labelled or only numbered values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

from rapidfuzz import fuzz

from vidence_server.extraction.domain.document import ExtractedField
from vidence_server.extraction.types.driving_licence.elements import NOTHING
from vidence_server.extraction.types.visual.labels import FOLDER, Label, LabelSet, load_labels, plain
from vidence_server.extraction.types.visual.likeness import labelled_likeness
from vidence_server.extraction.types.visual.reader import visual_fields
from vidence_server.extraction.types.visual.values import normalised
from vidence_server.vision.text import TextLine

TITLES = (
    "driver license", "drivers license", "driving licence", "driver licence", "permiso de conduccion",
    "licencia de conducir", "lisensya sa pagmamaneho", "non professional driver", "commercial driver",
)  # fmt: skip
"""Words of a licence's title."""

_WORDED = load_labels(FOLDER, Path(__file__).parent / "labels")
_NUMBERED = {
    "1": "person.surname", "2": "person.given_names", "3": "person.birth_date", "4a": "document.issue_date",
    "4b": "document.expiry_date", "4d": "document.number", "5": "document.number", "9": "licence.class",
    "9a": "licence.endorsements", "12": "licence.restrictions", "16": "person.height_cm",
    "17": "person.weight_kg", "18": "person.eye_colour", "19": "person.hair_colour",
}  # fmt: skip
_BARE = LabelSet([*_WORDED.labels, *(Label((number,), key) for number, key in _NUMBERED.items())], ())
_BARE_NUMBER = re.compile(r"(1|2|3|4a|4b|4d|5|8|9|9a|12|15|16|17|18|19)[.:)]?(?=\s|$)", re.IGNORECASE)
_GLUED = re.compile(
    r"^(?:(?:3|4[ab])\.(?=\d{1,2}[./-]\d{1,2}[./-]\d{4}\b)|[12]\.(?=[A-Za-z]{2})|(?:4d|5)\.(?=[A-Z]{0,2}\d{4}))",
    re.IGNORECASE,
)
"""A number in front of a value of its element, the space between them lost: `3.20.01.1933`."""
_LEAST_NUMBERS = 4
"""So many lines that begin with different numbers show that numbers are labels here."""
_INNER = re.compile(
    r"\s(?=(?:(?:3|4[abd]|5|9a?|12|1[5-9])\.?\s)?"
    r"(?:sex|hgt|wgt|eyes|hair|iss|exp|dob|dln?|dd|class|end|restr?)\b)",
    re.IGNORECASE,
)
"""Before a label in the middle of a line: elements that stand in one row may come as one line."""
_PLACE = re.compile(r"^(?P<city>[A-Za-z .'-]+?),?\s+(?P<region>[A-Z]{2})\.?\s+(?P<code>\d{5}(?:-\d{4})?)$")
_FEET = re.compile(r"(\d)\s*['’´`-]+\s*(\d{1,2})")
_DOUBT = 0.62
"""What a numbered field leaves of the doubt."""
_TITLE = 90.0
_SHORTEST_TITLE = 8
_CM_PER_FOOT, _CM_PER_INCH, _KG_PER_POUND = 30.48, 2.54, 0.45359237


def front_fields(lines: Sequence[TextLine], today: date) -> list[ExtractedField]:
    """Every field that the front shows, each key once, boxes in px of the picture."""
    pieces = [piece for line in lines for piece in _pieces(line)]
    labels = _BARE if numbered(line.text for line in pieces) >= _LEAST_NUMBERS else _WORDED
    fields: list[ExtractedField] = []
    for field in visual_fields(pieces, today, labels=labels, normalise=_value):
        fields += _address(field, pieces) if field.key == "address.text" else [field]
    return fields


def front_likeness(lines: Sequence[TextLine]) -> float:
    """0–1, by the title and by how many fields have a label or are numbered as on a licence."""
    titles = [plain(title) for title in TITLES]
    titled = any(
        fuzz.partial_ratio(title, text) >= _TITLE
        for line in lines
        if len(text := plain(line.text)) >= _SHORTEST_TITLE
        for title in titles
    )
    numbers = numbered(line.text for line in lines) if titled else 0
    by_number = 1 - _DOUBT ** (numbers + 2) if numbers >= _LEAST_NUMBERS else 0.0
    return max(by_number, labelled_likeness(lines, titled=TITLES, untitled=False))


def numbered(texts: Iterable[str]) -> int:
    """How many different element numbers lines begin with."""
    return len({found[1].casefold() for text in texts if (found := _BARE_NUMBER.match(_apart(text)))})


def _apart(text: str) -> str:
    """The line with a space behind an element's number that is glued to its value."""
    return _GLUED.sub(lambda found: f"{found[0]} ", text)


def _pieces(line: TextLine) -> Iterator[TextLine]:
    """A line cut before each label inside it, with a space behind a number in front."""
    if _GLUED.match(line.text):
        yield TextLine(line.index, _apart(line.text), line.confidence, line.quad)
        return
    inner = [found.end() for found in _INNER.finditer(line.text)]
    cuts = [0, *(cut for cut in inner if not _BARE_NUMBER.fullmatch(line.text[:cut].strip())), len(line.text)]
    if len(cuts) == 2:
        yield line
        return
    length = len(line.text)
    for start, end in pairwise(cuts):
        quad = line.quad.part(start / length, end / length)
        yield TextLine(line.index, line.text[start:end].strip(), line.confidence, quad)


def _value(key: str, raw: str, today: date, *, months_first: bool = False) -> str:
    text = " ".join(raw.split()).strip(" :.,")
    if key == "person.height_cm":
        return _height(text)
    if key == "person.weight_kg":
        return _weight(text)
    if key in {"licence.class", "licence.endorsements", "licence.restrictions"}:
        return "" if text.upper() in NOTHING else text.upper()
    if key in {"person.eye_colour", "person.hair_colour"}:
        return text.upper() if re.fullmatch(r"[A-Za-z]{3,7}", text) else ""
    if key == "document.discriminator":
        return re.sub(r"[^A-Za-z0-9]", "", text) if any(char.isdigit() for char in text) else ""
    return normalised(key, raw, today, months_first=months_first)


def _height(text: str) -> str:
    feet = _FEET.search(text)
    if feet is not None and int(feet[2]) < 12:
        return str(round(int(feet[1]) * _CM_PER_FOOT + int(feet[2]) * _CM_PER_INCH))
    metric = re.fullmatch(r"(\d{3})\s*cm\.?|(\d)[.,](\d{2})\s*m\.?", text, re.IGNORECASE)
    return (metric[1] or metric[2] + metric[3]) if metric is not None else ""


def _weight(text: str) -> str:
    found = re.fullmatch(r"(\d{2,3})\s*(lbs?|kg)\.?", text, re.IGNORECASE)
    if found is None:
        return ""
    number = int(found[1])
    return str(number if found[2].casefold() == "kg" else round(number * _KG_PER_POUND))


def _address(field: ExtractedField, lines: Sequence[TextLine]) -> Iterator[ExtractedField]:
    """The parts of an address: its street, and city, region and postal code where a line shows all three."""
    for line in lines:
        place = _PLACE.match(line.text.strip())
        if place is None:
            continue
        street = field.value.replace(line.text.strip(), "").strip(" ,")
        if street:
            yield replace(field, key="address.street", value=street)
        found = replace(field, confidence=line.confidence, quad=line.quad, raw_value=line.text)
        yield replace(found, key="address.city", value=place["city"].strip())
        yield replace(found, key="address.region", value=place["region"])
        yield replace(found, key="address.postal_code", value=place["code"])
        return
    yield replace(field, key="address.street")
