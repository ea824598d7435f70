"""The quality of one face: all components that can be told, and one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from vidence_server.vision.faces.face import Contour, EyeState, Face, HeadPose
from vidence_server.vision.faces.pose import pose_from_landmarks
from vidence_server.vision.faces.quality.component import Measure, QualityMeasure
from vidence_server.vision.faces.quality.expression import expression_measures
from vidence_server.vision.faces.quality.geometry import geometry_measures
from vidence_server.vision.faces.quality.region import face_region, surroundings
from vidence_server.vision.faces.quality.surroundings import (
    background_uniformity,
    face_occlusion_prevention,
    single_face_present,
)
from vidence_server.vision.faces.quality.tone import tone_measures
from vidence_server.vision.image import Pixels

__all__ = ["Measure", "Quality", "QualityMeasure", "measure_quality"]

BEARING_ON_RECOGNITION = frozenset(
    {
        QualityMeasure.SHARPNESS,
        QualityMeasure.ILLUMINATION_UNIFORMITY,
        QualityMeasure.LUMINANCE_MEAN,
        QualityMeasure.UNDER_EXPOSURE_PREVENTION,
        QualityMeasure.OVER_EXPOSURE_PREVENTION,
        QualityMeasure.DYNAMIC_RANGE,
        QualityMeasure.HEAD_POSE_YAW,
        QualityMeasure.HEAD_POSE_PITCH,
        QualityMeasure.HEAD_POSE_ROLL,
        QualityMeasure.INTER_EYE_DISTANCE,
        QualityMeasure.EYES_OPEN,
        QualityMeasure.MOUTH_CLOSED,
        QualityMeasure.FACE_OCCLUSION_PREVENTION,
    }
)
"""What the unified score is made of; the others are about the layout of a portrait."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of one face in one picture."""

    measures: tuple[Measure, ...]
    """In the order of `QualityMeasure`; what could not be told is left out."""

    def __getitem__(self, measure: QualityMeasure) -> Measure | None:
        """The component, if it was measured."""
        return next((found for found in self.measures if found.measure is measure), None)

    @property
    def unified(self) -> int:
        """One number, 0–100: the geometric mean of what bears on recognition, at least 1 each.

        Ours; the standard's unified score comes from a learned model that is not at hand.
        """
        scores = [found.score for found in self.measures if found.measure in BEARING_ON_RECOGNITION]
        if not scores:
            return 0
        return round(exp(sum(log(max(score, 1)) for score in scores) / len(scores)))


def measure_quality(
    pixels: Pixels,
    face: Face,
    *,
    pose: HeadPose | None = None,
    eyes: EyeState | None = None,
    contour: Contour | None = None,
    others: Sequence[Face] = (),
) -> Quality:
    """Measures what can be told of a face; about a millisecond of CPU.

    Args:
        pixels: uint8 BGR (H, W, 3).
        face: where it is.
        pose: by the model; None: estimated from the five landmarks, without pitch.
        eyes: by the model; None: from the contour, or not at all.
        contour: tells chin, mouth and eyelids; None: the chin is estimated, the mouth not told.
        others: the other faces in the picture.

    Returns:
        The components, in the order of `QualityMeasure`.
    """
    height, width = pixels.shape[:2]
    region = face_region(pixels, face.landmarks)
    found = [
        single_face_present(face, others),
        *tone_measures(region),
        background_uniformity(surroundings(pixels, face.landmarks)),
        *geometry_measures(width, height, face, pose or pose_from_landmarks(face.landmarks), contour),
        *expression_measures(face, eyes, contour),
        face_occlusion_prevention(region),
    ]
    order = list(QualityMeasure)
    told = [measure for measure in found if measure is not None]
    return Quality(tuple(sorted(told, key=lambda measure: order.index(measure.measure))))
