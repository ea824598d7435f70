"""How good the picture of a document is, measure by measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from vidence_server.vision.documents.formats import estimate_pose
from vidence_server.vision.documents.straighten import straighten
from vidence_server.vision.geometry import Quad
from vidence_server.vision.image import Pixels

_LOOKED_AT_PX_PER_MM = 8.0
"""Resolution at which documents are read: what is blurred only beyond it does not matter."""
_GLARE_LEVEL = 250
_GLARE_BLOB = 0.0008


class DocumentMeasureName(StrEnum):
    """What is measured of a document."""

    FRAMING = "framing"
    RESOLUTION = "resolution"
    TILT = "tilt"
    EXPOSURE = "exposure"
    GLARE = "glare"
    SHARPNESS = "sharpness"


@dataclass(frozen=True, slots=True)
class DocumentMeasure:
    """One measure of one document."""

    name: DocumentMeasureName
    value: float
    unit: str
    """`px/mm`, `deg`, `grey` (0–255), `share` (0–1), `ratio`."""
    score: int
    """0–100, 100 is best."""


def measure_document(pixels: Pixels, quad: Quad) -> tuple[DocumentMeasure, ...]:
    """All measures of a document in a picture; some milliseconds, meant for a worker thread.

    Args:
        pixels: uint8 BGR, (H, W, 3).
        quad: Its corners, px.
    """
    height, width = pixels.shape[:2]
    pose = estimate_pose(quad, width, height)
    side_px = round(_LOOKED_AT_PX_PER_MM * pose.format.width_mm)
    crop = straighten(pixels, quad, max_side_px=side_px)
    grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), np.uint8)
    return (
        framing(quad, width, height),
        resolution(pose.px_per_mm),
        tilt(pose.tilt_deg),
        exposure(grey),
        glare(crop),
        sharpness(grey),
    )


def framing(quad: Quad, width_px: int, height_px: int) -> DocumentMeasure:
    """Least distance of a corner from the picture's edge, in parts of its shorter side; below 0: cut off."""
    gaps = [min(corner.x, corner.y, width_px - corner.x, height_px - corner.y) for corner in quad.corners]
    value = min(gaps) / min(width_px, height_px)
    points = ((-0.02, 0), (0.03, 100))
    return DocumentMeasure(DocumentMeasureName.FRAMING, value, "ratio", _score(value, points))


def resolution(px_per_mm: float) -> DocumentMeasure:
    """Pixels per millimetre of the document; 12 are 300 dpi, below 5 print of 2 mm is not read surely."""
    points = ((2.0, 0), (5.0, 50), (12.0, 100))
    return DocumentMeasure(DocumentMeasureName.RESOLUTION, px_per_mm, "px/mm", _score(px_per_mm, points))


def tilt(tilt_deg: float) -> DocumentMeasure:
    """Angle between the line of sight and the upright on the document, deg."""
    points = ((5.0, 100), (20.0, 50), (40.0, 0))
    return DocumentMeasure(DocumentMeasureName.TILT, tilt_deg, "deg", _score(tilt_deg, points))


def exposure(grey: npt.NDArray[np.uint8]) -> DocumentMeasure:
    """Mean lightness of the document, grey level."""
    value = float(grey.mean())
    points = ((20.0, 0), (90.0, 100), (215.0, 100), (252.0, 0))
    return DocumentMeasure(DocumentMeasureName.EXPOSURE, value, "grey", _score(value, points))


def glare(crop: Pixels) -> DocumentMeasure:
    """Part of the document that is so bright in all colours that nothing can be seen; specks do not count."""
    burnt = (crop.min(axis=2) >= _GLARE_LEVEL).astype(np.uint8)
    _, _, blobs, _ = cv2.connectedComponentsWithStats(burnt, connectivity=8)
    areas = blobs[1:, cv2.CC_STAT_AREA]
    value = float(areas[areas >= _GLARE_BLOB * burnt.size].sum()) / burnt.size
    points = ((0.0, 100), (0.015, 50), (0.06, 0))
    return DocumentMeasure(DocumentMeasureName.GLARE, value, "share", _score(value, points))


def sharpness(grey: npt.NDArray[np.uint8]) -> DocumentMeasure:
    """1 − blur effect (Crété-Roffet et al. 2007): how much a picture loses when it is blurred once more."""
    picture = grey.astype(np.float32)
    kept = min(_kept(picture, (11, 1), axis=1), _kept(picture, (1, 11), axis=0))
    points = ((0.4, 0), (0.62, 50), (0.82, 100))
    return DocumentMeasure(DocumentMeasureName.SHARPNESS, kept, "ratio", _score(kept, points))


def _kept(picture: npt.NDArray[np.float32], kernel: tuple[int, int], *, axis: int) -> float:
    """Part of the differences between neighbours that a blur along `axis` takes away; 0: it was blurred."""
    blurred = np.asarray(cv2.blur(picture, kernel), np.float32)
    before = np.abs(np.diff(picture, axis=axis))
    lost = np.maximum(0.0, before - np.abs(np.diff(blurred, axis=axis)))
    whole = float(before.sum())
    return float(lost.sum()) / whole if whole else 0.0


def _score(value: float, points: Sequence[tuple[float, int]]) -> int:
    """A value as a score by straight lines between points (value, score)."""
    values, scores = zip(*points, strict=True)
    return round(float(np.interp(value, values, scores)))
