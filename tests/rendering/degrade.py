"""What phones and scanners do to a picture. Everything random is seeded by the caller."""

from __future__ import annotations

import io
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageFilter

from rendering.drawing import DESK


@dataclass(frozen=True, slots=True)
class Degradation:
    """One way of spoiling a picture."""

    tilt_degrees: float = 0.0
    """Counter-clockwise; the canvas grows, its corners show the desk."""
    blur_px: float = 0.0
    """Standard deviation of a Gaussian."""
    noise: float = 0.0
    """Standard deviation in grey levels."""
    jpeg_quality: int = 92


def random_degradation(random: Random) -> Degradation:
    """Tilt to 5°, blur to 1.2 px, noise to 8 levels, JPEG quality from 60."""
    return Degradation(
        tilt_degrees=random.uniform(-5, 5),
        blur_px=random.uniform(0, 1.2),
        noise=random.uniform(0, 8),
        jpeg_quality=random.randint(60, 95),
    )


def degrade(image: Image.Image, degradation: Degradation, seed: int) -> bytes:
    """The spoilt picture as JPEG; the same arguments give the same bytes."""
    spoilt = image.convert("RGB")
    if degradation.tilt_degrees:
        spoilt = spoilt.rotate(
            degradation.tilt_degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=DESK
        )
    if degradation.blur_px:
        spoilt = spoilt.filter(ImageFilter.GaussianBlur(degradation.blur_px))
    if degradation.noise:
        pixels = np.asarray(spoilt, np.float32)
        noise = np.random.default_rng(seed).normal(0, degradation.noise, pixels.shape)
        spoilt = Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
    encoded = io.BytesIO()
    spoilt.save(encoded, "JPEG", quality=degradation.jpeg_quality)
    return encoded.getvalue()
