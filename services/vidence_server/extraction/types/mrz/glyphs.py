"""From what a recogniser wrote to the alphabet of machine readable zones, one glyph per character."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vidence_server.vision.geometry import Quad
from vidence_server.vision.text import CharacterReading, TextLine

ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<")

_LOOKALIKES: Mapping[str, str] = {
    # a double angle is two fillers
    "«": "<<", "《": "<<", "≪": "<<", "⟪": "<<",
    "‹": "<", "〈": "<", "⟨": "<", "＜": "<", "≤": "<", "(": "<", "[": "<", "{": "<", "（": "<",
    "|": "I", "!": "I", "l": "I", "ı": "I", "$": "S", "§": "S", "¢": "C", "©": "C", "€": "C", "£": "E",
    # Greek and Cyrillic capitals drawn like Latin ones
    "Α": "A", "Β": "B", "Ε": "E", "Ζ": "Z", "Η": "H", "Ι": "I", "Κ": "K", "Μ": "M", "Ν": "N", "Ο": "O",
    "Ρ": "P", "Τ": "T", "Υ": "Y", "Χ": "X",
    "А": "A", "В": "B", "Е": "E", "К": "K", "М": "M", "Н": "H", "О": "O", "Р": "P", "С": "C", "Т": "T",
    "У": "Y", "Х": "X", "І": "I", "Ѕ": "S",
}  # fmt: skip
"""What recognisers write for a zone's character. A zone has capitals only, so `l` is an upright stroke."""


@dataclass(frozen=True, slots=True)
class Glyph:
    """One character of a zone."""

    char: str
    """One of `ALPHABET`."""
    confidence: float
    quad: Quad
    """Its own slice of the line, in px."""
    alternatives: tuple[tuple[str, float], ...] = ()
    """Other characters of `ALPHABET` that the recogniser considered, most likely first."""


def glyphs_of(line: TextLine) -> tuple[Glyph, ...]:
    """The line's characters in the zone's alphabet.

    A character outside it is read as what the recogniser considered next; spaces, and what resembles nothing,
    are left out.
    """
    readings = line.characters or _evenly_spaced(line)
    edges = _edges(readings)
    glyphs: list[Glyph] = []
    for reading, (start, end) in zip(readings, pairwise(edges), strict=True):
        text = _in_alphabet(reading.text) or _likeliest(reading)
        width = (end - start) / max(1, len(text))
        for place, char in enumerate(text):
            quad = line.quad.part(start + place * width, start + (place + 1) * width)
            glyphs.append(Glyph(char, reading.confidence, quad, _alternatives(reading, char)))
    return tuple(glyphs)


def resembles_filler(char: str) -> bool:
    """Whether recognisers write `char` for one filler or more."""
    return "<" in _in_alphabet(char)


def text_of(glyphs: Sequence[Glyph]) -> str:
    """The characters alone."""
    return "".join(glyph.char for glyph in glyphs)


def enclosing(glyphs: Sequence[Glyph]) -> Quad | None:
    """The box from the first to the last glyph; None where there is none."""
    if not glyphs:
        return None
    first, last = glyphs[0].quad, glyphs[-1].quad
    return Quad(first.top_left, last.top_right, last.bottom_right, first.bottom_left)


def _in_alphabet(text: str) -> str:
    return "".join(_characters(text))


def _characters(text: str) -> Iterator[str]:
    for read in text:
        known = _LOOKALIKES.get(read)
        if known is not None:
            yield known
            continue
        # NFKD parts letters from their accents and makes full-width characters plain
        plain = unicodedata.normalize("NFKD", read).upper()
        yield from (char for char in plain if char in ALPHABET)


def _likeliest(reading: CharacterReading) -> str:
    """The best alternative inside the alphabet: a dropped character would shift all that follow."""
    if reading.text.isspace():
        return ""
    return next((known for other, _ in reading.alternatives if len(known := _in_alphabet(other)) == 1), "")


def _alternatives(reading: CharacterReading, char: str) -> tuple[tuple[str, float], ...]:
    likely: dict[str, float] = {}
    for text, probability in reading.alternatives:
        other = _in_alphabet(text)
        if len(other) == 1 and other != char:
            likely[other] = likely.get(other, 0.0) + probability
    return tuple(sorted(likely.items(), key=lambda item: -item[1]))


def _evenly_spaced(line: TextLine) -> tuple[CharacterReading, ...]:
    count = len(line.text)
    return tuple(
        CharacterReading(char, line.confidence, (place + 0.5) / count) for place, char in enumerate(line.text)
    )


def _edges(readings: Sequence[CharacterReading]) -> list[float]:
    """Where each character begins and the last ends, as fractions of the line: half-way to its neighbours."""
    centres = [reading.position for reading in readings]
    if not centres:
        return []
    between = [(left + right) / 2 for left, right in pairwise(centres)]
    pitch = (centres[-1] - centres[0]) / (len(centres) - 1) if len(centres) > 1 else 1.0
    first = max(0.0, centres[0] - pitch / 2)
    last = min(1.0, centres[-1] + pitch / 2)
    return [first, *between, max(first, last)]
