"""The face brought to one size and upright, with what belongs to it marked."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from vidence_server.vision.faces.align import similarity_transform, warped
from vidence_server.vision.faces.crops import grey
from vidence_server.vision.faces.face import Landmarks
from vidence_server.vision.image import Pixels

WIDTH_PX = 160
HEIGHT_PX = 208
INTER_EYE_PX = 64.0
"""Distance of the eyes of a frontal face in the region."""
EYE_LINE_PX = 72.0
"""y of the eyes in the region."""
_CHIN_PX = 193.0

Mask = npt.NDArray[np.bool_]

# The embedder's template at this scale, so that turned heads get the same size as frontal ones.
_TARGETS = np.array([(48.0, 72.0), (112.0, 72.0), (80.2, 108.5), (53.9, 146.0), (106.9, 145.7)])


def _oval(width: int, height: int, half_width: float, top: float, bottom: float) -> Mask:
    """An upright oval in the middle of a mask of this size."""
    mask = np.zeros((height, width), np.uint8)
    box = ((width / 2, (bottom + top) / 2), (2 * half_width, bottom - top), 0.0)
    cv2.ellipse(mask, box, (1,), -1)
    return mask.astype(bool)


_FACE = _oval(WIDTH_PX, HEIGHT_PX, 58.0, 34.0, _CHIN_PX)

_AROUND_WIDTH_PX = 200
_AROUND_HEIGHT_PX = 112
_AROUND_SCALE = 0.5
_AROUND_EYES = (100.0, 60.0)
_HEAD = _oval(_AROUND_WIDTH_PX, _AROUND_HEIGHT_PX, 50.0, 0.0, 130.0)


@dataclass(frozen=True, slots=True, eq=False)
class FaceRegion:
    """An aligned face of 160 × 208 px."""

    pixels: Pixels
    luma: npt.NDArray[np.uint8]
    face: Mask
    """Inside the oval of the face, and inside the picture."""
    histogram: npt.NDArray[np.int64] = field(init=False)
    """How many pixels of the face have each luma, int64 (256,). Five measures rest on it: counted once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "histogram", np.bincount(self.luma[self.face], minlength=256))

    def half(self, *, right: bool) -> npt.NDArray[np.uint8]:
        """Luma of one half of the face: the person's right half or the left one, (n,)."""
        middle = WIDTH_PX // 2
        side = (slice(None), slice(None, middle) if right else slice(middle, None))
        return self.luma[side][self.face[side]]


def face_region(pixels: Pixels, landmarks: Landmarks) -> FaceRegion:
    """Brings a face to 160 × 208 px, its eyes level and about 64 px apart.

    Args:
        pixels: uint8 BGR (H, W, 3).
        landmarks: of the face, px.
    """
    transform = similarity_transform(landmarks.array, _TARGETS)
    aligned = warped(pixels, transform, WIDTH_PX, HEIGHT_PX)
    there = _in_picture(pixels, transform, WIDTH_PX, HEIGHT_PX)
    return FaceRegion(aligned, grey(aligned), _FACE & there)


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What is left and right of a head, from above it down to the chin, at half the region's scale."""

    luma: npt.NDArray[np.uint8]
    mask: Mask
    """Outside the oval of head and hair, and inside the picture."""


def surroundings(pixels: Pixels, landmarks: Landmarks) -> Surroundings:
    """The surroundings of a face, 200 × 112 px."""
    targets = (_TARGETS - (WIDTH_PX / 2, EYE_LINE_PX)) * _AROUND_SCALE + _AROUND_EYES
    transform = similarity_transform(landmarks.array, targets)
    around = warped(pixels, transform, _AROUND_WIDTH_PX, _AROUND_HEIGHT_PX)
    there = _in_picture(pixels, transform, _AROUND_WIDTH_PX, _AROUND_HEIGHT_PX)
    return Surroundings(grey(around), there & ~_HEAD)


def _in_picture(pixels: Pixels, transform: npt.NDArray[np.float64], width: int, height: int) -> Mask:
    """Which pixels of a warped picture show it and not what lies beyond its edge."""
    rows, columns = pixels.shape[:2]
    back = np.asarray(cv2.invertAffineTransform(transform))
    corners = np.array([(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)])
    seen = corners @ back[:, :2].T + back[:, 2]
    if (seen >= 0).all() and (seen <= (columns - 1, rows - 1)).all():
        return np.ones((height, width), bool)  # what lies between the corners lies inside too
    xs, ys = np.arange(width), np.arange(height)[:, None]
    across = (back[0, 0] * xs) + (back[0, 1] * ys + back[0, 2])
    down = (back[1, 0] * xs) + (back[1, 1] * ys + back[1, 2])
    return np.asarray((across >= 0) & (across <= columns - 1) & (down >= 0) & (down <= rows - 1))
