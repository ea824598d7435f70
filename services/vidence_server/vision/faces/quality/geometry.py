"""Where a face stands in the picture, how large it is, where it looks.

The measured quantities are those of ISO/IEC 29794-5:2025; the mappings to 0–100 are ours.
"""

from __future__ import annotations

from math import cos, radians

from vidence_server.vision.faces.face import Contour, Face, HeadPose
from vidence_server.vision.faces.quality.component import Measure, QualityMeasure, score, sigmoid

_CHIN_BELOW_EYES = 1.75
"""Eyes to chin in eyes to mouth, where no contour tells the chin."""


def geometry_measures(
    width: int, height: int, face: Face, pose: HeadPose, contour: Contour | None
) -> tuple[Measure, ...]:
    """All measures of place, size and pose of a face in a picture of this size, px."""
    head = eyes_to_chin_px(face, contour)
    estimated = contour is None
    return (
        *pose_measures(pose),
        inter_eye_distance(face, pose),
        head_size(head, height, estimated=estimated),
        *margins(width, height, face, head, pose, estimated=estimated),
    )


def eyes_to_chin_px(face: Face, contour: Contour | None) -> float:
    """From the middle of the eyes to the chin, px; the standard's measure `T`."""
    marks = face.landmarks
    if contour is not None:
        return max(marks.eye_middle.distance(contour.chin), 1.0)
    return max(marks.eye_middle.distance(marks.mouth_middle) * _CHIN_BELOW_EYES, 1.0)


def pose_measures(pose: HeadPose) -> tuple[Measure, ...]:
    """Yaw, pitch and roll, deg; the score is cos² of the angle. An estimated pose has no pitch."""
    angles = [
        (QualityMeasure.HEAD_POSE_YAW, pose.yaw_deg),
        (QualityMeasure.HEAD_POSE_ROLL, pose.roll_deg),
    ]
    if not pose.estimated:
        angles.insert(1, (QualityMeasure.HEAD_POSE_PITCH, pose.pitch_deg))
    return tuple(
        Measure(measure, angle, "deg", score(max(0.0, cos(radians(angle))) ** 2), estimated=pose.estimated)
        for measure, angle in angles
    )


def inter_eye_distance(face: Face, pose: HeadPose) -> Measure:
    """Distance of the eye centres, px, as a frontal head would show it: divided by cos(yaw).

    ICAO wants 90 px of a passport portrait; recognition here works from 20.
    """
    value = face.inter_eye_px / max(cos(radians(pose.yaw_deg)), 0.3)
    return Measure(QualityMeasure.INTER_EYE_DISTANCE, value, "px", score(sigmoid(value, 35, 8)))


def head_size(head: float, height: int, *, estimated: bool) -> Measure:
    """Eyes to chin over the height of the picture, ratio; a portrait has 0.45."""
    value = head / height
    fraction = 2 * (1 - sigmoid(abs(value - 0.45), 0, 0.1))
    return Measure(QualityMeasure.HEAD_SIZE, value, "ratio", score(fraction), estimated=estimated)


def margins(
    width: int, height: int, face: Face, head: float, pose: HeadPose, *, estimated: bool
) -> tuple[Measure, ...]:
    """What is left of the picture around the head, ratio.

    Sideways: from the middle of the eyes to the picture's edge in inter-eye distances; a head needs 1. Above
    and below in distances from eyes to chin: a head needs 0.9 above with its hair, 1.1 below.
    """
    middle = face.landmarks.eye_middle
    apart = max(inter_eye_distance(face, pose).value, 1.0)
    places = (
        (QualityMeasure.LEFTWARD_CROP, middle.x / apart, 1.0, False),
        (QualityMeasure.RIGHTWARD_CROP, (width - middle.x) / apart, 1.0, False),
        (QualityMeasure.MARGIN_ABOVE, middle.y / head, 0.9, estimated),
        (QualityMeasure.MARGIN_BELOW, (height - middle.y) / head, 1.1, estimated),
    )
    return tuple(
        Measure(measure, value, "ratio", score(sigmoid(value, needed, 0.08)), estimated=rough)
        for measure, value, needed, rough in places
    )
