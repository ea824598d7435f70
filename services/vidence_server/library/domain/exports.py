"""Exports: what a stream of one tells, and where it can be taken up again."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Self, TypeAlias

from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.libraries import Library


@dataclass(frozen=True, slots=True)
class ExportPlace:
    """A place in an export; its token names it."""

    export_id: str
    after_id: str
    """The last document that was given; empty: none was."""
    document_count: int
    """Documents up to here."""
    checksum: bytes
    with_vectors: bool

    def token(self) -> str:
        """For clients; opaque."""
        body = [
            self.export_id,
            self.after_id,
            self.document_count,
            self.checksum.hex(),
            self.with_vectors,
        ]
        return base64.urlsafe_b64encode(json.dumps(body, separators=(",", ":")).encode()).decode()

    @classmethod
    def of_token(cls, token: str) -> Self:
        """The inverse; raises `DomainError`, EXPORT_TOKEN_INVALID."""
        try:
            export_id, after_id, count, checksum, with_vectors = json.loads(base64.urlsafe_b64decode(token))
            place = cls(
                str(export_id), str(after_id), int(count), bytes.fromhex(checksum), bool(with_vectors)
            )
        except (ValueError, TypeError, binascii.Error):
            raise token_invalid() from None
        if place.document_count < 0 or len(place.checksum) != 32:
            raise token_invalid()
        return place


@dataclass(frozen=True, slots=True)
class ExportStarted:
    """An export begins, or goes on."""

    library: Library
    revision: int
    document_count: int
    resumed_count: int


@dataclass(frozen=True, slots=True)
class DocumentLines:
    """Lines of documents, each with its newline."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything up to here need not be sent again."""

    place: ExportPlace


@dataclass(frozen=True, slots=True)
class ExportComplete:
    """That was all."""

    document_count: int
    checksum: bytes


ExportEvent: TypeAlias = ExportStarted | DocumentLines | Checkpoint | ExportComplete


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is."""

    document_count: int
    total_count: int
    """0 where the export did not tell."""


@dataclass(frozen=True, slots=True)
class ImportComplete:
    """Everything came, unchanged."""

    document_count: int
    changed_count: int
    checksum: bytes


def token_invalid() -> DomainError:
    """The token is none of ours, or of another library."""
    return DomainError(
        Reason.EXPORT_TOKEN_INVALID, "The resume token was not given by this server for this library."
    )


def export_expired() -> DomainError:
    """The snapshot is gone."""
    return DomainError(Reason.EXPORT_EXPIRED, "The snapshot of this export is no longer kept.")
