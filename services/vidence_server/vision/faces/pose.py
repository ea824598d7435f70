"""Where a head is turned to: by the pose model, and roughly by five landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, cos, degrees, radians, sin

import numpy as np
import numpy.typing as npt

from vidence_server.vision.faces.crops import box_crop
from vidence_server.vision.faces.face import Contour, Face, HeadPose, Landmarks
from vidence_server.vision.faces.profile import FaceProfile
from vidence_server.vision.image import Pixels
from vidence_server.vision.numbers import softmax

SIDE_PX = 224
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_BIN_DEG = 3.0
_FIRST_BIN_DEG = -99.0
_NOSE_DEPTH = 0.65
"""How far the nose's tip stands before the eyes, in inter-eye distances; seen in LFW, where offset and the
model's yaw agree best."""


def pose_input(pixels: Pixels, face: Face) -> npt.NDArray[np.float32]:
    """float32 (1, 3, 224, 224), RGB, normalised as ImageNet: the box with a quarter more on each side."""
    crop = box_crop(pixels, face.box.grown(1.5), SIDE_PX)
    scaled = (crop[:, :, ::-1].astype(np.float32) / 255 - _MEAN) / _DEVIATION
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], np.float32)


def head_pose(outputs: Sequence[npt.NDArray[np.float32]], contour: Contour, profile: FaceProfile) -> HeadPose:
    """The pose in the model's outputs: expectation over bins of 3° (Ruiz, Chong, Rehg 2018).

    Args:
        outputs: yaw, pitch, roll: float32 (1, 66) logits each.
        contour: its eyes give the roll: unlike the model's it holds beyond 30°.
        profile: the pitch of a frontal face.
    """
    bins = _FIRST_BIN_DEG + _BIN_DEG * np.arange(outputs[0].shape[1])
    yaw, pitch = (float(softmax(output[0]) @ bins) for output in outputs[:2])
    return HeadPose(-yaw, pitch + profile.pitch_offset_deg, contour.roll_deg)


def pose_from_landmarks(landmarks: Landmarks) -> HeadPose:
    """A rough pose without a model: yaw from the nose beside the middle of the eyes, roll from the eyes.

    Yaw saturates at ±90°; roll is understated (see `Landmarks.roll_deg`); the pitch is said to be 0.
    """
    roll = radians(landmarks.roll_deg)
    apart = max(landmarks.inter_eye_px, 1e-6)
    middle = landmarks.eye_middle
    across = landmarks.nose.x - middle.x
    down = landmarks.nose.y - middle.y
    offset = (across * cos(roll) + down * sin(roll)) / apart
    # A turned head shows the eyes nearer to each other by cos(yaw) and the nose beside them by sin(yaw).
    ratio = offset / _NOSE_DEPTH
    yaw = degrees(asin(max(-1.0, min(1.0, ratio / (1 + ratio * ratio) ** 0.5))))
    return HeadPose(yaw, 0.0, landmarks.roll_deg, estimated=True)
