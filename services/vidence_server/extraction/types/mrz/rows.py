"""Which lines of a picture may belong to a zone, and how pieces of one printed row come together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import hypot

from vidence_server.extraction.types.mrz.glyphs import ALPHABET, Glyph, glyphs_of, resembles_filler, text_of
from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.text import TextLine, TextRegion

LEAST_GLYPHS = 4
"""A shorter piece of a row carries too little to be told from other text."""
ENOUGH_FILLERS = 3
"""With so many a line belongs to a zone, whatever case its letters were read in."""
MOST_LOWER_CASE = 0.25
MOST_FOREIGN = 0.2
_SAME_ROW = 0.5  # of the height: centres closer than this lie on one row
_MOST_OVERLAP = 0.3  # of the narrower piece: more means the same place was read twice
_NEXT_ROW = 4.0  # heights: rows of a zone follow each other closer than this
_NARROWEST_REGION = 2.0  # width in heights: about three characters of a zone


@dataclass(frozen=True, slots=True)
class Piece:
    """One line that may be a row of a zone or a piece of one."""

    index: int
    glyphs: tuple[Glyph, ...]
    quad: Quad


@dataclass(frozen=True, slots=True)
class Row:
    """Glyphs of one printed row, left to right."""

    glyphs: tuple[Glyph, ...]
    quad: Quad
    indexes: tuple[int, ...]
    """Of the lines it came from."""

    @property
    def text(self) -> str:
        """Its characters."""
        return text_of(self.glyphs)


def piece_of(line: TextLine) -> Piece | None:
    """The line as a possible piece of a zone; None where its characters speak against it."""
    written = [char for char in line.text if not char.isspace()]
    glyphs = glyphs_of(line)
    if len(glyphs) < LEAST_GLYPHS:
        return None
    fillers = sum(resembles_filler(char) for char in written)
    lower = sum(char.islower() for char in written) if fillers < ENOUGH_FILLERS else 0
    foreign = sum(char.upper() not in ALPHABET and not resembles_filler(char) for char in written)
    if lower > MOST_LOWER_CASE * len(written) or foreign > MOST_FOREIGN * len(written):
        return None
    return Piece(line.index, glyphs, line.quad)


def rows_of(pieces: Iterable[Piece]) -> list[Row]:
    """The rows the pieces form, from top to bottom in the direction of the text."""
    groups: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: piece.index):
        home = next((group for group in groups if all(_side_by_side(piece, other) for other in group)), None)
        if home is None:
            groups.append([piece])
        else:
            home.append(piece)
    rows = [_joined(group) for group in groups]
    return sorted(rows, key=lambda row: distance_down(rows[0].quad, row.quad))


def zone_order(regions: Sequence[TextRegion]) -> list[int]:
    """Indexes of the regions that can belong to a zone, the likeliest first.

    A zone's rows are the longest and lowest of a document, and lie in parallel, equally long, one close under
    the other.
    """
    shapes = [_Shape(index, region.quad) for index, region in enumerate(regions)]
    wide = [shape for shape in shapes if shape.width >= _NARROWEST_REGION * max(1.0, shape.height)]
    if not wide:
        return []
    longest = max(shape.width for shape in wide)
    top = min(shape.centre.y for shape in shapes)
    depth = max(1.0, max(shape.centre.y for shape in shapes) - top)

    def promise(shape: _Shape) -> float:
        twin = any(_stacked(shape, other) for other in wide if other is not shape)
        return shape.width / longest + 0.5 * (shape.centre.y - top) / depth + (0.5 if twin else 0.0)

    return [shape.index for shape in sorted(wide, key=promise, reverse=True)]


class _Shape:
    """A region's measures, taken once: every region is compared with every other."""

    __slots__ = ("centre", "height", "index", "quad", "width")

    def __init__(self, index: int, quad: Quad) -> None:
        self.index = index
        self.quad = quad
        self.width = quad.width
        self.height = quad.height
        self.centre = quad.centre


def _direction(quad: Quad) -> tuple[float, float]:
    """Unit vector along the text."""
    x = quad.top_right.x - quad.top_left.x + quad.bottom_right.x - quad.bottom_left.x
    y = quad.top_right.y - quad.top_left.y + quad.bottom_right.y - quad.bottom_left.y
    length = hypot(x, y) or 1.0
    return x / length, y / length


def _along(base: Quad, point: Point) -> float:
    x, y = _direction(base)
    return (point.x - base.centre.x) * x + (point.y - base.centre.y) * y


def distance_down(base: Quad, other: Quad) -> float:
    """How far `other` lies below `base`, across the direction of the text, in px."""
    x, y = _direction(base)
    return (other.centre.y - base.centre.y) * x - (other.centre.x - base.centre.x) * y


def _reach(base: Quad, quad: Quad) -> tuple[float, float]:
    return _along(base, quad.top_left), _along(base, quad.top_right)


def _side_by_side(one: Piece, other: Piece) -> bool:
    wider, narrower = sorted((one.quad, other.quad), key=lambda quad: quad.width, reverse=True)
    height = (one.quad.height + other.quad.height) / 2
    if abs(distance_down(wider, narrower)) > _SAME_ROW * height:
        return False
    (a_start, a_end), (b_start, b_end) = _reach(wider, wider), _reach(wider, narrower)
    overlap = min(a_end, b_end) - max(a_start, b_start)
    return overlap <= _MOST_OVERLAP * narrower.width


def _stacked(one: _Shape, other: _Shape) -> bool:
    """Whether two regions lie one under the other like rows of a zone."""
    if min(one.width, other.width) < 0.8 * max(one.width, other.width):
        return False
    height = (one.height + other.height) / 2
    if one.centre.distance(other.centre) > _NEXT_ROW * height + 0.2 * one.width:
        return False
    apart = abs(distance_down(one.quad, other.quad))
    aligned = abs(_along(one.quad, other.centre)) <= 0.2 * one.width
    return aligned and 0.7 * height <= apart <= _NEXT_ROW * height


def _joined(group: Sequence[Piece]) -> Row:
    base = max(group, key=lambda piece: piece.quad.width).quad
    ordered = sorted(group, key=lambda piece: _along(base, piece.quad.centre))
    first, last = ordered[0].quad, ordered[-1].quad
    return Row(
        tuple(glyph for piece in ordered for glyph in piece.glyphs),
        Quad(first.top_left, last.top_right, last.bottom_right, first.bottom_left),
        tuple(piece.index for piece in ordered),
    )
