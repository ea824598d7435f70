"""Light and sharpness of a face: what its luma tells. Luma is that of ITU-R BT.601, 0–255.

The measured quantities are those of ISO/IEC 29794-5:2025 where the docstring says so; the mapping to 0–100 is
ours, fitted to portraits and to the same portraits spoilt.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vidence_server.vision.faces.quality.component import Measure, QualityMeasure, score, sigmoid
from vidence_server.vision.faces.quality.region import FaceRegion

_DARK = 26
_BRIGHT = 247
_BLUR_PX = 3.0
"""Sigma of the blur that shows how sharp a region is."""
_LEVELS = np.arange(256)
_LEAST_VARIATION = 0.8
"""Grey per px; a region with less shows little whose sharpness could be told."""


def tone_measures(region: FaceRegion) -> tuple[Measure, ...]:
    """All measures of light and sharpness; none where the face lies outside of the picture."""
    if not region.face.any():
        return ()
    return (
        sharpness(region),
        illumination_uniformity(region),
        luminance_mean(region),
        luminance_variance(region),
        under_exposure_prevention(region),
        over_exposure_prevention(region),
        dynamic_range(region),
        natural_colour(region),
    )


def sharpness(region: FaceRegion) -> Measure:
    """Share of the variation between neighbours that one more blur takes away (after Crété et al. 2007).

    What is blurred already loses little. Neither contrast nor light from one side matters. Measured at 64 px
    between the eyes: a face too small for that counts as unsharp. Portraits have 0.4 to 0.8.
    """
    luma = region.luma.astype(np.float32)
    blurred = cv2.GaussianBlur(luma, (0, 0), _BLUR_PX)
    before, after = (cv2.absdiff(one[:, 1:], one[:, :-1]) for one in (luma, np.asarray(blurred)))
    pairs = region.face[:, 1:].view(np.uint8)
    lost = cv2.mean(np.maximum(np.asarray(before) - after, 0), pairs)[0]
    # Means over the same pixels: their ratio is that of the sums.
    value = lost / max(cv2.mean(before, pairs)[0], _LEAST_VARIATION)
    return Measure(QualityMeasure.SHARPNESS, value, "share", score(sigmoid(value, 0.38, 0.05)))


def illumination_uniformity(region: FaceRegion) -> Measure:
    """Intersection of the luma histograms of both halves of the face, share (ISO/IEC 29794-5)."""
    histograms = []
    for right in (True, False):
        values = region.half(right=right)
        # 32 classes: with 256 the few pixels of a small face would hardly meet.
        counts = np.bincount(values >> 3, minlength=32).astype(np.float64)
        histograms.append(counts / max(counts.sum(), 1.0))
    value = float(np.minimum(*histograms).sum())
    return Measure(QualityMeasure.ILLUMINATION_UNIFORMITY, value, "share", score(sigmoid(value, 0.45, 0.08)))


def luminance_mean(region: FaceRegion) -> Measure:
    """Mean luma of the face, grey 0–255 (ISO/IEC 29794-5)."""
    value = _mean(region.histogram)
    fraction = sigmoid(value, 0.2 * 255, 0.05 * 255) * (1 - sigmoid(value, 0.85 * 255, 0.04 * 255))
    return Measure(QualityMeasure.LUMINANCE_MEAN, value, "grey", score(fraction))


def luminance_variance(region: FaceRegion) -> Measure:
    """Standard deviation of the face's luma, grey 0–127 (ISO/IEC 29794-5 takes its square)."""
    counts = region.histogram
    value = float(np.sqrt(counts @ (_LEVELS - _mean(counts)) ** 2 / counts.sum()))
    return Measure(QualityMeasure.LUMINANCE_VARIANCE, value, "grey", score(sigmoid(value, 14, 4)))


def under_exposure_prevention(region: FaceRegion) -> Measure:
    """Share of the face darker than 26 of 255 (ISO/IEC 29794-5)."""
    value = float(region.histogram[:_DARK].sum() / region.histogram.sum())
    return Measure(
        QualityMeasure.UNDER_EXPOSURE_PREVENTION, value, "share", score(1 - sigmoid(value, 0.3, 0.06))
    )


def over_exposure_prevention(region: FaceRegion) -> Measure:
    """Share of the face brighter than 246 of 255 (ISO/IEC 29794-5)."""
    value = float(region.histogram[_BRIGHT:].sum() / region.histogram.sum())
    return Measure(
        QualityMeasure.OVER_EXPOSURE_PREVENTION, value, "share", score(1 - sigmoid(value, 0.08, 0.02))
    )


def dynamic_range(region: FaceRegion) -> Measure:
    """Entropy of the luma of the face, bit, at most 8 (ISO/IEC 29794-5)."""
    counts = region.histogram
    shares = counts[counts > 0] / counts.sum()
    value = float(-(shares * np.log2(shares)).sum())
    return Measure(QualityMeasure.DYNAMIC_RANGE, value, "bit", score(sigmoid(value, 5.0, 0.5)))


def natural_colour(region: FaceRegion) -> Measure:
    """How far the face's mean colour is from those of skin, in CIELAB a* and b* (ISO/IEC 29794-5).

    The distance of (a*, b*) to the rectangle 5–25, 5–35; 0 inside.
    """
    # Every fifth pixel is enough for a mean.
    chosen = np.flatnonzero(region.face)[::5]
    shares = region.pixels.reshape(-1, 3)[chosen, None].astype(np.float32) / 255
    a, b = np.asarray(cv2.cvtColor(shares, cv2.COLOR_BGR2LAB)).reshape(-1, 3)[:, 1:].mean(axis=0).tolist()
    value = float(np.hypot(max(5 - a, a - 25, 0), max(5 - b, b - 35, 0)))
    return Measure(QualityMeasure.NATURAL_COLOUR, value, "ΔE", score(2 * (1 - sigmoid(value, 0, 10))))


def _mean(counts: npt.NDArray[np.int64]) -> float:
    return float(counts @ _LEVELS / counts.sum())
