"""Passive liveness of one frame. Indicative: not certified presentation-attack detection (ISO/IEC 30107)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vidence_server.vision.faces.crops import box_crop, inside
from vidence_server.vision.faces.face import Face
from vidence_server.vision.image import Pixels
from vidence_server.vision.numbers import softmax

SIDE_PX = 128
_CONTEXT = 2.7
"""How much of the picture around the face the model wants to see, in boxes."""


def liveness_input(pixels: Pixels, face: Face) -> npt.NDArray[np.float32]:
    """float32 (1, 3, 128, 128), BGR, 0–255: the face with its surroundings, moved into the picture."""
    height, width = pixels.shape[:2]
    crop = box_crop(pixels, inside(face.box.grown(_CONTEXT), width, height), SIDE_PX)
    return np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32)


def live_probability(output: npt.NDArray[np.float32]) -> float:
    """How live the face looks, 0–1, from the model's logits (1, 3)."""
    return float(softmax(output[0])[0])
