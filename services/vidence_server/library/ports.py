"""What the library service asks of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vidence_server.inference.engine import Priority
from vidence_server.library.domain.changes import Change
from vidence_server.library.domain.faces import FaceTemplate
from vidence_server.library.domain.libraries import Library
from vidence_server.storage.outbox import OutboxEvent


class TextEmbedder(Protocol):
    """Makes vectors of texts; `library.embedding` has one."""

    @property
    def model_id(self) -> str:
        """Model and version."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers per vector."""
        ...

    async def embed(
        self, texts: Sequence[str], *, priority: Priority = Priority.INTERACTIVE
    ) -> npt.NDArray[np.float32]:
        """float32 (N, D), each row of length 1.

        Raises:
            DomainError: QUEUE_FULL, DRAINING, INTERNAL.
        """
        ...


class FaceEmbedder(Protocol):
    """Makes a template of the one face in a picture; the face service has one."""

    async def template(self, image: bytes) -> FaceTemplate:
        """The template.

        Raises:
            DomainError: The picture cannot be read, or has not exactly one face.
        """
        ...


class ChangeEncoder(Protocol):
    """Makes the messages of changes; `convert` has one."""

    def entry(self, library_id: str, change: Change, sequence: int, time_ns: int) -> bytes:
        """The `LibraryEvent` of the library's log, without its cursor."""
        ...

    def event(self, library: Library, change: Change, sequence: int, time_ns: int) -> OutboxEvent | None:
        """The event of the bus; None where the bus is not told."""
        ...
