"""The page as if it lay straight before the camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import cos, sin, sqrt

import cv2
import numpy as np
import numpy.typing as npt

from vidence_server.vision.documents.presence import find_documents
from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.image import Image, Pixels
from vidence_server.vision.pages.lie import PageLie, camera
from vidence_server.vision.pages.placement import Matrix, Placement, inverse, moved, quarter_turn
from vidence_server.vision.text import TextRegion

MAX_PIXELS = 12_000_000
"""Of a page that is made anew; quarter turns alone keep every pixel."""
_MARGIN = 0.1
"""What stays around the text, in parts of its extent."""
_MOST_ENLARGED = 1.6
_AGREEING = 0.17
"""Radians by which a page's sides may run off the direction of its text."""
_INSIDE = 0.9
"""Share of the lines whose middles lie within the corners of a page."""
_FARTHEST = 0.15
"""Least depth, as 1 is that of the picture's centre, of what is drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A page to be read: what is looked at, and where that is in the submitted picture."""

    image: Image
    picture: Image
    """As it was submitted."""
    placement: Placement
    straight: bool
    """Whether it is known how the page lies."""

    @classmethod
    def of(cls, picture: Image) -> Page:
        """A picture about which nothing is known yet."""
        return cls(picture, picture, Placement.same(picture.width_px, picture.height_px), straight=False)

    def known(self) -> Page:
        """The same, known to lie straight."""
        return replace(self, straight=True)


def straightened(picture: Image, regions: Sequence[TextRegion], lie: PageLie, *, heads_down: bool) -> Page:
    """The page turned and tilted back. CPU work of some ten milliseconds, meant for a worker thread.

    Args:
        picture: as it was submitted.
        regions: the text that was found in it.
        lie: how the page lies, by that text.
        heads_down: whether the text stands on its head after `lie.quarters`.

    Returns:
        The page; exact pixels where only quarters are turned. Else at most `MAX_PIXELS`, with the text and
        what is around it.
    """
    quarters = (lie.quarters + (2 if heads_down else 0)) % 4
    turn = quarter_turn(quarters, picture.width_px, picture.height_px)
    if not lie.tilted:
        pixels = np.ascontiguousarray(np.rot90(picture.pixels, -quarters))
        return _page(picture, pixels, turn)
    # Half a turn more leaves the slope as it is, and makes what receded come near.
    lie = replace(lie, quarters=0, depth=-lie.depth if heads_down else lie.depth)
    size = (picture.height_px, picture.width_px) if quarters % 2 else (picture.width_px, picture.height_px)
    quads = [moved(region.quad, turn) for region in regions]
    corners = _corners(picture.pixels, turn, quads, lie, size) if lie.depth else None
    towards = _rotation(lie, _second_direction(corners, size) if corners is not None else None)
    tilted = camera(*size) @ towards @ inverse(camera(*size))
    kept = [*quads, corners] if corners is not None else quads
    fitted, wide, high = _fitted(tilted, kept, quads, size)
    matrix = fitted @ turn
    pixels = np.asarray(
        cv2.warpPerspective(
            picture.pixels,
            _by_index(matrix),
            (wide, high),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )
    return _page(picture, pixels, matrix)


def _page(picture: Image, pixels: Pixels, matrix: Matrix) -> Page:
    placement = Placement.by(matrix, picture.width_px, picture.height_px)
    return Page(Image(pixels, picture.media_type, picture.sha256), picture, placement, straight=True)


def _by_index(matrix: Matrix) -> Matrix:
    """The same between indexes of pixels: their centres lie half a px behind where positions count from."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return np.asarray(inverse(half) @ matrix @ half, np.float64)


def _rotation(lie: PageLie, down: npt.NDArray[np.float64] | None) -> Matrix:
    """The rotation of the camera that sees lines run to the right, and the page from straight above.

    Args:
        lie: gives the direction of the lines.
        down: direction in space of the page's other sides; None: the page recedes along its lines alone.
    """
    along = np.array([cos(lie.slope), sin(lie.slope), lie.depth])
    along /= np.linalg.norm(along)
    upright = np.cross(along, down) if down is not None else np.array([0, 0, 1.0]) - along[2] * along
    upright /= np.linalg.norm(upright)
    return np.array([along, np.cross(upright, along), upright])


def _corners(
    pixels: Pixels, turn: Matrix, quads: Sequence[Quad], lie: PageLie, size: tuple[int, int]
) -> Quad | None:
    """The corners of the page in the turned picture, where they are found and agree with its text."""
    seen_from = inverse(camera(*size))
    for found in find_documents(pixels):
        turned = _in_order(moved(found.quad, turn))
        sides = (turned.top_left, turned.top_right), (turned.bottom_left, turned.bottom_right)
        direction = _meeting([(a.x, a.y) for pair in sides for a in pair], seen_from)
        along = np.array([cos(lie.slope), sin(lie.slope), lie.depth])
        agreeing = abs(direction @ along) / np.linalg.norm(along) > cos(_AGREEING)
        outline = np.array([(corner.x, corner.y) for corner in turned.corners], np.float32)
        inside = sum(
            cv2.pointPolygonTest(outline, (quad.centre.x, quad.centre.y), measureDist=False) >= 0
            for quad in quads
        )
        if agreeing and inside >= _INSIDE * len(quads):
            return turned
    return None


def _in_order(quad: Quad) -> Quad:
    """The corners, clockwise from the one that is nearest to the upper left."""
    corners = list(quad.corners)
    first = min(range(4), key=lambda place: corners[place].x + corners[place].y)
    return Quad(*(corners[(first + place) % 4] for place in range(4)))


def _second_direction(corners: Quad, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """The direction in space of the left and right sides, downwards."""
    left, right = (corners.top_left, corners.bottom_left), (corners.top_right, corners.bottom_right)
    points = [(a.x, a.y) for side in (left, right) for a in side]
    direction = _meeting(points, inverse(camera(*size)))
    return direction if direction[1] > 0 else -direction


def _meeting(points: Sequence[tuple[float, float]], seen_from: Matrix) -> npt.NDArray[np.float64]:
    """The direction, of length 1, in which two lines of two points each run that are parallel in space."""
    rays = np.array([(x, y, 1.0) for x, y in points]) @ seen_from.T
    direction = np.cross(np.cross(rays[0], rays[1]), np.cross(rays[2], rays[3]))
    return np.asarray(direction / max(1e-12, float(np.linalg.norm(direction))), np.float64)


def _fitted(
    tilted: Matrix, kept: Sequence[Quad], quads: Sequence[Quad], size: tuple[int, int]
) -> tuple[Matrix, int, int]:
    """A homography that frames what is kept, no line of text smaller than it was; width and height in px."""
    low, high = _reach(tilted, kept)
    low, high = low - _MARGIN * (high - low), high + _MARGIN * (high - low)
    outer_low, outer_high = _reach(tilted, [_frame(size)])
    low, high = np.maximum(low, outer_low), np.minimum(high, outer_high)
    shrunk = [quad.height / max(1.0, moved(quad, tilted).height) for quad in quads]
    scale = min(_MOST_ENLARGED, max(1.0, float(np.percentile(shrunk, 90))))
    wide, tall = (high - low) * scale
    scale *= min(1.0, sqrt(MAX_PIXELS / max(1.0, wide * tall)))
    wide, tall = np.maximum(8, np.round((high - low) * scale))
    fit = np.array([[scale, 0, -low[0] * scale], [0, scale, -low[1] * scale], [0, 0, 1]])
    return np.asarray(fit @ tilted, np.float64), int(wide), int(tall)


def _reach(matrix: Matrix, quads: Sequence[Quad]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The least and the greatest x and y after a homography."""
    points = np.array([(corner.x, corner.y, 1.0) for quad in quads for corner in quad.corners]) @ matrix.T
    seen = points[:, :2] / np.maximum(points[:, 2:], _FARTHEST)
    return seen.min(axis=0), seen.max(axis=0)


def _frame(size: tuple[int, int]) -> Quad:

    width, height = size
    return Quad(Point(0, 0), Point(width, 0), Point(width, height), Point(0, height))
