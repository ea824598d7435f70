"""What watching needs from others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from vidence_server.monitor.domain.appearances import PersonChange, Sight, Snapshot
from vidence_server.vision.faces.face import Face, Template
from vidence_server.vision.image import Pixels


class VideoSource(Protocol):
    """An opened camera or video. Used by one thread."""

    def grab(self) -> bool:
        """Goes to the next frame; False: there is none."""
        ...

    def retrieve(self) -> Pixels | None:
        """The pixels of that frame; None: they cannot be had."""
        ...

    def position_s(self) -> float | None:
        """Where that frame stands in the video, s; None: a live source."""
        ...

    def release(self) -> None:
        """Closes it."""
        ...


OpenSource: TypeAlias = Callable[[], VideoSource | None]
"""Opens the source, for as long as that takes; None: it cannot be opened now."""


class Faces(Protocol):
    """Finds and embeds faces."""

    @property
    def model(self) -> str:
        """Registry name and version of what makes the templates, `face-embedder@…`."""
        ...

    async def detect(self, pixels: Pixels) -> Sequence[Face]:
        """All faces of a frame; raises the engine's `DomainError`s."""
        ...

    async def embed(self, pixels: Pixels, faces: Sequence[Face]) -> Sequence[Template]:
        """Their templates; raises the engine's `DomainError`s."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """A person who is known."""

    name: str
    similarity: float
    """-1 to 1."""


class FaceSearch(Protocol):
    """Finds people by the faces of a library; whoever starts the monitor hands one over."""

    async def check_library(self, library_id: str) -> None:
        """Whether there is such a library.

        Raises:
            DomainError: LIBRARY_NOT_FOUND; another reason where nobody can tell now.
        """
        ...

    async def search_faces(
        self, library_id: str, model: tuple[str, str], data: bytes, k: int
    ) -> Sequence[tuple[str, float]]:
        """The subjects that a face is most like, with their similarities, best first, each once.

        Args:
            library_id: Where.
            model: Name and version of what made the template.
            data: The template: 32-bit floats, little-endian.
            k: Subjects at most.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, and whatever keeps the library from answering.
        """
        ...


class Gallery(Protocol):
    """The people who are known: a folder, or a library."""

    @property
    def threshold(self) -> float:
        """Similarity from which on somebody counts as known."""
        ...

    async def identify(self, template: Template) -> Identity | None:
        """Whom a face belongs to; None: nobody known, or two people it is equally like."""
        ...


class SnapshotStore(Protocol):
    """Keeps pictures of faces."""

    async def keep(self, pixels: Pixels, sight: Sight) -> Snapshot | None:
        """Keeps the face and what is around it; None where that fails: watching goes on."""
        ...

    async def name(self, snapshot: Snapshot, name: str) -> bool:
        """Makes a picture one that is found by the person whom it shows, before anybody is told who it is.

        Returns:
            False where that failed and the picture could not be removed either: then the name must not be
            told.
        """
        ...


class Journal(Protocol):
    """Keeps what is told. Takes no time, never fails."""

    def record(self, change: PersonChange) -> None:
        """Keeps a change and tells it to the bus, now or as soon as that is possible."""
        ...

    def seen(self, appearance_id: str, time: datetime) -> None:
        """Notes that somebody is still there, for the case that this process dies."""
        ...
