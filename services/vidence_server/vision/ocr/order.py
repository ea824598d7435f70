"""Reading order: rows from top to bottom, within a row from left to right, also on a tilted page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, cos, pi, sin

from vidence_server.vision.text import TextRegion

_SAME_ROW = 0.5
"""Share of the lower height by which two neighbours must overlap, across the writing, to be of one row."""


@dataclass(frozen=True, slots=True)
class _Extent:
    """A region in the page's own axes: u along the writing, v across it, in px."""

    region: TextRegion
    left: float
    right: float
    top: float
    bottom: float

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    def shares_row(self, other: _Extent) -> bool:
        overlap = min(self.bottom, other.bottom) - max(self.top, other.top)
        lower = min(self.bottom - self.top, other.bottom - other.top)
        side_by_side = (
            min(self.right, other.right) - max(self.left, other.left)
            < min(self.right - self.left, other.right - other.left) * _SAME_ROW
        )
        return side_by_side and overlap > lower * _SAME_ROW

    def gap(self, other: _Extent) -> float:
        return max(self.left, other.left) - min(self.right, other.right)


def page_angle(regions: Sequence[TextRegion]) -> float:
    """Direction of the writing: median of the regions' directions weighted by their widths.

    Returns:
        Radians in (-π/2, π/2], positive when lines run downwards to the right; 0 without regions.
    """
    angles = sorted((_angle(region), region.quad.width) for region in regions)
    half = sum(width for _, width in angles) / 2
    passed = 0.0
    for angle, width in angles:
        passed += width
        if passed >= half:
            return angle
    return 0.0


def _angle(region: TextRegion) -> float:
    quad = region.quad
    dx = quad.top_right.x - quad.top_left.x + quad.bottom_right.x - quad.bottom_left.x
    dy = quad.top_right.y - quad.top_left.y + quad.bottom_right.y - quad.bottom_left.y
    angle = atan2(dy, dx)
    if angle <= -pi / 2:
        return angle + pi
    return angle - pi if angle > pi / 2 else angle


def reading_order(regions: Sequence[TextRegion]) -> tuple[TextRegion, ...]:
    """The regions in reading order. Columns are left alone: a row runs over the whole page.

    Two regions share a row when they lie side by side and overlap by half of the lower height, measured
    across the page's own direction, so that a tilt of some degrees changes nothing.
    """
    angle = page_angle(regions)
    extents = sorted(
        (_extent(region, cos(angle), sin(angle)) for region in regions),
        key=lambda extent: (extent.middle, extent.left),
    )
    rows: list[list[_Extent]] = []
    for extent in extents:
        row = _row_of(extent, rows)
        if row is None:
            rows.append([extent])
        else:
            row.append(extent)
    rows.sort(key=lambda row: sum(extent.middle for extent in row) / len(row))
    return tuple(extent.region for row in rows for extent in sorted(row, key=lambda extent: extent.left))


def _row_of(extent: _Extent, rows: list[list[_Extent]]) -> list[_Extent] | None:
    """The row whose nearest member the region stands beside; the latest rows first."""
    for row in reversed(rows):
        nearest = min(row, key=extent.gap)
        if nearest.shares_row(extent):
            return row
    return None


def _extent(region: TextRegion, cosine: float, sine: float) -> _Extent:
    us = [point.x * cosine + point.y * sine for point in region.quad.corners]
    vs = [point.y * cosine - point.x * sine for point in region.quad.corners]
    return _Extent(region, min(us), max(us), min(vs), max(vs))
