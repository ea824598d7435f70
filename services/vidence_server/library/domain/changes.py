"""What happens in a library. Nothing of it has contents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from vidence_server.library.domain.libraries import Embedding
from vidence_server.library.search.index import IndexKind


@dataclass(frozen=True, slots=True)
class LibraryCreated:
    """It is there."""

    embedding: Embedding | None
    index_kind: IndexKind


@dataclass(frozen=True, slots=True)
class LibraryUpdated:
    """Its own properties changed."""


@dataclass(frozen=True, slots=True)
class LibraryDeleted:
    """It is gone with all that it held."""

    document_count: int
    face_count: int


@dataclass(frozen=True, slots=True)
class DocumentCreated:
    """A document is new."""

    document_id: str
    version: int


@dataclass(frozen=True, slots=True)
class DocumentUpdated:
    """A document has a new version."""

    document_id: str
    version: int


@dataclass(frozen=True, slots=True)
class DocumentDeleted:
    """A document is gone."""

    document_id: str


@dataclass(frozen=True, slots=True)
class FaceEnrolled:
    """A face is new."""

    face_id: str


@dataclass(frozen=True, slots=True)
class SubjectDeleted:
    """A subject is gone; which, is not told."""

    face_count: int


@dataclass(frozen=True, slots=True)
class ReembeddingProgressed:
    """The change to another model goes on."""

    model_id: str
    done: int
    total: int


Change: TypeAlias = (
    LibraryCreated
    | LibraryUpdated
    | LibraryDeleted
    | DocumentCreated
    | DocumentUpdated
    | DocumentDeleted
    | FaceEnrolled
    | SubjectDeleted
    | ReembeddingProgressed
)


@dataclass(frozen=True, slots=True)
class ChangeKey:
    """What filters of a library's log look at."""

    type: str
    """As on the bus: `document.created`."""
    document_id: str
    """Empty where it is not about one."""


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes a watcher wants; fits `streams.requests.Filter`."""

    types: frozenset[str]
    """Empty: all."""
    document_id_prefix: str

    def matches(self, key: object) -> bool:
        """Whether a change is wanted."""
        return (
            isinstance(key, ChangeKey)
            and (not self.types or key.type in self.types)
            and (
                not self.document_id_prefix
                or (bool(key.document_id) and key.document_id.startswith(self.document_id_prefix))
            )
        )
