"""A monitor without camera and models: frames are numbers, faces are scripted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from vidence_server.core.errors import DomainError, Reason
from vidence_server.monitor.domain.appearances import PersonChange, Sight, Snapshot
from vidence_server.monitor.ports import Identity
from vidence_server.vision.faces.face import Box, Face, Landmarks, Template
from vidence_server.vision.geometry import Point
from vidence_server.vision.image import Pixels

SIZE_PX = 60.0


def face(at: float, size: float = SIZE_PX) -> Face:
    places = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.4, 0.8), (0.6, 0.8))
    right_eye, left_eye, nose, right_mouth, left_mouth = (
        Point(at + size * x, 100 + size * y) for x, y in places
    )
    landmarks = Landmarks(right_eye, left_eye, nose, right_mouth, left_mouth)
    return Face(Box(at, 100, size, size), landmarks, 0.9)


def template(person: int) -> Template:
    """People are axes: nobody is like anybody else."""
    vector = np.zeros(8, np.float32)
    vector[person] = 1
    return Template(vector, "face-embedder", "0" * 12)


def picture(*people: int) -> Pixels:
    """A frame that says who is on it: person n stands at 100 n px."""
    pixels = np.zeros((480, 640, 3), np.uint8)
    for index, person in enumerate(people):
        pixels[0, index, 0] = person
    return pixels


@dataclass
class ScriptedFaces:
    """Reads the people off a `picture`."""

    failures: list[DomainError] = field(default_factory=list)
    """Raised by the next frames, one each."""
    model: str = "face-embedder@000000000000"
    embedded: int = 0

    async def detect(self, pixels: Pixels) -> Sequence[Face]:
        if self.failures:
            raise self.failures.pop(0)
        return [face(100 * int(person)) for person in pixels[0, :8, 0] if person]

    async def embed(self, pixels: Pixels, faces: Sequence[Face]) -> Sequence[Template]:
        self.embedded += len(faces)
        return [template(round(one.box.left / 100)) for one in faces]


class OneKnown:
    """A gallery that knows person 1."""

    threshold = 0.4

    async def identify(self, template: Template) -> Identity | None:
        return Identity("Ada", 0.9) if template.vector[1] > 0.5 else None


class FixedSnapshots:
    """Keeps nothing and says so, or fails.

    Args:
        image_id: Of every picture; empty: none is kept.
        journal_length: How much was told so far.
    """

    def __init__(self, image_id: str = "", journal_length: Callable[[], int] = lambda: 0) -> None:
        self.image_id = image_id
        self.journal_length = journal_length
        self.named: list[tuple[str, int]] = []
        """Who was noted, and how much had been told before."""
        self.refuses = False
        """Whether it can neither note nor remove."""

    async def keep(self, pixels: Pixels, sight: Sight) -> Snapshot | None:
        if not self.image_id:
            return None
        return Snapshot(self.image_id, "0" * 64, 10, 10, datetime.fromisoformat("2026-05-05T00:00:00Z"))

    async def name(self, snapshot: Snapshot, name: str) -> bool:
        assert snapshot.image_id == self.image_id
        self.named.append((name, self.journal_length()))
        return not self.refuses


@dataclass
class ListJournal:
    """Keeps what is told."""

    told: list[PersonChange] = field(default_factory=list)
    last: dict[str, datetime] = field(default_factory=dict)

    def record(self, change: PersonChange) -> None:
        self.told.append(change)

    def seen(self, appearance_id: str, time: datetime) -> None:
        self.last[appearance_id] = time

    @property
    def kinds(self) -> list[str]:
        return [type(change).__name__.removeprefix("Person") for change in self.told]


class ScriptedVideo:
    """A `VideoSource` of given frames; a live one may hang after them until it is released.

    Args:
        frames: Pictures; None: one whose pixels cannot be had.
        fps: Of the video; None: a live source.
        hang: Whether it hangs at the end in the place of ending.
    """

    def __init__(
        self, frames: Sequence[Pixels | None], *, fps: float | None = 10, hang: bool = False
    ) -> None:
        self._frames = list(frames)
        self._fps = fps
        self._hang = hang
        self._next = 0
        self.released = threading.Event()
        self.let_go = threading.Event()
        self.hanging = threading.Event()

    def grab(self) -> bool:
        if self._next >= len(self._frames) and self._hang:
            self.hanging.set()
            self.let_go.wait(30)
        if self._next >= len(self._frames):
            return False
        self._next += 1
        return True

    def retrieve(self) -> Pixels | None:
        return self._frames[self._next - 1]

    def position_s(self) -> float | None:
        return None if self._fps is None else (self._next - 1) / self._fps

    def release(self) -> None:
        self.released.set()


def failed(reason: Reason = Reason.QUEUE_FULL) -> DomainError:
    return DomainError(reason, "scripted")
