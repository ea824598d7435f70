"""Results of readings as documents of a library, so that they are found again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vidence.extraction.v1 import document_pb2
from vidence.library.v1 import library_pb2
from vidence_server.access.refusals import scope_missing
from vidence_server.runtime.rpc import current_rpc

_SCOPE = "library.write"
_MAX_TEXT_BYTES = 262_144
_MAX_VALUE = 4096
_MAX_PAIRS = 256
"""Limits of `vidence.library.v1.Document`."""


def check_may_file(library_id: str) -> None:
    """Refuses to put results into a library for a caller who may not write there.

    Raises:
        DomainError: SCOPE_MISSING.
    """
    rpc = current_rpc()
    if library_id and rpc is not None and rpc.principal is not None and not rpc.principal.grants(_SCOPE):
        raise scope_missing(_SCOPE)


def to_library_document(
    document_id: str, read: document_pb2.Document, properties: Mapping[str, str | float]
) -> library_pb2.Document:
    """What was read as a document of a library.

    Its text has the values in the order in which they were read, a line each; its metadata has the type, the
    properties, and the value of every field that a document has once. What a library would not take of a
    page full of text is left out, the end first.
    """
    metadata = {"document_type": _text(read.document_type)}
    metadata |= {key: _value(value) for key, value in properties.items()}
    for field in read.fields:
        if field.index == 0 and field.key not in metadata and len(metadata) < _MAX_PAIRS:
            metadata[field.key] = _text(field.value or field.raw_value)
    return library_pb2.Document(document_id=document_id, text="\n".join(_lines(read)), metadata=metadata)


def _lines(read: document_pb2.Document) -> Iterator[str]:
    left = _MAX_TEXT_BYTES
    for field in read.fields:
        line = _clean(field.value or field.raw_value)
        left -= len(line.encode()) + 1
        if left < 0:
            return
        yield line


def _value(value: str | float) -> library_pb2.MetadataValue:
    return _text(value) if isinstance(value, str) else library_pb2.MetadataValue(number_value=value)


def _text(value: str) -> library_pb2.MetadataValue:
    return library_pb2.MetadataValue(string_value=_clean(value)[:_MAX_VALUE])


def _clean(value: str) -> str:
    return value.replace("\x00", "")
