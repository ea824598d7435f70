"""How a page lies in its picture, told by the lines of text on it.

Lines that are parallel on the page meet in one point of the picture, their vanishing point; seen from the
camera it lies in the direction in which the lines run (Hartley and Zisserman, Multiple View Geometry, 8.6). A
page that is only turned has it at infinity. So one direction in space tells both a page's turn and how far it
recedes along its lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, degrees, hypot, pi

import numpy as np
import numpy.typing as npt

from vidence_server.vision.geometry import Quad
from vidence_server.vision.pages.placement import Matrix, inverse, moved, quarter_turn
from vidence_server.vision.text import TextRegion

FOCAL_OF_LONG_SIDE = 1.1
"""Focal length of cameras in long sides of their picture: phones have 0.8 to 1.4."""
_LONG_LINE = 2.5
"""Width over height from which a region tells a direction."""
_LEAST_LINES = 4
"""Fewer long lines tell nothing about how they converge."""
_VERTICAL_SHARE = 0.6
"""Share of the lines' length that runs down or up on a page that lies on its side."""
_ASTRAY = 0.35
"""Radians off the others' direction from which a line has no say."""
_NOISE_OF_HEIGHT = 0.12
"""Error of a line's ends across it, in parts of its height."""
_LEAST_NOISE = 0.006
"""Radians that a line's direction is off at least."""
_RECEDING = 0.33
"""How far pages recede, as the spread of the direction's depth before anything is seen: 0.33 is 18°."""
_ROUNDS = 4
"""Of weighing lines anew."""
_SURE = 4.0
"""Standard errors from which a page counts as receding."""
_SLOPE_DEGREES = 4.0
"""Turn within the picture up to which lines are read as they are."""
_TILT_DEGREES = 3.5
"""The same for a tilt along the lines."""
_MOST_DEPTH = 0.85
"""Depth of a direction, at most: 40°. More is no page that could be read."""


@dataclass(frozen=True, slots=True)
class PageLie:
    """How a page lies."""

    quarters: int
    """Clockwise quarter turns that make its lines run to the right or, upside down, to the left: 0 or 3."""
    slope: float
    """Radians by which lines then run downwards, mean of the page, within ± π / 4."""
    depth: float
    """Part of the lines' direction away from the camera, over that in the picture: tangent of the tilt."""

    @property
    def tilt_degrees(self) -> float:
        """How far the page recedes along its lines, 0–40."""
        return abs(degrees(atan2(self.depth, 1.0)))

    @property
    def tilted(self) -> bool:
        """Whether turning by quarters is not enough to read it well."""
        return abs(degrees(self.slope)) > _SLOPE_DEGREES or self.tilt_degrees > _TILT_DEGREES

    @property
    def straight(self) -> bool:
        """Whether it is read as it lies, if it does not stand on its head."""
        return self.quarters == 0 and not self.tilted


FLAT = PageLie(0, 0.0, 0.0)


def lie_of(regions: Sequence[TextRegion], width_px: int, height_px: int) -> PageLie:
    """How the page lies; flat where too few lines tell.

    Args:
        regions: of a whole picture, as the detector found them.
        width_px: of the picture.
        height_px: of the picture.
    """
    quads = [region.quad for region in regions if region.quad.width >= _LONG_LINE * region.quad.height]
    length = sum(quad.width for quad in quads)
    if not length:
        return FLAT
    steep = sum(quad.width for quad in quads if _is_steep(quad))
    quarters = 3 if steep > _VERTICAL_SHARE * length else 0
    turn = quarter_turn(quarters, width_px, height_px)
    if quarters:
        quads = [moved(quad, turn) for quad in quads]
        width_px, height_px = height_px, width_px
    directions = np.array([_direction(quad) for quad in quads])
    main = _weighted_median(directions, np.array([quad.width for quad in quads]))
    kept = [quad for quad, one in zip(quads, directions, strict=True) if abs(_apart(one, main)) < _ASTRAY]
    if len(kept) < _LEAST_LINES:
        return PageLie(quarters, main, 0.0)
    slope, depth = _space_direction(kept, main, camera(width_px, height_px))
    return PageLie(quarters, slope, depth)


def camera(width_px: int, height_px: int) -> Matrix:
    """What an assumed camera does: from directions before it to px of its picture."""
    focal = FOCAL_OF_LONG_SIDE * max(width_px, height_px)
    return np.array([[focal, 0, width_px / 2], [0, focal, height_px / 2], [0, 0, 1]])


def _is_steep(quad: Quad) -> bool:
    across, down = _run(quad)
    return abs(down) > abs(across)


def _run(quad: Quad) -> tuple[float, float]:
    """Twice the vector along a line."""
    return (
        quad.top_right.x - quad.top_left.x + quad.bottom_right.x - quad.bottom_left.x,
        quad.top_right.y - quad.top_left.y + quad.bottom_right.y - quad.bottom_left.y,
    )


def _direction(quad: Quad) -> float:
    """Radians in (-π/2, π/2]: which end is the beginning does not matter."""
    across, down = _run(quad)
    return _apart(atan2(down, across), 0.0)


def _apart(one: float, other: float) -> float:
    """Difference of two directions of lines, within ± π / 2."""
    return (one - other + pi / 2) % pi - pi / 2


def _weighted_median(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    order = np.argsort(values, kind="stable")
    passed = np.cumsum(weights[order])
    return float(values[order][int(np.searchsorted(passed, passed[-1] / 2))])


def _space_direction(quads: Sequence[Quad], main: float, seen_by: Matrix) -> tuple[float, float]:
    """Slope and depth of the direction in space that lines run in; depth 0 where it is not sure.

    A line and the camera span a plane, whose upright is across the wanted direction. Directions are written
    as `along + s · across + d · forward`, with `along` the main direction in the picture: least squares in s
    and d, weighted by the lines' errors, and less where a line disagrees with the others (Cauchy's weights).
    """
    along = np.array([np.cos(main), np.sin(main), 0.0])
    across = np.array([-np.sin(main), np.cos(main), 0.0])
    uprights, errors = _planes(quads, inverse(seen_by))
    terms = np.column_stack([uprights @ across, uprights[:, 2]])
    aim = -(uprights @ along)
    weights = 1 / errors**2
    solved, information = _least_squares(terms, aim, weights)
    for _ in range(_ROUNDS):
        off = (terms @ solved - aim) / errors
        weights = 1 / errors**2 / (1 + (off / 2) ** 2)
        solved, information = _least_squares(terms, aim, weights)
    off = (terms @ solved - aim) / errors
    spread = max(1.0, float(np.sqrt(np.average(off**2, weights=weights))))
    error = spread * float(np.sqrt(np.linalg.inv(information)[1, 1]))
    depth = float(solved[1])
    if abs(depth) < _SURE * error or abs(depth) > _MOST_DEPTH:
        level = float(np.average(_slopes(quads, main), weights=weights))
        return main + level, 0.0
    return main + float(np.arctan(solved[0])), depth


def _least_squares(
    terms: npt.NDArray[np.float64], aim: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Slope and depth (2), and how much is known of them (2, 2); little depth where lines tell nothing."""
    prior = np.diag([1e-6, 1 / _RECEDING**2])
    information = terms.T @ (terms * weights[:, None]) + prior
    return np.asarray(np.linalg.solve(information, terms.T @ (aim * weights)), np.float64), information


def _slopes(quads: Sequence[Quad], main: float) -> npt.NDArray[np.float64]:
    return np.array([_apart(_direction(quad), main) for quad in quads])


def _planes(
    quads: Sequence[Quad], seen_from: Matrix
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Uprights (N, 3) of the planes through the camera and each line; their directions' errors, rad."""
    starts, ends, errors = [], [], []
    for quad in quads:
        start, end = (
            quad.top_left.towards(quad.bottom_left, 0.5),
            quad.top_right.towards(quad.bottom_right, 0.5),
        )
        starts.append((start.x, start.y, 1.0))
        ends.append((end.x, end.y, 1.0))
        length = max(1.0, hypot(end.x - start.x, end.y - start.y))
        errors.append(_LEAST_NOISE + _NOISE_OF_HEIGHT * quad.height / length)
    first, second = np.array(starts) @ seen_from.T, np.array(ends) @ seen_from.T
    uprights = np.cross(first, second)
    return uprights / np.linalg.norm(uprights[:, :2], axis=1)[:, None], np.array(errors)
