"""What a camera sees of a flat document: tilt, turns, glare, and where each point of the document went."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from rendering.drawing import DESK

_FOCAL = 1.2
"""Focal length in longer sides of the document, as phones have it."""
_SURROUNDINGS = 0.04
"""Strip of desk that stays around the document, in longer sides."""


@dataclass(frozen=True, slots=True)
class Stance:
    """How a document lies before the camera."""

    tilt_degrees: float = 0.0
    """Angle between the line of sight and the upright on the document."""
    towards_degrees: float = 0.0
    """To where it is tilted: 0 lets the right side recede, 90 the upper one."""
    turn_degrees: float = 0.0
    """Turned in the picture, clockwise. Quarter turns without a tilt are exact: no pixel is made anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """A picture, and where the document's points are in it."""

    image: Image.Image
    matrix: npt.NDArray[np.float64]
    """Homography 3 × 3 from px of the document to px of the picture."""

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the document is in the picture, px."""
        across, down, depth = self.matrix @ np.array([x, y, 1.0])
        return float(across / depth), float(down / depth)


def photograph(
    image: Image.Image, stance: Stance, *, ground: tuple[int, int, int] = DESK, most_side_px: int = 2400
) -> Photograph:
    """The document as the camera sees it, as large as it was where nothing recedes.

    Args:
        image: The document, RGB.
        stance: How it lies.
        ground: Colour of what it lies on.
        most_side_px: Longer side of the picture, at most.
    """
    if stance.tilt_degrees == 0 and stance.turn_degrees % 90 == 0:
        return _quarter_turned(image, round(stance.turn_degrees / 90) % 4)
    seen = _projection(image.width, image.height, stance)
    corners = np.array(
        [[(0, 0), (image.width, 0), (image.width, image.height), (0, image.height)]], np.float64
    )
    reach = cv2.perspectiveTransform(corners, seen)[0]
    rim = _SURROUNDINGS * max(image.size)
    low, high = reach.min(axis=0) - rim, reach.max(axis=0) + rim
    scale = min(1.0, most_side_px / float((high - low).max()))
    fit = np.array([[scale, 0, -low[0] * scale], [0, scale, -low[1] * scale], [0, 0, 1]])
    matrix = np.asarray(fit @ seen, np.float64)
    size = (int((high - low)[0] * scale), int((high - low)[1] * scale))
    picture = cv2.warpPerspective(
        np.asarray(image.convert("RGB")), matrix, size, flags=cv2.INTER_CUBIC, borderValue=ground
    )
    return Photograph(Image.fromarray(np.asarray(picture, np.uint8)), matrix)


def with_glare(image: Image.Image, strength: float, at: tuple[float, float]) -> Image.Image:
    """A lamp's reflection: white that fades from `strength` (0–1) at a point, in parts of the sides."""
    rows, columns = np.mgrid[0 : image.height, 0 : image.width].astype(np.float32)
    distance = np.hypot(columns / image.width - at[0], (rows / image.height - at[1]) * 1.4)
    veil = strength * np.clip(1.25 - distance / 0.2, 0.0, 1.0)[..., None]
    pixels = np.asarray(image.convert("RGB"), np.float32)
    return Image.fromarray((pixels + (255 - pixels) * veil).astype(np.uint8))


def _quarter_turned(image: Image.Image, turns: int) -> Photograph:
    width, height = image.size
    matrices = {
        0: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        1: [[0, -1, height], [1, 0, 0], [0, 0, 1]],
        2: [[-1, 0, width], [0, -1, height], [0, 0, 1]],
        3: [[0, 1, 0], [-1, 0, width], [0, 0, 1]],
    }
    pixels = np.rot90(np.asarray(image.convert("RGB")), -turns)
    return Photograph(Image.fromarray(np.ascontiguousarray(pixels)), np.array(matrices[turns], np.float64))


def _projection(width: int, height: int, stance: Stance) -> npt.NDArray[np.float64]:
    """From px of the document to px of a camera whose principal point is the document's centre."""
    focal = _FOCAL * max(width, height)
    tilt, towards, turn = (
        radians(angle) for angle in (stance.tilt_degrees, stance.towards_degrees, stance.turn_degrees)
    )
    # Rodrigues' rotation about the axis in the document that stays: across the direction that recedes.
    axis = np.array([sin(towards), cos(towards), 0.0]) * tilt
    rotation, _ = cv2.Rodrigues(axis)
    roll = np.array([[cos(turn), -sin(turn), 0], [sin(turn), cos(turn), 0], [0, 0, 1]])
    plane = (roll @ rotation)[:, :2]
    centred = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    posed = np.column_stack([plane, np.array([0, 0, focal])])
    camera = np.diag([focal, focal, 1.0])
    return np.asarray(camera @ posed @ centred, np.float64)
