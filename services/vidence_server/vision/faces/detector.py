"""Faces from YuNet's output (Wu, Peng, Yu 2023), and its input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
import numpy.typing as npt

from vidence_server.vision.faces.face import Box, Face, Landmarks
from vidence_server.vision.faces.profile import FaceProfile
from vidence_server.vision.geometry import Point
from vidence_server.vision.image import Pixels

FloatArray = npt.NDArray[np.float32]

OUTPUTS = tuple(f"{head}_{stride}" for head in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32))
"""Names of the outputs in the model's order."""

_STRIDES = (8, 16, 32)


@dataclass(frozen=True, slots=True, eq=False)
class DetectorInput:
    """The picture as the detector sees it."""

    tensor: FloatArray
    """float32 (1, 3, H, W), BGR, 0–255; H and W multiples of 32, padded with 0 on the right and below."""
    scale: float
    """Pixels of the picture per pixel of the input."""


def detector_input(pixels: Pixels, side_px: int, profile: FaceProfile) -> DetectorInput:
    """Scales a picture so that its longer side has `side_px`, or less where it would be enlarged too far."""
    height, width = pixels.shape[:2]
    factor = min(side_px / max(width, height), profile.largest_magnification)
    across, down = max(1, round(width * factor)), max(1, round(height * factor))
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(pixels, (across, down), interpolation=interpolation)
    tensor = np.zeros((1, 3, 32 * ceil(down / 32), 32 * ceil(across / 32)), np.float32)
    tensor[0, :, :down, :across] = np.asarray(resized).transpose(2, 0, 1)
    return DetectorInput(tensor, 1 / factor)


def detected_faces(
    outputs: Mapping[str, FloatArray], seen: DetectorInput, profile: FaceProfile
) -> tuple[Face, ...]:
    """The faces in a detector's outputs.

    Args:
        outputs: by name: cls_S and obj_S (1, n, 1), bbox_S (1, n, 4), kps_S (1, n, 10) for the strides S 8,
            16 and 32; n cells, row by row.
        seen: what the detector saw.
        profile: thresholds.

    Returns:
        Faces in px of the picture, the largest first.
    """
    columns = seen.tensor.shape[3]
    levels = [_level(outputs, stride, columns // stride, profile) for stride in _STRIDES]
    rows = np.concatenate(levels)
    rows[:, :14] *= seen.scale
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    kept = cv2.dnn.NMSBoxes(
        rows[:, :4].tolist(),
        rows[:, 14].tolist(),
        profile.detection_threshold,
        profile.overlap_threshold,
        top_k=profile.max_faces,
    )
    faces = [_face(rows[index]) for index in np.asarray(kept, int).ravel()]
    return tuple(sorted(faces, key=lambda face: -face.box.area))


def _level(
    outputs: Mapping[str, FloatArray], stride: int, columns: int, profile: FaceProfile
) -> npt.NDArray[np.float64]:
    """Candidates of one stride, (n, 15): left, top, width, height, five points, confidence."""
    sureness = [np.clip(outputs[f"{head}_{stride}"][0, :, 0], 0, 1) for head in ("cls", "obj")]
    confidence = np.sqrt(sureness[0] * sureness[1], dtype=np.float64)
    found = np.flatnonzero(confidence > profile.detection_threshold)
    cells = np.stack([found % columns, found // columns], axis=1)
    box = outputs[f"bbox_{stride}"][0, found]
    size = np.exp(box[:, 2:]) * stride
    corner = (cells + box[:, :2]) * stride - size / 2
    points = (outputs[f"kps_{stride}"][0, found].reshape(-1, 5, 2) + cells[:, None]) * stride
    return np.hstack([corner, size, points.reshape(-1, 10), confidence[found, None]])


def _face(row: npt.NDArray[np.float64]) -> Face:
    left, top, width, height = map(float, row[:4])
    points = [Point(float(x), float(y)) for x, y in row[4:14].reshape(5, 2)]
    return Face(Box(left, top, width, height), Landmarks(*points), float(row[14]))
