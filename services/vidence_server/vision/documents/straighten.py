"""Cuts a document out of a picture as if it had been scanned."""

from __future__ import annotations

import cv2
import numpy as np

from vidence_server.vision.documents.formats import corner_array
from vidence_server.vision.geometry import Quad
from vidence_server.vision.image import Pixels


def straighten(pixels: Pixels, quad: Quad, *, max_side_px: int = 2000, margin: float = 0.0) -> Pixels:
    """The document alone, its corners in the corners.

    Args:
        pixels: uint8 BGR, (H, W, 3).
        quad: Its corners, px.
        max_side_px: Longer side of what is given at most; it is not enlarged.
        margin: Strip of the surroundings that stays, in parts of the sides.

    Returns:
        uint8 BGR, (h, w, 3), in the proportions that the quad has in the picture.
    """
    scale = min(1.0, max_side_px / max(quad.width, quad.height, 1.0))
    width, height = max(8, round(quad.width * scale)), max(8, round(quad.height * scale))
    left, top = margin * width, margin * height
    wide, high = round(width + 2 * left), round(height + 2 * top)
    target = np.array(
        [(left, top), (left + width, top), (left + width, top + height), (left, top + height)], np.float32
    )
    matrix = cv2.getPerspectiveTransform(corner_array(quad), target)
    shrinks = scale < 0.7
    straight = cv2.warpPerspective(
        pixels, matrix, (wide, high), flags=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    return np.ascontiguousarray(straight, np.uint8)
