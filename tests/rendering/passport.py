"""One field of the specimen passport as a reader gives it, and what is expected of it."""

from __future__ import annotations

from collections.abc import Sequence

from rendering.lines import zone
from rendering.reading import read
from rendering.specimens import LOWER, UPPER
from vidence_server.extraction.domain.document import ExtractedField, Validation, Verdict
from vidence_server.vision.text import TextLine

SEX = Validation(Verdict.VALID, "icao9303.sex")


def checked(expected: str, rule: str = "icao9303.check_digit") -> Validation:
    """The verdict of a check digit that holds."""
    return Validation(Verdict.VALID, rule, expected, expected)


def changed(text: str, place: int, other: str) -> str:
    """A text with other characters from a place on."""
    return text[:place] + other + text[place + len(other) :]


def across(field: ExtractedField) -> tuple[float, float] | None:
    """Where the field's box begins and ends, in px."""
    if field.quad is None:
        return None
    return round(field.quad.top_left.x, 3), round(field.quad.top_right.x, 3)


def passport(lower: str = LOWER, upper: str = UPPER) -> Sequence[TextLine]:
    """The two lines of a zone."""
    return zone((upper, lower))


def field(lines: Sequence[TextLine], key: str, index: int = 0, kind: str = "passport") -> ExtractedField:
    """One field of what is read of some lines."""
    return read(kind, lines).field(key, index)
