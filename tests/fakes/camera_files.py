"""What a fake camera of Chromium shows: files of still scenes with the noise of a sensor."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
WIDTH, HEIGHT = 1280, 720
ROOM_LIGHT = 0.8
SAMPLES = Path(__file__).resolve().parents[2] / "examples" / "samples"
_DRAWN_PORTRAIT = (slice(205, 785), slice(115, 560))
"""Rows and columns of the passport's sample inside the frame of its drawn portrait."""
_FRAMES_PER_SECOND = 15


def write_camera_file(path: Path, *scenes: Pixels, frames_each: int = 64) -> Path:
    """Writes a `.mjpeg` that Chromium plays again and again.

    Args:
        path: Where to.
        scenes: Pictures of `WIDTH` × `HEIGHT`, uint8 BGR, shown one after the other.
        frames_each: How many frames each one lasts; every frame has noise of its own. The service refuses a
            frame with the bytes of one of the last 16: of few frames a slow machine would have none left.
    """
    rng = np.random.default_rng(5)
    with path.open("wb") as file:
        for scene in scenes:
            noise = rng.normal(0, 2, scene.shape).astype(np.int16)
            for number in range(frames_each):
                shifted = np.roll(noise, 7 * number, axis=0)
                noisy = np.clip(scene + shifted, 0, 255).astype(np.uint8)
                file.write(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
    return path


class ChangingCamera:
    """A `.y4m` that Chromium plays again and again, and whose scene changes while it plays.

    Its frames are raw and all of one size: one that is written while it is read is torn once, never broken.

    Args:
        path: Where to.
        scene: What it shows first: `WIDTH` × `HEIGHT`, uint8 BGR.
        frames: How many there are, each with noise of its own; see `write_camera_file`.
    """

    def __init__(self, path: Path, scene: Pixels, *, frames: int = 64) -> None:
        self.path = path
        self._frames = frames
        with path.open("wb") as file:
            file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{_FRAMES_PER_SECOND}:1 Ip A1:1 C420jpeg\n".encode())
            self._begin = file.tell()
        self.show(scene)

    def show(self, scene: Pixels) -> None:
        """Shows something else from now on, to whoever has opened the file and whoever will."""
        planes = cv2.cvtColor(scene, cv2.COLOR_BGR2YUV_I420)
        noise = np.random.default_rng(5).normal(0, 2, (HEIGHT, WIDTH)).astype(np.int16)
        with self.path.open("r+b") as file:
            file.seek(self._begin)
            for number in range(self._frames):
                noisy = planes.copy()
                noisy[:HEIGHT] = np.clip(planes[:HEIGHT] + np.roll(noise, 7 * number, axis=0), 0, 255)
                file.write(b"FRAME\n" + noisy.tobytes())


def sample_before_camera(name: str = "passport.jpg") -> Pixels:
    """A rendered document of the examples, whole and with room around it."""
    sample = cv2.imread(str(SAMPLES / name))
    assert sample is not None, name
    return _on_desk(np.asarray(sample, np.uint8))


def passport_before_camera(portrait: Pixels) -> Pixels:
    """The passport of the examples with somebody's portrait, uint8 BGR, in the place of the drawn one."""
    sample = cv2.imread(str(SAMPLES / "passport.jpg"))
    assert sample is not None
    place = sample[_DRAWN_PORTRAIT]
    size = (place.shape[1], place.shape[0])
    sample[_DRAWN_PORTRAIT] = cv2.resize(portrait, size, interpolation=cv2.INTER_AREA)
    return _on_desk(np.asarray(sample, np.uint8))


def face_before_camera(face: Pixels) -> Pixels:
    """A portrait in the middle of a wide picture."""
    blurred = cv2.GaussianBlur(cv2.resize(face, (WIDTH, HEIGHT)), (0, 0), 40)
    return _on_ground(face, HEIGHT, np.asarray(blurred, np.uint8))


def nothing_before_camera() -> Pixels:
    """An empty wall."""
    return np.full((HEIGHT, WIDTH, 3), 128, np.uint8)


def _on_desk(sample: Pixels) -> Pixels:
    # Paper in a room is not as white as paper in a file: a camera would call that glare.
    lit = np.asarray(sample * ROOM_LIGHT, np.uint8)
    return _on_ground(lit, HEIGHT - 40, _desk(lit))


def _desk(sample: npt.NDArray[np.uint8]) -> Pixels:
    colour = np.median(sample[:20].reshape(-1, 3), axis=0)
    return np.full((HEIGHT, WIDTH, 3), colour, np.uint8)


def _on_ground(picture: Pixels, height: int, ground: npt.NDArray[np.uint8]) -> Pixels:
    factor = min(height / picture.shape[0], WIDTH / picture.shape[1])
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    made = np.asarray(ground, np.uint8).copy()
    top, left = (HEIGHT - small.shape[0]) // 2, (WIDTH - small.shape[1]) // 2
    made[top : top + small.shape[0], left : left + small.shape[1]] = small
    return made


def far_from_camera(scene: Pixels, share: float) -> Pixels:
    """The same scene smaller, in the middle of more of its ground; the share is that of its width."""
    small = cv2.resize(scene, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    made = np.empty_like(scene)
    made[:] = scene[0, 0]
    top, left = (HEIGHT - small.shape[0]) // 2, (WIDTH - small.shape[1]) // 2
    made[top : top + small.shape[0], left : left + small.shape[1]] = small
    return made
