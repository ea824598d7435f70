"""Pieces of a picture that models look at."""

from __future__ import annotations

from math import ceil, floor

import cv2
import numpy as np
import numpy.typing as npt

from vidence_server.vision.faces.face import Box
from vidence_server.vision.image import Pixels


def box_crop(pixels: Pixels, box: Box, side_px: int) -> Pixels:
    """What a box shows of a picture, cut where the picture ends, stretched to a square of `side_px`.

    A box that lies outside gives its nearest edge of one pixel.
    """
    height, width = pixels.shape[:2]
    left = min(max(floor(box.left), 0), width - 1)
    top = min(max(floor(box.top), 0), height - 1)
    right = max(min(ceil(box.right), width), left + 1)
    bottom = max(min(ceil(box.bottom), height), top + 1)
    piece = pixels[top:bottom, left:right]
    shrinking = min(piece.shape[:2]) > side_px
    interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(piece, (side_px, side_px), interpolation=interpolation), np.uint8)


def inside(box: Box, width: int, height: int) -> Box:
    """A box moved into a picture of this size, in px; smaller with the same aspect where it does not fit."""
    factor = min(1.0, (width - 1) / box.width, (height - 1) / box.height)
    smaller = box.grown(factor)
    left = min(max(smaller.left, 0.0), width - 1 - smaller.width)
    top = min(max(smaller.top, 0.0), height - 1 - smaller.height)
    return Box(left, top, smaller.width, smaller.height)


def grey(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Luma (ITU-R BT.601), uint8 (H, W)."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
