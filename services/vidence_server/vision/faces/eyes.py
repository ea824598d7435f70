"""Eyes: open or closed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vidence_server.vision.faces.align import similarity_transform, warped
from vidence_server.vision.faces.crops import grey
from vidence_server.vision.faces.face import Contour
from vidence_server.vision.geometry import Point
from vidence_server.vision.image import Pixels
from vidence_server.vision.numbers import softmax

SIDE_PX = 24
_MARGIN = 1.6
"""Side of the piece in widths of the eye."""


def eye_inputs(pixels: Pixels, contour: Contour) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The right and the left eye, float32 (1, 1, 24, 24) each, grey 0–1, turned so that both lie level."""
    eyes = contour.eyes
    right, left = (
        _eye(pixels, centre, width * _MARGIN, eyes)
        for centre, width in zip(eyes, contour.eye_widths_px, strict=True)
    )
    return right, left


def _eye(pixels: Pixels, centre: Point, side: float, eyes: tuple[Point, Point]) -> npt.NDArray[np.float32]:
    """A square of `side` px around a point, level with the line through both eyes."""
    apart = max(eyes[0].distance(eyes[1]), 1e-6)
    half = max(side, 2.0) / 2
    along = Point((eyes[1].x - eyes[0].x) / apart * half, (eyes[1].y - eyes[0].y) / apart * half)
    ends = np.array([(centre.x - along.x, centre.y - along.y), (centre.x + along.x, centre.y + along.y)])
    targets = np.array([(0, SIDE_PX / 2), (SIDE_PX, SIDE_PX / 2)]) - 0.5
    piece = warped(pixels, similarity_transform(ends, targets), SIDE_PX, SIDE_PX)
    return (grey(piece).astype(np.float32) / np.float32(255))[None, None]


def open_probability(output: npt.NDArray[np.float32]) -> float:
    """How probable it is that the eye is open, 0–1, from the model's logits (1, 2): closed, open."""
    return float(softmax(output[0])[1])
