"""Lines as a recogniser would give them, without a picture."""

from __future__ import annotations

from collections.abc import Sequence

from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.text import CharacterReading, TextLine, TextRegion

CHARACTER_PX = 10
LINE_PX = 24
"""From one line to the next; a line is 14 px high."""


def box(x: float, y: float, width: float, height: float = 14) -> Quad:
    """An upright box in px."""
    right, bottom = x + width, y + height
    return Quad(Point(x, y), Point(right, y), Point(right, bottom), Point(x, bottom))


def line(
    text: str,
    index: int = 0,
    *,
    x: float = 100,
    y: float | None = None,
    width: float | None = None,
    measured: bool = True,
) -> TextLine:
    """A line read with confidence 0.95 everywhere; below each other by index unless `y` is given.

    `measured` is false for a recogniser that tells nothing of single characters.
    """
    across = width if width is not None else CHARACTER_PX * len(text)
    top = y if y is not None else 400 + LINE_PX * index
    characters = tuple(
        CharacterReading(char, 0.95, (place + 0.5) / len(text)) for place, char in enumerate(text)
    )
    return TextLine(index, text, 0.95, box(x, top, across), characters if measured else ())


def zone(texts: Sequence[str], *, first: int = 0) -> list[TextLine]:
    """The lines of a zone, upper line first, each as wide as the printed line."""
    width = CHARACTER_PX * max((len(text) for text in texts), default=0)
    return [line(text, first + place, width=width) for place, text in enumerate(texts)]


def with_alternatives(
    read: TextLine, alternatives: dict[int, tuple[tuple[str, float], ...]], *, confidence: float = 0.6
) -> TextLine:
    """The line with characters, those at the given places less sure (`confidence`) and with alternatives."""
    count = len(read.text)
    characters = tuple(
        CharacterReading(
            char,
            confidence if place in alternatives else 0.95,
            (place + 0.5) / count,
            alternatives.get(place, ()),
        )
        for place, char in enumerate(read.text)
    )
    return TextLine(read.index, read.text, read.confidence, read.quad, characters)


def regions(lines: Sequence[TextLine]) -> list[TextRegion]:
    """Where a detector would have found these lines."""
    return [TextRegion(read.quad, 0.9) for read in lines]
