"""How the bytes of blobs stand in their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

CHUNK_BYTES = 256 * 1024
"""Largest piece that is given out."""


@dataclass(frozen=True, slots=True)
class BlobLabel:
    """What bytes are kept as; those of one label are never given out as another's."""

    tenant: str
    kind: str
    """Name of the folder."""
    id: str
    owner: str = ""
    """Whose they are, where that is known; the one part that no log has."""


class BlobFormat(Protocol):
    """How bytes stand in a file. Its calls block, and come from any thread."""

    def write(self, file: BinaryIO, data: bytes, label: BlobLabel) -> None:
        """Writes bytes; raises `DomainError` where they must not be written as they are."""
        ...

    def pieces(self, file: BinaryIO, label: BlobLabel) -> Iterator[bytes]:
        """The bytes in pieces of at most `CHUNK_BYTES`, none of them empty; raises `DomainError`."""
        ...


class PlainFormat:
    """A `BlobFormat`: the bytes, and nothing else."""

    def write(self, file: BinaryIO, data: bytes, label: BlobLabel) -> None:  # noqa: ARG002 - as `BlobFormat`
        """Writes them."""
        file.write(data)

    def pieces(self, file: BinaryIO, label: BlobLabel) -> Iterator[bytes]:  # noqa: ARG002 - as `BlobFormat`
        """Reads them."""
        while piece := file.read(CHUNK_BYTES):
            yield piece
