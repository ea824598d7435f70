"""Sizes of documents, and how one lies before the camera."""

from __future__ import annotations

from dataclasses import dataclass
from math import acos, degrees

import cv2
import numpy as np
import numpy.typing as npt

from vidence_server.vision.geometry import Point, Quad

_FOCAL_OF_LONG_SIDE = 1.1
"""Focal length of cameras in long sides of their picture: phones and webcams have 0.8 to 1.4."""


@dataclass(frozen=True, slots=True)
class DocumentFormat:
    """A size of documents, lying on its long side."""

    name: str
    width_mm: float
    height_mm: float

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width_mm / self.height_mm


FORMATS = (
    DocumentFormat("ID-1", 85.60, 53.98),
    DocumentFormat("ID-2", 105.0, 74.0),
    DocumentFormat("ID-3", 125.0, 88.0),
)
"""ISO/IEC 7810. ID-2 and ID-3 have the same shape: a picture alone cannot tell them apart."""


@dataclass(frozen=True, slots=True)
class DocumentPose:
    """How a document lies before the camera."""

    format: DocumentFormat
    """The one whose shape fits best."""
    tilt_deg: float
    """Angle between the line of sight and the upright on the document; 0: seen from straight above."""
    px_per_mm: float
    """Mean resolution, by the longer of its sides."""


def estimate_pose(quad: Quad, width_px: int, height_px: int) -> DocumentPose:
    """How a document lies, for a camera as most are.

    The homography of the plane is decomposed with an assumed focal length (OpenCV's IPPE), for each format
    and both ways of lying; the one that explains the corners best is taken.

    Args:
        quad: Its corners, px.
        width_px: Of the picture.
        height_px: Of the picture.
    """
    corners = corner_array(quad)
    focal = _FOCAL_OF_LONG_SIDE * max(width_px, height_px)
    camera = np.array([[focal, 0, width_px / 2], [0, focal, height_px / 2], [0, 0, 1]])
    wide = quad.width >= quad.height
    best: tuple[float, DocumentPose] | None = None
    for one in FORMATS[::2]:
        size = (one.width_mm, one.height_mm) if wide else (one.height_mm, one.width_mm)
        error, tilt_deg = _solve(corners, size, camera)
        long_px = max(quad.width, quad.height)
        pose = DocumentPose(one, tilt_deg, long_px / one.width_mm)
        if best is None or error < best[0]:
            best = error, pose
    assert best is not None  # noqa: S101  # FORMATS is not empty
    return best[1]


def corner_array(quad: Quad) -> npt.NDArray[np.float32]:
    """The corners as float32 (4, 2): top left, top right, bottom right, bottom left."""
    return np.array([(point.x, point.y) for point in quad.corners], np.float32)


def quad_of(corners: npt.NDArray[np.floating]) -> Quad:
    """The quad of corners (4, 2) in any order, clockwise in the picture from the one nearest the top left."""
    centre = corners.mean(axis=0)
    angles = np.arctan2(corners[:, 1] - centre[1], corners[:, 0] - centre[0])
    clockwise = corners[np.argsort(angles)]
    first = int(np.argmin(clockwise.sum(axis=1)))
    points = [Point(float(x), float(y)) for x, y in np.roll(clockwise, -first, axis=0)]
    return Quad(*points)


def _solve(
    corners: npt.NDArray[np.float32], size_mm: tuple[float, float], camera: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Reprojection error in px, and tilt in deg."""
    width, height = size_mm
    plane = np.array(
        [
            (-width / 2, height / 2, 0),
            (width / 2, height / 2, 0),
            (width / 2, -height / 2, 0),
            (-width / 2, -height / 2, 0),
        ],
        np.float32,
    )
    count, rotations, _, errors = cv2.solvePnPGeneric(
        plane, corners.reshape(4, 1, 2), camera, None, flags=cv2.SOLVEPNP_IPPE
    )
    if not count:
        return float("inf"), 90.0
    rotation, _ = cv2.Rodrigues(rotations[0])
    upright = min(1.0, abs(float(rotation[2, 2])))
    return float(np.ravel(errors[0])[0]), degrees(acos(upright))
