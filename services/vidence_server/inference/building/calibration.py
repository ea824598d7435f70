"""Pictures of text made by code, for measuring the ranges of a model's values: never pictures of a test.

The letters are those that OpenCV carries. Which words they form hardly matters for the ranges; how they look
does: sizes, contrast, paper, light that falls off, blur and noise vary, by a fixed seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

_FACES = ("sans", "italic")
_WORDS = (
    "invoice total cash change thank you for shopping with us tax included item price quantity "
    "surname given names nationality date of birth expiry document number place issued authority "
    "address street city postal code Größe façade señor København Łódź naïve cœur piñata "
)
_LINE_HEIGHT_PX = 48


def lines(count: int, width_px: int, seed: int) -> Iterator[Pixels]:
    """Lines of text as a recogniser sees them: uint8 BGR, (48, `width_px`, 3)."""
    random = Random(seed)
    for _ in range(count):
        image = _paper(random, width_px, _LINE_HEIGHT_PX)
        _write(image, random, 4, random.randint(32, 38), random.randint(24, 36))
        yield _spoilt(image, random)


def pages(count: int, width_px: int, height_px: int, seed: int) -> Iterator[Pixels]:
    """Pages as a detector sees them: uint8 BGR, (`height_px`, `width_px`, 3)."""
    random = Random(seed)
    for _ in range(count):
        image = _paper(random, width_px, height_px)
        y = random.randint(20, 60)
        while y < height_px - 10:
            size = random.choice((10, 13, 16, 22, 34))
            _write(image, random, random.choice((10, 10, width_px // 2)), y, size)
            y += int(size * random.uniform(1.3, 3.5))
        yield _spoilt(image, random)


def normalised(image: Pixels) -> npt.NDArray[np.float32]:
    """What OCR models take: float32 BGR in [-1, 1], (1, 3, H, W)."""
    return ((image.astype(np.float32).transpose(2, 0, 1) - 127.5) / 127.5)[None]


def _paper(random: Random, width: int, height: int) -> Pixels:
    tone = np.array([random.randint(150, 255) for _ in range(3)], np.float32)
    falling = np.linspace(1.0, random.uniform(0.6, 1.0), width, dtype=np.float32)[None, :, None]
    return np.asarray(np.broadcast_to(tone * falling, (height, width, 3)), np.uint8).copy()


def _write(image: Pixels, random: Random, x: int, y: int, size: int) -> None:
    text = " ".join(_word(random) for _ in range(random.randint(1, 9)))
    ink = [random.randint(0, 90)] * 3
    face = cv2.FontFace(random.choice(_FACES))
    cv2.putText(image, text, (x, y), ink, face, size, random.choice((300, 400, 600, 800)))


def _word(random: Random) -> str:
    kind = random.random()
    if kind < 0.25:
        return f"{random.uniform(0, 999):.2f}"
    if kind < 0.35:
        return f"{random.randint(1, 31):02}/{random.randint(1, 12):02}/{random.randint(1990, 2035)}"
    word = random.choice(_WORDS.split())
    return random.choice((word, word.title(), word.upper()))


def _spoilt(image: Pixels, random: Random) -> Pixels:
    seen = cv2.GaussianBlur(image, (0, 0), random.uniform(0.2, 1.2)).astype(np.float32)
    noise = np.random.default_rng(random.randrange(2**32)).normal(0, random.uniform(0, 9), image.shape)
    return np.clip(seen + noise, 0, 255).astype(np.uint8)
