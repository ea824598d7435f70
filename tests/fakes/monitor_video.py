"""A video: one person walks in, another comes, both leave; and a folder that names one of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fakes.face_pictures import ADMIRAL, ASTRONAUT, Pixels, decoded, encoded, mirrored, picture_bytes

WIDTH, HEIGHT, FPS = 960, 540, 10
_FACE_PX = 300
"""Height of a person in the scene."""


def person(name: str) -> Pixels:
    """Head and shoulders, 300 px high."""
    picture = decoded(picture_bytes(name))
    if name == ASTRONAUT:
        picture = picture[:300, 90:390]
    height, width = picture.shape[:2]
    return np.asarray(cv2.resize(picture, (round(width * _FACE_PX / height), _FACE_PX)), np.uint8)


def scene(*people: tuple[Pixels, int]) -> Pixels:
    """An empty room with people at places given by their left edge, px; outside of the picture: cut off."""
    room = np.full((HEIGHT, WIDTH, 3), (120, 130, 125), np.uint8)
    top = HEIGHT - _FACE_PX
    for picture, left in people:
        first, last = max(0, left), min(WIDTH, left + picture.shape[1])
        if first < last:
            room[top:, first:last] = picture[:, first - left : last - left]
    return room


def walk_of_two(*, stay_s: float = 4.0) -> list[Pixels]:
    """The astronaut walks in from the left, the admiral from the right; both walk out again.

    Args:
        stay_s: For how long both are there.
    """
    astronaut, admiral = person(ASTRONAUT), person(ADMIRAL)
    frames = [scene() for _ in range(5)]
    frames += [scene((astronaut, left)) for left in range(-280, 41, 32)]
    frames += [scene((astronaut, 40)) for _ in range(15)]
    frames += [scene((astronaut, 40), (admiral, left)) for left in range(WIDTH, 549, -41)]
    still = scene((astronaut, 40), (admiral, 550))
    frames += [still for _ in range(round(stay_s * FPS))]
    frames += [scene((astronaut, left), (admiral, 550)) for left in range(40, -330, -37)]
    frames += [scene((admiral, 550)) for _ in range(10)]
    frames += [scene((admiral, left)) for left in range(550, WIDTH + 41, 41)]
    frames += [scene() for _ in range(45)]
    return frames


def write_video(path: Path, frames: list[Pixels]) -> Path:
    """Motion JPEG, 10 frames a second."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def folder_of_people(folder: Path, name: str = "Ada Example") -> Path:
    """Names the astronaut, by other pictures than those of the video; one picture shows nobody."""
    person_folder = folder / name
    person_folder.mkdir(parents=True)
    picture = decoded(picture_bytes(ASTRONAUT))
    (person_folder / "1.jpg").write_bytes(encoded(mirrored(picture), ".jpg"))
    (person_folder / "2.png").write_bytes(encoded(np.full((80, 80, 3), 90, np.uint8)))
    (folder / "Nobody").mkdir()
    return folder
