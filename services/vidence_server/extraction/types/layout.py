"""Where lines stand on the page: extents in the page's own direction, rows, columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, sin
from statistics import median
from typing import Generic, TypeVar

from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.ocr.order import page_angle
from vidence_server.vision.text import TextLine, TextRegion

T = TypeVar("T")

_SAME_ROW = 0.5
"""Share of the lower height by which two extents of one row overlap."""
_GUTTER_HEIGHTS = 1.2
"""Width of a free strip between columns, in median line heights."""
_CROSSING_SHARE = 0.08
"""Share of the extents that may cross a gutter: titles over several columns."""
_NARROW_HEIGHTS = 3.0
"""A column this narrow, in line heights, holds counts or prices of the column at its right."""


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """Something with an upright extent in px, x along the writing, y across it."""

    item: T
    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> float:
        """Centre across the writing."""
        return (self.top + self.bottom) / 2

    @property
    def centre(self) -> float:
        """Centre along the writing."""
        return (self.left + self.right) / 2

    @property
    def height(self) -> float:
        """Extent across the writing."""
        return self.bottom - self.top

    def shares_row(self, other: Placed[T]) -> bool:
        """Whether both stand at the same height, whatever lies between."""
        overlap = min(self.bottom, other.bottom) - max(self.top, other.top)
        return overlap > min(self.height, other.height) * _SAME_ROW


def place_lines(lines: Sequence[TextLine]) -> list[Placed[TextLine]]:
    """The lines in the direction in which most of the page is written."""
    regions = [TextRegion(line.quad, 1.0) for line in lines]
    return [_placed(line, line.quad, page_angle(regions)) for line in lines]


def place_regions(regions: Sequence[TextRegion]) -> list[Placed[int]]:
    """The indexes of regions, placed like lines."""
    angle = page_angle(regions)
    return [_placed(index, region.quad, angle) for index, region in enumerate(regions)]


def _placed(item: T, quad: Quad, angle: float) -> Placed[T]:
    cosine, sine = cos(angle), sin(angle)
    along = [point.x * cosine + point.y * sine for point in quad.corners]
    # The middles of the sides: a line tilted against the page is not taken for a high one.
    upper, lower = (_middle(quad.top_left, quad.top_right), _middle(quad.bottom_left, quad.bottom_right))
    top, bottom = upper.y * cosine - upper.x * sine, lower.y * cosine - lower.x * sine
    return Placed(item, min(along), min(top, bottom), max(along), max(top, bottom))


def _middle(first: Point, second: Point) -> Point:
    return first.towards(second, 0.5)


def line_height(placed: Sequence[Placed[T]]) -> float:
    """Median height in px; 1 where there is nothing."""
    return median(item.height for item in placed) if placed else 1.0


def rows_of(placed: Iterable[Placed[T]]) -> list[list[Placed[T]]]:
    """Rows from top to bottom, each from left to right."""
    rows: list[list[Placed[T]]] = []
    for item in sorted(placed, key=lambda one: (one.middle, one.left)):
        row = next((row for row in reversed(rows[-3:]) if _belongs(item, row)), None)
        if row is None:
            rows.append([item])
        else:
            row.append(item)
    rows.sort(key=lambda row: sum(item.middle for item in row) / len(row))
    return [sorted(row, key=lambda item: item.left) for row in rows]


def _belongs(item: Placed[T], row: Sequence[Placed[T]]) -> bool:
    nearest = min(row, key=lambda one: abs(one.centre - item.centre))
    overlap = min(item.right, nearest.right) - max(item.left, nearest.left)
    beside = overlap < min(item.right - item.left, nearest.right - nearest.left) * _SAME_ROW
    return beside and nearest.shares_row(item)


def columns_of(placed: Sequence[Placed[T]]) -> list[list[Placed[T]]]:
    """Columns from left to right, each from top to bottom; what crosses a gutter is in the left one.

    A column of nothing but short pieces belongs to the one at its right.
    """
    if not placed:
        return []
    height = line_height(placed)
    edges = [float("-inf"), *_gutters(placed, height)]
    columns: list[list[Placed[T]]] = [[] for _ in edges]
    for item in placed:
        number = max(n for n, edge in enumerate(edges) if item.left >= edge)
        columns[number].append(item)
    merged: list[list[Placed[T]]] = []
    carried: list[Placed[T]] = []
    for column in filter(None, columns):
        if max(item.right - item.left for item in column) < _NARROW_HEIGHTS * height:
            carried += column
            continue
        merged.append([*carried, *column])
        carried = []
    if carried and merged:
        merged[-1] = [*merged[-1], *carried]
    elif carried:
        merged.append(carried)
    return [[item for row in rows_of(column) for item in row] for column in merged]


def _gutters(placed: Sequence[Placed[T]], height: float) -> list[float]:
    """Where columns begin: right ends of strips that almost nothing crosses."""
    allowed = int(len(placed) * _CROSSING_SHARE)
    marks = sorted({item.left for item in placed})
    found: list[float] = []
    for mark in marks[1:]:
        edge = mark - 0.5
        crossing = sum(item.left < edge - _GUTTER_HEIGHTS * height < item.right for item in placed)
        touching = sum(item.left < edge < item.right for item in placed)
        inside = sum(edge - _GUTTER_HEIGHTS * height < item.right <= edge for item in placed)
        before = sum(item.right <= edge for item in placed)
        if before and max(crossing, touching) + inside <= allowed and (not found or mark > found[-1]):
            found.append(edge)
    return found
