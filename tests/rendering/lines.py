"""Lines as a recogniser would give them, without a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    text: str, index: int = 0, *, x: float = 100, y: float | None = None, width: float | None = None
) -> TextLine:
    """A line read with confidence 0.95; below each other by index unless `y` is given.

    Nothing is told of single characters; `with_alternatives` adds that.
    """
    across = width if width is not None else CHARACTER_PX * len(text)
    top = y if y is not None else 400 + LINE_PX * index
    return TextLine(index, text, 0.95, box(x, top, across))


def zone(texts: Sequence[str], *, first: int = 0) -> list[TextLine]:
    """The lines of a zone, upper line first, each as wide as the printed line."""
    width = CHARACTER_PX * max((len(text) for text in texts), default=0)
    return [line(text, first + place, width=width) for place, text in enumerate(texts)]


def with_alternatives(
    read: TextLine,
    alternatives: Mapping[int, tuple[tuple[str, float], ...]],
    *,
    confidence: float | Mapping[int, float] = 0.6,
) -> TextLine:
    """The line with its characters: at the given places alternatives and `confidence`, elsewhere 0.95."""
    sure = confidence if isinstance(confidence, Mapping) else dict.fromkeys(alternatives, confidence)
    characters = tuple(
        CharacterReading(
            char, sure.get(place, 0.95), (place + 0.5) / len(read.text), alternatives.get(place, ())
        )
        for place, char in enumerate(read.text)
    )
    return TextLine(read.index, read.text, read.confidence, read.quad, characters)


def regions(lines: Sequence[TextLine]) -> list[TextRegion]:
    """Where a detector would have found these lines."""
    return [TextRegion(read.quad, 0.9) for read in lines]
