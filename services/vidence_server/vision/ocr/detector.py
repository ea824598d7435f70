"""Where text is: what goes into a DB text detector and how its probability map becomes regions.

Differentiable Binarization (Liao et al., AAAI 2020) gives a map of shrunken text kernels. Each connected
piece becomes its rectangle of least area, which then grows back by `unclip_ratio` × area / perimeter.
On a rectangle that growth is exact without polygon clipping: each side moves out by that distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import cv2
import numpy as np
import numpy.typing as npt

from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.image import Pixels
from vidence_server.vision.ocr.profile import ReadingProfile
from vidence_server.vision.text import TextRegion

FloatArray = npt.NDArray[np.float32]

_MIDDLE = 127.5
"""Inputs are scaled to [-1, 1]: (x / 255 - 0.5) / 0.5."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectorInput:
    """What the detector sees of a picture."""

    tensor: FloatArray
    """float32 BGR in [-1, 1], (1, 3, H, W), H and W multiples of `detector_multiple_px`."""
    scale_x: float
    """Picture px per px of the tensor, across."""
    scale_y: float
    """Picture px per px of the tensor, down."""


def detector_size(width: int, height: int, profile: ReadingProfile) -> tuple[int, int]:
    """The size (width, height) in px in which the detector sees a picture of `width` × `height` px."""
    factor = min(
        sqrt(profile.detector_area_px / (width * height)),
        profile.detector_long_side_px / max(width, height),
        profile.detector_enlarge_up_to,
    )
    multiple = profile.detector_multiple_px
    across = max(multiple, round(width * factor / multiple) * multiple)
    down = max(multiple, round(height * factor / multiple) * multiple)
    return across, down


def detector_input(pixels: Pixels, profile: ReadingProfile) -> DetectorInput:
    """Scales and normalises a picture for the detector.

    Args:
        pixels: uint8 BGR, (H, W, 3).
        profile: sizes in px.

    Returns:
        The tensor and the scale back to the picture.
    """
    height, width = pixels.shape[:2]
    across, down = detector_size(width, height, profile)
    resized = pixels
    if (across, down) != (width, height):
        reducing = across < width
        resized = _resize(pixels, across, down, cv2.INTER_AREA if reducing else cv2.INTER_LINEAR)
    return DetectorInput(normalised(resized)[None], width / across, height / down)


def _resize(pixels: Pixels, width: int, height: int, interpolation: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=interpolation), np.uint8)


def normalised(pixels: Pixels) -> FloatArray:
    """uint8 BGR (H, W, 3) → float32 (3, H, W) in [-1, 1], contiguous."""
    planes = np.empty((3, *pixels.shape[:2]), np.float32)
    np.subtract(pixels.transpose(2, 0, 1), np.float32(_MIDDLE), out=planes)
    planes *= np.float32(1 / _MIDDLE)
    return planes


def text_regions(
    probability: FloatArray, seen: DetectorInput, width: int, height: int, profile: ReadingProfile
) -> tuple[TextRegion, ...]:
    """The regions in a detector's output, unordered.

    Args:
        probability: float32 (H, W), text probability per px of the detector's input.
        seen: what the detector saw; gives the scale back to the picture.
        width: of the picture, in px; regions are clipped to it.
        height: of the picture, in px.
        profile: thresholds.

    Returns:
        Regions in px of the picture; corners in the order of the writing.
    """
    found = []
    for contour in _contours(probability, profile):
        centre, size, degrees = cv2.minAreaRect(contour)
        if min(size) < profile.min_region_side_px:
            continue
        score = _mean_inside(probability, _corners(centre, size, degrees))
        if score < profile.region_threshold:
            continue
        corners = _corners(centre, _grown(size, profile.unclip_ratio), degrees)
        corners *= np.array([seen.scale_x, seen.scale_y], np.float32)
        quad = _writing_order(corners, width, height, profile.vertical_from)
        if min(quad.width, quad.height) > profile.min_region_side_px:
            found.append(TextRegion(quad, min(1.0, score)))
    return tuple(found)


def _contours(probability: FloatArray, profile: ReadingProfile) -> list[npt.NDArray[np.int32]]:
    """Outlines of the connected pieces above the threshold, the largest first where there are too many."""
    mask = (probability > profile.pixel_threshold).astype(np.uint8)
    # Closes gaps of one pixel inside letters; the same 2 × 2 kernel the model was tuned with.
    mask = np.asarray(cv2.dilate(mask, np.ones((2, 2), np.uint8)), np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    outlines = [np.asarray(contour, np.int32) for contour in contours]
    if len(outlines) > profile.max_regions:
        outlines = sorted(outlines, key=cv2.contourArea, reverse=True)[: profile.max_regions]
    return outlines


def _mean_inside(probability: FloatArray, corners: npt.NDArray[np.float32]) -> float:
    """Mean of the map inside a quadrilateral given as (4, 2) px."""
    rows, columns = probability.shape
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, (columns - 1, rows - 1)).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)), 0, (columns - 1, rows - 1)).astype(int)
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    inside = (corners - np.array([left, top], np.float32)).astype(np.int32)
    cv2.fillPoly(mask, [inside.reshape(-1, 1, 2)], (1,))
    return float(cv2.mean(probability[top : bottom + 1, left : right + 1], mask)[0])


def _corners(centre: Sequence[float], size: Sequence[float], degrees: float) -> FloatArray:
    """The corners of a rotated rectangle, (4, 2), clockwise in the picture."""
    return np.asarray(cv2.boxPoints((centre, size, degrees)), np.float32)


def _grown(size: Sequence[float], ratio: float) -> tuple[float, float]:
    """A rectangle's size after its sides have moved out by ratio × area / perimeter."""
    across, down = size
    distance = ratio * across * down / (2 * (across + down))
    return across + 2 * distance, down + 2 * distance


def _writing_order(corners: npt.NDArray[np.float32], width: int, height: int, vertical_from: float) -> Quad:
    """Corners (4, 2) of a rectangle as a Quad that starts where the writing starts, inside the picture.

    Lines run to the right; a rectangle `vertical_from` times as high as wide holds a line that runs down.
    """
    xs = np.clip(corners[:, 0], 0, width)
    ys = np.clip(corners[:, 1], 0, height)
    # minAreaRect's corners run clockwise in the picture; the first of the quad is the one nearest to the
    # top left along the diagonal of the rectangle's own axes.
    points = [Point(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]
    start = _top_left_index(points)
    a, b, c, d = (points[(start + i) % 4] for i in range(4))
    across = max(a.distance(b), d.distance(c))
    down = max(a.distance(d), b.distance(c))
    if down >= vertical_from * across:
        return Quad(b, c, d, a)
    return Quad(a, b, c, d)


def _top_left_index(points: list[Point]) -> int:
    """Which of four clockwise corners starts the side that runs to the right, above its opposite."""
    best, best_run = 0, float("-inf")
    for index in range(4):
        start, end, opposite = points[index], points[(index + 1) % 4], points[(index + 3) % 4]
        side = max(start.distance(end), 1e-6)
        down = max(start.distance(opposite), 1e-6)
        run = (end.x - start.x) / side + (opposite.y - start.y) / down
        if run > best_run + 1e-9:
            best, best_run = index, run
    return best
