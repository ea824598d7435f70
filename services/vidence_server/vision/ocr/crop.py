"""A line of text cut out of a picture, rectified, in the shape the recogniser wants."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
import numpy.typing as npt

from vidence_server.vision.geometry import Quad
from vidence_server.vision.image import Pixels
from vidence_server.vision.ocr.detector import FloatArray, normalised
from vidence_server.vision.ocr.profile import ReadingProfile


@dataclass(frozen=True, slots=True, eq=False)
class LineCrop:
    """What the recogniser sees of one line."""

    tensor: FloatArray
    """float32 BGR in [-1, 1], (1, 3, line height, W); 0 (mid grey) right of the content."""
    content: float
    """Share of W that the line fills, 0–1; the rest is padding on the right."""


def line_crop(pixels: Pixels, quad: Quad, profile: ReadingProfile) -> LineCrop:
    """Rectifies a region and normalises it for the recogniser.

    Args:
        pixels: uint8 BGR, (H, W, 3).
        quad: the line, corners in the order of the writing; parts outside the picture repeat its edge.
        profile: line height and width rounding, in px.
    """
    height = profile.line_height_px
    natural = height * quad.width / max(quad.height, 1.0)
    content = min(max(1, ceil(natural)), profile.max_line_width_px)
    width = max(profile.min_line_width_px, content)
    width = -(-width // profile.width_multiple_px) * profile.width_multiple_px
    if width - content < profile.width_multiple_px:
        content = width  # a stretch of some px is invisible, a grey rim is not
    planes = np.zeros((1, 3, height, width), np.float32)
    planes[0, :, :, :content] = normalised(rectified(pixels, quad, content, height))
    return LineCrop(planes, content / width)


def rectified(pixels: Pixels, quad: Quad, width: int, height: int) -> Pixels:
    """The content of a quadrilateral as an upright picture.

    Args:
        pixels: uint8 BGR, (H, W, 3).
        quad: in px of the picture.
        width: of the result, in px.
        height: of the result, in px.

    Returns:
        uint8 BGR, (height, width, 3).
    """
    # A perspective warp samples four neighbours: where the picture is much finer than the result, it would
    # skip pixels. So it samples a whole multiple and the multiple is averaged.
    fine = max(1, round(quad.height / height))
    corners = np.array([(p.x, p.y) for p in quad.corners], np.float32)
    # Pixel centres lie at whole numbers for OpenCV, edges half a px before.
    target = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) * fine
    matrix = cv2.getPerspectiveTransform(corners - 0.5, target - 0.5)
    upright = cv2.warpPerspective(
        pixels,
        matrix,
        (width * fine, height * fine),
        flags=cv2.INTER_CUBIC if fine == 1 else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if fine > 1:
        upright = cv2.resize(upright, (width, height), interpolation=cv2.INTER_AREA)
    return _bytes(upright)


def _bytes(pixels: npt.NDArray[np.generic] | cv2.typing.MatLike) -> Pixels:
    return np.asarray(pixels, np.uint8)
