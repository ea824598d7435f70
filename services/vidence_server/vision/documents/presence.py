"""Finds the four corners of documents in a live picture.

Two ways are tried, as each fails where the other does not: outlines of areas (edges, and light against dark)
that are quadrilaterals, and combinations of four straight lines, which also stand a thumb on a side. Every
candidate is judged in the same way: how much of its four sides lies on edges, its shape and its size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from vidence_server.vision.documents.formats import quad_of
from vidence_server.vision.geometry import Quad
from vidence_server.vision.image import Pixels

Floats: TypeAlias = npt.NDArray[np.float32]
Line: TypeAlias = tuple[Floats, Floats]
"""A point and a direction of length 1."""
_SIDE_SAMPLES = 48
_OUTLINES_PER_MASK = 8
_EDGE_TOLERANCE = 0.0055
"""How far from an edge a side may run, in parts of the longer side."""
_MAX_TAPER = 1.6
"""A side over the opposite one, as the strongest tilt makes it."""


@dataclass(frozen=True, slots=True)
class PresenceProfile:
    """How documents are looked for."""

    side_px: int = 400
    """Longer side of the picture that is looked at."""
    min_area: float = 0.08
    """Least part of the picture that a document takes."""
    max_area: float = 0.97
    min_aspect: float = 1.15
    """Longer over shorter side; cards have 1.59, passports 1.42, a tilt changes it."""
    max_aspect: float = 2.1
    min_support: float = 0.8
    """Least part of the whole outline that lies on edges."""
    min_side_support: float = 0.5
    """The same of each side."""
    lines_per_direction: int = 5
    """Straight lines that are combined."""
    second_area: float = 0.5
    """A further document is at least so large, against the best."""


PROFILE = PresenceProfile()


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document in a picture."""

    quad: Quad
    """In px of the picture."""
    support: float
    """How much of its outline lies on edges, 0–1."""


def find_documents(pixels: Pixels, profile: PresenceProfile = PROFILE) -> tuple[FoundDocument, ...]:
    """The documents of a picture, the best first; those that lie within or over another one are left out.

    CPU work of some milliseconds, meant for a worker thread.

    Args:
        pixels: uint8 BGR, (H, W, 3).
        profile: How to look.
    """
    scale = profile.side_px / max(pixels.shape[:2])
    small = pixels
    if scale < 1:
        small = np.asarray(
            cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    scale = min(scale, 1.0)
    views = [np.asarray(view, np.uint8) for view in _views(small)]
    edges = _edges(views)
    distance = np.asarray(cv2.distanceTransform(255 - edges, cv2.DIST_L2, 3), np.float32)
    size = edges.shape[1] * edges.shape[0]
    judged: list[tuple[float, Floats, float]] = []
    for corners in (*_outlines(views, edges, profile), *_line_quads(edges, profile)):
        support = _judge(corners, distance, profile)
        if support is not None:
            area = float(cv2.contourArea(corners)) / size
            # A frame printed on a document is an outline too: of two good ones the larger counts more.
            judged.append((support * area**0.5, corners, support))
    judged.sort(key=lambda one: -one[0])
    return _apart(judged, scale, profile)


def _views(small: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.generic]]:
    """What tells a document from a desk: lightness, and colour."""
    smooth = cv2.GaussianBlur(small, (5, 5), 0)
    lab = cv2.cvtColor(smooth, cv2.COLOR_BGR2LAB)
    yield lab[:, :, 0]
    for channel in (1, 2):
        plane = lab[:, :, channel]
        if int(plane.max()) - int(plane.min()) > 16:
            yield cv2.normalize(plane, np.empty_like(plane), 0, 255, cv2.NORM_MINMAX)


def _edges(views: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Edges of all views together, 0 or 255."""
    joined = np.zeros(views[0].shape, np.uint8)
    for view in views:
        across, down = cv2.Sobel(view, cv2.CV_16S, 1, 0), cv2.Sobel(view, cv2.CV_16S, 0, 1)
        strength = np.abs(across).astype(np.int32) + np.abs(down)
        high = max(40.0, float(np.percentile(strength, 93)))
        joined |= np.asarray(cv2.Canny(across, down, high * 0.4, high), np.uint8)
    return joined


def _outlines(
    views: list[npt.NDArray[np.uint8]], edges: npt.NDArray[np.uint8], profile: PresenceProfile
) -> Iterator[Floats]:
    """Outlines of areas that are quadrilaterals."""
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
    masks = [cv2.dilate(edges, kernel), cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))]
    for view in views:
        _, light = cv2.threshold(view, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        masks += [light, cv2.bitwise_not(light)]
    least = profile.min_area * edges.size
    shortest = 2 * least**0.5
    for mask in masks:
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        long = sorted((one for one in contours if len(one) > shortest), key=len, reverse=True)
        for contour in long[:_OUTLINES_PER_MASK]:
            hull = cv2.convexHull(contour)
            if cv2.contourArea(hull) >= least:
                corners = _corners(np.asarray(hull, np.int32), np.asarray(contour, np.float32)[:, 0])
                if corners is not None:
                    yield corners


def _corners(hull: npt.NDArray[np.int32], outline: Floats) -> Floats | None:
    """The corners of an outline that has four sides; rounded ones as if they were not."""
    length = cv2.arcLength(hull, closed=True)
    for tolerance in (0.02, 0.035, 0.05):
        polygon = cv2.approxPolyDP(hull, tolerance * length, closed=True)
        if len(polygon) == 4:
            return _refined(np.asarray(polygon, np.float32)[:, 0], outline)
    return None


def _refined(rough: Floats, outline: Floats) -> Floats | None:
    """Corners where the lines through the sides meet: the middle of a side knows better than its ends."""
    lines: list[Line] = []
    for start, end in zip(rough, np.roll(rough, -1, axis=0), strict=True):
        side = end - start
        length = float(np.hypot(*side))
        if length < 8:
            return None
        along = (outline - start) @ side / length**2
        across = np.abs((outline - start) @ np.array([-side[1], side[0]]) / length)
        near = outline[(along > 0.15) & (along < 0.85) & (across < max(2.5, 0.02 * length))]
        if len(near) < 6:
            lines.append((start, side / length))
            continue
        x, y, px, py = np.ravel(cv2.fitLine(near, cv2.DIST_HUBER, 0, 0.01, 0.01))
        lines.append((np.array([px, py], np.float32), np.array([x, y], np.float32)))
    met = [_meet(lines[i - 1], lines[i]) for i in range(4)]
    if any(point is None for point in met):
        return None
    return np.array(met, np.float32)


def _meet(
    one: Line,
    other: Line,
) -> Floats | None:
    """Where two lines (point, direction) meet; None where they are nearly parallel."""
    (p, d), (q, e) = one, other
    matrix = np.array([[d[0], -e[0]], [d[1], -e[1]]], np.float64)
    determinant = matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]
    if abs(determinant) < 0.2:
        return None
    step = ((q[0] - p[0]) * matrix[1, 1] - (q[1] - p[1]) * matrix[0, 1]) / determinant
    return np.array([p[0] + step * d[0], p[1] + step * d[1]], np.float32)


def _line_quads(edges: npt.NDArray[np.uint8], profile: PresenceProfile) -> Iterator[Floats]:
    """Quadrilaterals of the longest straight lines, two and two."""
    shortest = 0.16 * max(edges.shape)
    found = cv2.HoughLinesP(edges, 1, np.pi / 180, 40, None, shortest, 8)
    if found is None:
        return
    segments = np.asarray(found, np.float32).reshape(-1, 4)
    lengths = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    angles = np.arctan2(segments[:, 3] - segments[:, 1], segments[:, 2] - segments[:, 0]) % np.pi
    order = np.argsort(-lengths)
    main = angles[order[0]]
    apart = np.abs((angles - main + np.pi / 2) % np.pi - np.pi / 2)
    along = _distinct(segments, [i for i in order if apart[i] < np.pi / 6], profile)
    across = _distinct(segments, [i for i in order if apart[i] > np.pi / 3], profile)
    for first, second in combinations(along, 2):
        for third, fourth in combinations(across, 2):
            met = [_meet(first, third), _meet(third, second), _meet(second, fourth), _meet(fourth, first)]
            if all(point is not None for point in met):
                yield np.array(met, np.float32)


def _distinct(segments: Floats, order: list[int], profile: PresenceProfile) -> list[Line]:
    """The longest lines that do not lie on each other, as point and direction."""
    taken: list[Line] = []
    for index in order:
        start, end = segments[index, :2], segments[index, 2:]
        direction = np.asarray((end - start) / max(1e-6, float(np.hypot(*(end - start)))), np.float32)
        middle = np.asarray((start + end) / 2, np.float32)
        for point, other in taken:
            offset = middle - point
            if abs(float(offset[0] * other[1] - offset[1] * other[0])) < 5:
                break
        else:
            taken.append((middle, direction))
            if len(taken) == profile.lines_per_direction:
                break
    return taken


def _judge(corners: Floats, distance: Floats, profile: PresenceProfile) -> float | None:
    """How much of the outline lies on edges; None where it is no document."""
    height, width = distance.shape
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    size = (width, height)
    if not _is_card(corners, lengths, size, profile):
        return None
    steps = np.linspace(0.06, 0.94, _SIDE_SAMPLES, dtype=np.float32)
    points = corners[:, None, :] + sides[:, None, :] * steps[None, :, None]
    columns = np.clip(np.round(points[..., 0]).astype(int), 0, width - 1)
    rows = np.clip(np.round(points[..., 1]).astype(int), 0, height - 1)
    near = distance < max(1.5, _EDGE_TOLERANCE * max(size))
    # In a picture full of edges many points lie on one by chance.
    chance = float(near.mean())
    on_edge = (near[rows, columns].mean(axis=1) - chance) / max(1e-3, 1.0 - chance)
    support = min(1.0, max(0.0, float((on_edge * lengths).sum() / lengths.sum())))
    good = support >= profile.min_support and float(on_edge.min()) >= profile.min_side_support
    return support if good else None


def _is_card(corners: Floats, lengths: Floats, size: tuple[int, int], profile: PresenceProfile) -> bool:
    """Whether four corners can be those of a document before a camera, by size and shape."""
    width, height = size
    slack = 0.02 * max(size)
    if corners.min() < -slack or bool((corners > (width + slack, height + slack)).any()):
        return False
    area = float(cv2.contourArea(corners)) / (width * height)
    if not profile.min_area <= area <= profile.max_area or not cv2.isContourConvex(corners):
        return False
    long_side, short_side = sorted((lengths[0] + lengths[2], lengths[1] + lengths[3]), reverse=True)
    if not profile.min_aspect <= long_side / max(1.0, short_side) <= profile.max_aspect:
        return False
    opposite = lengths[:2] / np.maximum(1.0, lengths[2:])
    return bool((opposite < _MAX_TAPER).all() and (opposite > 1 / _MAX_TAPER).all())


def _apart(
    judged: list[tuple[float, Floats, float]], scale: float, profile: PresenceProfile
) -> tuple[FoundDocument, ...]:
    """The best, and others that neither lie in it nor around it."""
    taken: list[tuple[Floats, float]] = []
    for _, corners, support in judged:
        if all(_separate(corners, other) for other, _ in taken):
            smaller = taken and cv2.contourArea(corners) < profile.second_area * cv2.contourArea(taken[0][0])
            if not smaller:
                taken.append((corners, support))
    return tuple(FoundDocument(quad_of(corners / scale), support) for corners, support in taken)


def _separate(one: Floats, other: Floats) -> bool:
    shared, _ = cv2.intersectConvexConvex(one, other)
    return float(shared) < 0.1 * min(cv2.contourArea(one), cv2.contourArea(other))
