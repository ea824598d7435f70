"""What is around a face and before it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vidence_server.vision.faces.face import Face
from vidence_server.vision.faces.quality.component import Measure, QualityMeasure, score, sigmoid
from vidence_server.vision.faces.quality.region import (
    EYE_LINE_PX,
    HEIGHT_PX,
    INTER_EYE_PX,
    WIDTH_PX,
    FaceRegion,
    Mask,
    Surroundings,
)

_LEAST_SURROUNDINGS = 200
"""Pixels; with fewer nothing is said of the background."""
_UNLIKE_SKIN = 14.0
"""Distance in the plane of Cr and Cb (0–255) from which a pixel does not belong to the skin."""


def _rows_and_columns(rows: slice, *columns: slice) -> Mask:
    """Rectangles of every second pixel of the region."""
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), bool)
    for column in columns:
        mask[rows, column] = True
    return mask[::2, ::2]


_CHEEK_TOP = int(EYE_LINE_PX + 0.25 * INTER_EYE_PX)
_CHEEKS = _rows_and_columns(slice(_CHEEK_TOP, _CHEEK_TOP + 20), slice(36, 60), slice(100, 124))
_LOWER = _rows_and_columns(slice(_CHEEK_TOP + 24, HEIGHT_PX), slice(0, WIDTH_PX))


def single_face_present(face: Face, others: Sequence[Face]) -> Measure:
    """Area of the largest other face over the area of this one, ratio (ISO/IEC 29794-5); alone: 0."""
    value = max((other.box.area for other in others), default=0.0) / max(face.box.area, 1.0)
    return Measure(QualityMeasure.SINGLE_FACE_PRESENT, value, "ratio", score(1 - value))


def background_uniformity(around: Surroundings) -> Measure | None:
    """Mean gradient of the luma beside the head, grey per px (after ISO/IEC 29794-5); 32 px between the eyes.

    The head is an oval here, not segmented: long hair may count as background. None where the picture shows
    too little of it.
    """
    if int(around.mask.sum()) < _LEAST_SURROUNDINGS:
        return None
    across = cv2.Sobel(around.luma, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(around.luma, cv2.CV_32F, 0, 1, scale=0.125)
    value = float(cv2.mean(cv2.magnitude(across, down), around.mask.view(np.uint8))[0])
    fraction = 1 - sigmoid(value, 6.0, 1.5)
    return Measure(QualityMeasure.BACKGROUND_UNIFORMITY, value, "grey/px", score(fraction), estimated=True)


def face_occlusion_prevention(region: FaceRegion) -> Measure | None:
    """Share of the lower face that has not the colour of the skin under the eyes.

    A rough stand-in for the standard's segmentation: masks and scarves are seen; what has the colour of skin
    is not; a beard counts, and so do coloured or too much light. None where the face is not in the picture.
    """
    smooth = cv2.blur(region.pixels, (5, 5))[::2, ::2]
    chroma = np.asarray(cv2.cvtColor(smooth, cv2.COLOR_BGR2YCrCb))[:, :, 1:].astype(np.float32)
    face = region.face[::2, ::2]
    cheeks, lower = face & _CHEEKS, face & _LOWER
    if not cheeks.any() or not lower.any():
        return None
    skin = np.median(chroma[cheeks], axis=0)
    value = float((np.hypot(*(chroma[lower] - skin).T) > _UNLIKE_SKIN).mean())
    return Measure(
        QualityMeasure.FACE_OCCLUSION_PREVENTION,
        value,
        "share",
        score(1 - sigmoid(value, 0.4, 0.08)),
        estimated=True,
    )
