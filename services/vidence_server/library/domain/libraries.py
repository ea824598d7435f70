"""Libraries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.search.index import IndexKind


@dataclass(frozen=True, slots=True)
class Embedding:
    """How texts become vectors."""

    model_id: str
    """Model and version; vectors of different models are never compared."""
    dimensions: int


@dataclass(frozen=True, slots=True)
class LibrarySpec:
    """A library as it is asked for."""

    library_id: str
    display_name: str
    labels: Mapping[str, str]
    embedding: Embedding | None
    """None: its documents have no vectors."""
    index_kind: IndexKind


@dataclass(frozen=True, slots=True)
class Library:
    """A library as it is kept."""

    no: int
    """Row number; never given twice."""
    tenant: str
    uid: str
    """Names this life of the library: one that is made later under the same id has another."""
    spec: LibrarySpec
    next_model_id: str
    """Model that its vectors are being changed to; empty: none."""
    revision: int
    document_count: int
    content_bytes: int
    face_count: int
    create_time: datetime
    update_time: datetime

    @property
    def library_id(self) -> str:
        """Its id within the tenant."""
        return self.spec.library_id

    @property
    def model_id(self) -> str:
        """Model of its vectors; empty: they have none."""
        return self.spec.embedding.model_id if self.spec.embedding else ""


@dataclass(frozen=True, slots=True)
class LibraryChange:
    """What is to be another; None: stays."""

    display_name: str | None = None
    labels: Mapping[str, str] | None = None
    index_kind: IndexKind | None = None


def library_not_found(library_id: str) -> DomainError:
    """No library of the tenant has this id."""
    return DomainError(
        Reason.LIBRARY_NOT_FOUND, "There is no such library.", metadata={"library_id": library_id}
    )


def model_mismatch(expected: str, actual: str) -> DomainError:
    """A vector of another model than the library's, or of another length."""
    return DomainError(
        Reason.EMBEDDING_MODEL_MISMATCH,
        "The vector was made by another model than those of the library, or has another length.",
        metadata={"expected": expected, "actual": actual},
    )


def model_unavailable(model_id: str) -> DomainError:
    """A vector is needed, and the server has no model to make it."""
    return DomainError(
        Reason.EMBEDDING_UNAVAILABLE, "The server does not have this model.", metadata={"model": model_id}
    )
