"""What capture asks of others: eyes, a reader of documents, a comparer of faces."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from vidence_server.capture.domain.measurement import Measurement
from vidence_server.capture.domain.results import ImageRef
from vidence_server.capture.domain.states import Target
from vidence_server.capture.domain.verification import FieldFact


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPicture:
    """A JPEG, PNG or WebP file."""

    content: bytes


@dataclass(frozen=True, slots=True, eq=False)
class RawPicture:
    """Pixels: uint8 BGR, row by row, nothing between rows."""

    bgr: bytes
    width_px: int
    height_px: int


Picture: TypeAlias = EncodedPicture | RawPicture


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured beside the quality."""

    liveness: bool = False
    """Passive liveness."""
    movement: bool = False
    """Pose and eyes, exactly enough for challenges."""


@dataclass(frozen=True, slots=True, eq=False)
class DevelopedImage:
    """A picture as a file."""

    content: bytes
    media_type: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, eq=False)
class Developed:
    """What is kept of a capture."""

    image: DevelopedImage
    crop: DevelopedImage | None
    """The face, or the document straightened; None where it could not be cut out."""


class Eyes(Protocol):
    """Looks at frames. Any number of calls at once."""

    @property
    def models(self) -> tuple[str, ...]:
        """Models that look, as `name@sha256`."""
        ...

    async def measure(self, picture: Picture, target: Target, wanted: Wanted) -> Measurement:
        """What is seen in a frame.

        Raises:
            DomainError: FRAME_INVALID, the IMAGE_… reasons; QUEUE_FULL, DRAINING.
        """
        ...

    async def develop(self, picture: Picture, target: Target, seen: Measurement) -> Developed:
        """The files that are kept of a frame; errors as `measure`."""
        ...


@dataclass(frozen=True, slots=True)
class ReadPart:
    """One message of a reading."""

    kind: str
    """Member of the payload: `extraction_start`, `extraction_field`, …"""
    encoded: bytes
    """That member, an encoded message of `vidence.extraction.v1`."""
    values: tuple[FieldFact, ...] | None = None
    """All fields, with `extraction_complete` only."""


class DocumentReader(Protocol):
    """Reads documents; the suite hands one over."""

    def read(self, content: bytes, *, document_type: str) -> AsyncGenerator[ReadPart, None]:
        """Reads an encoded picture; the last part is `extraction_complete`. Closing ends the work.

        Raises:
            DomainError: As the extraction service's.
        """
        ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike two faces are."""

    similarity: float
    """Cosine, -1–1."""
    threshold: float
    """The least similarity that counts as the same person."""
    models: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether it counts as the same person."""
        return self.similarity >= self.threshold


class FaceComparer(Protocol):
    """Compares the face on a document with that of a person."""

    async def compare(self, portrait: bytes, selfie: bytes) -> Comparison | None:
        """How alike the largest faces of two encoded pictures are; None where one has none.

        Raises:
            DomainError: The IMAGE_… reasons, QUEUE_FULL.
        """
        ...


@dataclass(frozen=True, slots=True)
class FoundPicture:
    """A stored picture."""

    reference: ImageRef
    size_bytes: int
    session_id: str
    """Whose it is; empty: a monitor's, of no session."""
    pieces: Callable[[], AsyncIterator[bytes]]
    """Its bytes, piece by piece; raises `DomainError`, BLOB_NOT_FOUND."""


class Snapshots(Protocol):
    """Pictures that a monitor keeps."""

    async def find(self, tenant: str, image_id: str) -> FoundPicture:
        """A snapshot of a tenant's monitor; raises `DomainError`, IMAGE_NOT_FOUND."""
        ...

    async def erase(self, tenant: str, subject_id: str, *, dry_run: bool) -> int:
        """Erases those that show a subject, or only counts them; gives how many there were.

        Raises:
            DomainError: STORAGE_FAILED; to be repeated.
        """
        ...
