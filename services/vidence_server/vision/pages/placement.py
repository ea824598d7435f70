"""From the pixels of a submitted picture to those of the page made of it, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from vidence_server.vision.geometry import Point, Quad

Matrix: TypeAlias = npt.NDArray[np.float64]
"""A homography, 3 × 3; positions are distances from the upper left corner, not indexes of pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where a page is in the picture that was submitted."""

    onto_page: Matrix | None
    """From the picture to the page; None where both are the same."""
    into_picture: Matrix | None
    """The inverse."""
    width_px: int
    """Of the picture."""
    height_px: int

    @classmethod
    def same(cls, width_px: int, height_px: int) -> Self:
        """The page is the picture."""
        return cls(None, None, width_px, height_px)

    @classmethod
    def by(cls, onto_page: Matrix, width_px: int, height_px: int) -> Self:
        """The page is the picture moved by a homography."""
        return cls(onto_page, inverse(onto_page), width_px, height_px)

    def quad_on_page(self, quad: Quad) -> Quad:
        """Something in the picture, where it is on the page."""
        return quad if self.onto_page is None else moved(quad, self.onto_page)

    def quad_in_picture(self, quad: Quad) -> Quad:
        """Something on the page, where it is in the picture; never outside of it.

        Exact for corners: a straight side stays straight.
        """
        if self.into_picture is None:
            return quad
        return Quad(
            *(
                Point(min(max(corner.x, 0.0), self.width_px), min(max(corner.y, 0.0), self.height_px))
                for corner in moved(quad, self.into_picture).corners
            )
        )


def inverse(matrix: Matrix) -> Matrix:
    """The way back."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def moved(quad: Quad, matrix: Matrix) -> Quad:
    """The corners after a homography, in the same order."""
    points = np.array([(corner.x, corner.y, 1.0) for corner in quad.corners]) @ matrix.T
    return Quad(*(Point(float(x / depth), float(y / depth)) for x, y, depth in points))


def quarter_turn(turns: int, width_px: int, height_px: int) -> Matrix:
    """What turns a picture of this size clockwise by quarters, as `numpy.rot90(pixels, -turns)` does."""
    corners = {
        0: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        1: [[0, -1, height_px], [1, 0, 0], [0, 0, 1]],
        2: [[-1, 0, width_px], [0, -1, height_px], [0, 0, 1]],
        3: [[0, 1, 0], [-1, 0, width_px], [0, 0, 1]],
    }
    return np.array(corners[turns % 4], np.float64)
