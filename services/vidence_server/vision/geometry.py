"""Points and quadrilaterals in image pixels: x to the right, y down, origin at the top left corner."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot


@dataclass(frozen=True, slots=True)
class Point:
    """A position in pixels; may lie between pixels."""

    x: float
    y: float

    def towards(self, other: Point, fraction: float) -> Point:
        """The point at `fraction` (0–1) of the way to `other`."""
        return Point(self.x + (other.x - self.x) * fraction, self.y + (other.y - self.y) * fraction)

    def distance(self, other: Point) -> float:
        """Euclidean distance in px."""
        return hypot(self.x - other.x, self.y - other.y)


@dataclass(frozen=True, slots=True)
class Quad:
    """Four corners, clockwise in the picture, from the top left of what is inside when it is upright."""

    top_left: Point
    top_right: Point
    bottom_right: Point
    bottom_left: Point

    @property
    def corners(self) -> tuple[Point, Point, Point, Point]:
        """The corners in order: top left, top right, bottom right, bottom left."""
        return (self.top_left, self.top_right, self.bottom_right, self.bottom_left)

    @property
    def width(self) -> float:
        """The longer of the upper and lower side, in px."""
        return max(self.top_left.distance(self.top_right), self.bottom_left.distance(self.bottom_right))

    @property
    def height(self) -> float:
        """The longer of the left and right side, in px."""
        return max(self.top_left.distance(self.bottom_left), self.top_right.distance(self.bottom_right))

    @property
    def centre(self) -> Point:
        """The mean of the corners."""
        xs, ys = [p.x for p in self.corners], [p.y for p in self.corners]
        return Point(sum(xs) / 4, sum(ys) / 4)

    def part(self, start: float, end: float) -> Quad:
        """The slice of a line of text from fraction `start` to fraction `end` (0–1) of its width."""
        return Quad(
            self.top_left.towards(self.top_right, start),
            self.top_left.towards(self.top_right, end),
            self.bottom_left.towards(self.bottom_right, end),
            self.bottom_left.towards(self.bottom_right, start),
        )
