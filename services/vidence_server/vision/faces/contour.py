"""68 points of a face."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vidence_server.vision.faces.crops import box_crop, grey
from vidence_server.vision.faces.face import Box, Contour
from vidence_server.vision.image import Pixels

SIDE_PX = 64


def visible(box: Box, pixels: Pixels) -> Box:
    """The part of a box that lies in the picture; at least one pixel."""
    height, width = pixels.shape[:2]
    left, top = min(max(box.left, 0.0), width - 1.0), min(max(box.top, 0.0), height - 1.0)
    right, bottom = max(min(box.right, width), left + 1), max(min(box.bottom, height), top + 1)
    return Box(left, top, right - left, bottom - top)


def contour_input(pixels: Pixels, box: Box) -> npt.NDArray[np.float32]:
    """float32 (1, 1, 64, 64), grey, value / 256: what the box shows."""
    return (grey(box_crop(pixels, box, SIDE_PX)).astype(np.float32) / np.float32(256))[None, None]


def contour(output: npt.NDArray[np.float32], box: Box) -> Contour:
    """The points in px of the picture, from the model's (1, 136): x and y as fractions of the box."""
    fractions = output.reshape(68, 2).astype(np.float64)
    return Contour(fractions * (box.width, box.height) + (box.left, box.top))
