"""What a measurement of quality says, and how native values become scores."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import exp


class QualityMeasure(StrEnum):
    """Components of quality; the names are those of ISO/IEC 29794-5:2025.

    Its components that need models we do not have are not measured: compression artefacts, head coverings,
    neutral expression, radial distortion.
    """

    SINGLE_FACE_PRESENT = "single_face_present"
    SHARPNESS = "sharpness"
    ILLUMINATION_UNIFORMITY = "illumination_uniformity"
    LUMINANCE_MEAN = "luminance_mean"
    LUMINANCE_VARIANCE = "luminance_variance"
    UNDER_EXPOSURE_PREVENTION = "under_exposure_prevention"
    OVER_EXPOSURE_PREVENTION = "over_exposure_prevention"
    DYNAMIC_RANGE = "dynamic_range"
    NATURAL_COLOUR = "natural_colour"
    BACKGROUND_UNIFORMITY = "background_uniformity"
    HEAD_POSE_YAW = "head_pose_yaw"
    HEAD_POSE_PITCH = "head_pose_pitch"
    HEAD_POSE_ROLL = "head_pose_roll"
    INTER_EYE_DISTANCE = "inter_eye_distance"
    HEAD_SIZE = "head_size"
    LEFTWARD_CROP = "leftward_crop_of_the_face_image"
    RIGHTWARD_CROP = "rightward_crop_of_the_face_image"
    MARGIN_ABOVE = "margin_above_of_the_face_image"
    MARGIN_BELOW = "margin_below_of_the_face_image"
    EYES_OPEN = "eyes_open"
    MOUTH_CLOSED = "mouth_closed"
    FACE_OCCLUSION_PREVENTION = "face_occlusion_prevention"


@dataclass(frozen=True, slots=True)
class Measure:
    """One component of the quality of one face."""

    measure: QualityMeasure
    value: float
    """In `unit`."""
    unit: str
    """`px`, `deg`, `bit`, `ratio`, `share` (0–1), `probability` (0–1), `grey` (0–255)."""
    score: int
    """0–100, 100 is best."""
    estimated: bool = False
    """Whether the value comes from a rougher method than the component's best here."""


def sigmoid(value: float, middle: float, width: float) -> float:
    """1 / (1 + e^((middle - value) / width)): rises from 0 to 1 around `middle`."""
    exponent = (middle - value) / width
    return 1 / (1 + exp(min(exponent, 700.0)))


def score(fraction: float) -> int:
    """A fraction as a score: 0–1 becomes 0–100; what lies outside is cut off."""
    return round(100 * min(1.0, max(0.0, fraction)))
