"""The document types this build knows: one line each."""

from __future__ import annotations

from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.extraction.types.decklist.document_type import DECKLIST
from vidence_server.extraction.types.document_type import DocumentType
from vidence_server.extraction.types.driving_licence.document_type import DRIVING_LICENCE
from vidence_server.extraction.types.id_card import ID_CARD
from vidence_server.extraction.types.passport import PASSPORT
from vidence_server.extraction.types.receipt.document_type import RECEIPT
from vidence_server.extraction.types.text import TEXT
from vidence_server.extraction.types.visa import VISA

DOCUMENT_TYPES: tuple[DocumentType, ...] = (
    PASSPORT,
    VISA,
    ID_CARD,
    DRIVING_LICENCE,
    RECEIPT,
    DECKLIST,
    TEXT,
)


def document_type(key: str) -> DocumentType:
    """The type named `key`; raises `DomainError` with `DOCUMENT_TYPE_UNKNOWN` and the known keys."""
    for known in DOCUMENT_TYPES:
        if known.key == key:
            return known
    keys = ", ".join(known.key for known in DOCUMENT_TYPES)
    raise DomainError(
        Reason.DOCUMENT_TYPE_UNKNOWN,
        f"no such document type; known are {keys}",
        fields=(FieldViolation("document_type", f"must be one of {keys}"),),
        metadata={"known": keys},
    )
