"""What the cameras see: a face that never holds still, so that sessions go on searching."""

from __future__ import annotations

import cv2
import numpy as np

from fakes.face_pictures import ASTRONAUT, decoded, picture_bytes

WIDTH_PX, HEIGHT_PX = 640, 480
_STEPS = 8
_STEP_PX = 30
_QUALITY = 88
_COMMENT = b"\xff\xfe\x00\x0a"
"""A JPEG comment of eight bytes (ITU-T T.81, B.2.4.5)."""


def camera_frames() -> list[bytes]:
    """JPEG, 640 × 480: a large face that moves 30 px from frame to frame, with sensor noise."""
    portrait = cv2.resize(decoded(picture_bytes(ASTRONAUT))[:300, 90:390], (360, 360))
    noise = np.random.default_rng(1)
    frames = []
    for step in [*range(_STEPS), *range(_STEPS, 0, -1)]:
        room = np.full((HEIGHT_PX, WIDTH_PX, 3), 125, np.int16)
        left = step * _STEP_PX
        room[HEIGHT_PX - 360 :, left : left + 360] = portrait
        seen = np.clip(room + noise.normal(0, 3, room.shape), 0, 255).astype(np.uint8)
        frames.append(cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())
    return frames


def unlike_any_other(frame: bytes, number: int) -> bytes:
    """The same picture in a file of its own: a repeated file would be refused."""
    return frame[:2] + _COMMENT + number.to_bytes(8, "big") + frame[2:]
