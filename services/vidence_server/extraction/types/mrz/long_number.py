"""Document numbers of more than nine characters (ICAO Doc 9303-5 and 9303-6, notes to the document number).

A filler stands in the place of the check digit; the rest of the number follows at the beginning of the
optional data, then the check digit over all of it, then a filler. Passports and visas have no such numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from vidence_server.extraction.types.mrz.confusions import as_digits
from vidence_server.extraction.types.mrz.formats import Span


@dataclass(frozen=True, slots=True)
class LongNumber:
    """A number that goes on behind its field."""

    number: str
    digit: str
    """Its check digit."""
    continued: int
    """Characters outside the field that belong to it: filler, rest, check digit."""


def long_number(text: str, span: Span) -> LongNumber | None:
    """The long number that begins in `span` of a line; None where the number ends in its field."""
    if span.rest is None or span.check is None or text[span.check] != "<":
        return None
    beginning = text[span.start : span.end]
    rest = text[slice(*span.rest)].split("<", 1)[0]
    if "<" in beginning or len(rest) < 2:
        return None
    return LongNumber(beginning + rest[:-1], as_digits(rest[-1]), len(rest) + 1)
