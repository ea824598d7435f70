"""Turning and scaling a face so that its points lie where they are expected."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vidence_server.vision.image import Pixels

Points = npt.NDArray[np.float64]


def similarity_transform(points: Points, targets: Points) -> npt.NDArray[np.float64]:
    """The rotation, scale and shift that bring points nearest to targets (least squares; Umeyama 1991).

    Args:
        points: float64 (N, 2), px; not all the same.
        targets: float64 (N, 2).

    Returns:
        float64 (2, 3), for `cv2.warpAffine`.
    """
    # In the complex plane such a transform is z → a·z + b, and least squares have a closed form.
    here = points[:, 0] + 1j * points[:, 1]
    there = targets[:, 0] + 1j * targets[:, 1]
    centred = here - here.mean()
    spread = max(float(np.vdot(centred, centred).real), 1e-12)
    turn = np.vdot(centred, there - there.mean()) / spread
    shift = there.mean() - turn * here.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def warped(pixels: Pixels, transform: npt.NDArray[np.float64], width: int, height: int) -> Pixels:
    """The picture under a transform, (height, width, 3); black where there is nothing.

    A face that shrinks much is shrunk first by area, so that it does not alias.
    """
    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    if scale < 0.5:
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
        return _shrunk_first(pixels, transform, corners, scale, (width, height))
    return np.asarray(cv2.warpAffine(pixels, transform, (width, height), flags=cv2.INTER_LINEAR), np.uint8)


def _shrunk_first(
    pixels: Pixels, transform: npt.NDArray[np.float64], corners: Points, scale: float, size: tuple[int, int]
) -> Pixels:
    """Cuts out what the warp needs, halves it as often as it fits, then warps."""
    back = cv2.invertAffineTransform(transform)
    seen = corners @ np.asarray(back)[:, :2].T + np.asarray(back)[:, 2]
    limits = np.array([pixels.shape[1], pixels.shape[0]])
    low = np.clip(np.floor(seen.min(axis=0)) - 2, 0, limits - 1).astype(int)
    high = np.clip(np.ceil(seen.max(axis=0)) + 2, low + 1, limits).astype(int)
    piece = pixels[low[1] : high[1], low[0] : high[0]]
    across, down = (max(1, round(length * scale)) for length in (piece.shape[1], piece.shape[0]))
    small = cv2.resize(piece, (across, down), interpolation=cv2.INTER_AREA)
    factors = np.array([piece.shape[1] / across, piece.shape[0] / down])
    # A pixel's centre lies half a pixel inside it, before and after the shrinking.
    combined = np.empty((2, 3))
    combined[:, :2] = transform[:, :2] * factors
    combined[:, 2] = transform[:, :2] @ (low + factors / 2 - 0.5) + transform[:, 2]
    return np.asarray(cv2.warpAffine(small, combined, size, flags=cv2.INTER_LINEAR), np.uint8)
