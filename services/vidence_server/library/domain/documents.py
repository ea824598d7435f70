"""Documents: what is asked to be kept, what is kept, and what became of it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.library.domain.metadata import metadata_json
from vidence_server.library.search.filters import Metadata, check_metadata

MAX_TEXT_BYTES = 262_144
MAX_ID_LENGTH = 256
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_BAD_TEXT = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector with the model that made it."""

    model_id: str
    data: bytes
    """float32, little-endian."""

    @property
    def dimensions(self) -> int:
        """Numbers."""
        return len(self.data) // 4


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an imported document comes from: what an export told of it."""

    version: int
    content_hash: bytes
    create_time: datetime
    update_time: datetime


@dataclass(frozen=True, slots=True)
class DocumentDraft:
    """A document that is to be kept. Made by `draft`, which checks it."""

    document_id: str
    text: str
    metadata: Metadata
    metadata_json: str
    vector: Vector | None
    """Given by the client; None: made of the text."""
    content_hash: bytes
    """Of what the client gave."""
    size_bytes: int
    """Of text and metadata, in UTF-8."""
    origin: Origin | None = None

    def hash_without_vector(self) -> bytes:
        """What `content_hash` would be if no vector had been given."""
        return hash_of(self.text, self.metadata_json, None)


@dataclass(frozen=True, slots=True)
class Document:
    """A version of a document as it is kept."""

    document_id: str
    version: int
    revision: int
    """The library's change that made it."""
    content_hash: bytes
    text: str
    metadata_json: str
    vector: Vector | None
    create_time: datetime
    update_time: datetime


class OnExisting(Enum):
    """What becomes of a document whose id has other content already."""

    UPDATE = auto()
    FAIL = auto()


class KeptState(Enum):
    """What became of a document; the names are those of `vidence.library.v1.IngestState`."""

    CREATED = auto()
    UPDATED = auto()
    DUPLICATE = auto()
    DELETED = auto()


@dataclass(frozen=True, slots=True)
class Kept:
    """A document was kept, recognised or deleted."""

    document_id: str
    state: KeptState
    revision: int
    version: int


def draft(
    document_id: str,
    text: str,
    metadata: Metadata,
    vector: Vector | None = None,
    *,
    origin: Origin | None = None,
) -> DocumentDraft:
    """Checks a document.

    Args:
        document_id: Its id; not empty.
        text: What it says.
        metadata: Its properties.
        vector: Given by the client.
        origin: Of an imported document: its hash is taken over, since the vector may have been made by the
            server that exported it. That nothing was changed on the way, the export's checksum tells.

    Raises:
        DomainError: REQUEST_INVALID.
    """
    if not 1 <= len(document_id) <= MAX_ID_LENGTH or _CONTROL.search(document_id):
        raise _invalid("document_id", "has 1 to 256 characters, none of them a control character")
    if len(text) * 4 > MAX_TEXT_BYTES and len(text.encode(errors="surrogatepass")) > MAX_TEXT_BYTES:
        raise _invalid("text", f"has at most {MAX_TEXT_BYTES} bytes")
    if _BAD_TEXT.search(text):
        raise _invalid("text", "has neither NUL nor lone surrogates")
    if metadata:
        check_metadata(metadata)
    encoded = metadata_json(metadata)
    content_hash = hash_of(text, encoded, vector) if origin is None else origin.content_hash
    size_bytes = len(text.encode()) + len(encoded.encode())
    return DocumentDraft(document_id, text, metadata, encoded, vector, content_hash, size_bytes, origin)


def hash_of(text: str, encoded_metadata: str, vector: Vector | None) -> bytes:
    """SHA-256 of the content: text, metadata and given vector, each with its length."""
    parts = [text.encode(), encoded_metadata.encode()]
    if vector is not None:
        parts += [vector.model_id.encode(), vector.data]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def document_not_found() -> DomainError:
    """The library has no such document."""
    return DomainError(Reason.DOCUMENT_NOT_FOUND, "There is no such document in the library.")


def document_exists(version: int) -> DomainError:
    """The id has other content."""
    return DomainError(
        Reason.DOCUMENT_EXISTS,
        "There is a document with this id and other content.",
        metadata={"version": str(version)},
    )


def version_mismatch(expected: int, actual: int) -> DomainError:
    """The document is another by now."""
    return DomainError(
        Reason.REVISION_MISMATCH,
        "The document has another version by now.",
        metadata={"expected": str(expected), "actual": str(actual)},
    )


def _invalid(field: str, description: str) -> DomainError:
    return DomainError(
        Reason.REQUEST_INVALID,
        f"The document breaks its rules: {field}.",
        fields=(FieldViolation(f"document.{field}", description),),
    )
