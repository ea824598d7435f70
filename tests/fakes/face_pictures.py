"""Two people to look at, and what can be done to their pictures."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vidence_server.inference.download import ClientDownloader
from vidence_server.inference.pull import pull
from vidence_server.inference.registry import parse_registry
from vidence_server.inference.store import ModelStore, default_folder

Pixels = npt.NDArray[np.uint8]
ASTRONAUT = "face-astronaut"
ADMIRAL = "face-admiral"


def picture_bytes(name: str) -> bytes:
    """The file of a picture, pulled into the cache where it is not there yet."""
    registry = parse_registry((Path(__file__).parent / "face_pictures.toml").read_text(encoding="utf-8"))
    store = ModelStore(default_folder())
    store.folder.mkdir(parents=True, exist_ok=True)
    with (store.folder / ".face-pictures.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers ask at the same time
        for result in pull([registry[name]], store, ClientDownloader()):
            if result.error is not None:
                raise result.error
    return store.path(registry[name]).read_bytes()


def decoded(content: bytes) -> Pixels:
    """uint8 BGR."""
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def encoded(pixels: Pixels, kind: str = ".png", *parameters: int) -> bytes:
    """As a file."""
    _, buffer = cv2.imencode(kind, pixels, list(parameters))
    return bytes(buffer)


def mirrored(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[:, ::-1])


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


def scaled(pixels: Pixels, factor: float) -> Pixels:
    return np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def lit(pixels: Pixels, gain: float) -> Pixels:
    return np.asarray(np.clip(pixels * gain, 0, 255), np.uint8)


def turned(pixels: Pixels, degrees: float, centre: tuple[float, float]) -> Pixels:
    """Turned clockwise."""
    transform = cv2.getRotationMatrix2D(centre, -degrees, 1.0)
    height, width = pixels.shape[:2]
    return np.asarray(cv2.warpAffine(pixels, transform, (width, height)), np.uint8)


def beside(*pictures: Pixels) -> Pixels:
    """Next to each other, on one height."""
    height = min(picture.shape[0] for picture in pictures)
    return np.hstack([scaled(picture, height / picture.shape[0])[:height] for picture in pictures])


def without_faces(height: int = 240, width: int = 320) -> Pixels:
    """A smooth picture of nothing."""
    ramp: npt.NDArray[Any] = np.linspace(40, 200, width)[None, :, None]
    return np.broadcast_to(ramp, (height, width, 3)).astype(np.uint8)
