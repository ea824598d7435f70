"""Documents and what is said of them as lines of JSON."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.documents import Document, DocumentDraft, Origin, Vector, draft
from vidence_server.library.domain.metadata import invalid, read_metadata, read_time, rfc3339

MAX_LINE_BYTES = 2**20
_KNOWN = frozenset(
    {
        "document_id",
        "text",
        "metadata",
        "vector",
        "version",
        "revision",
        "content_sha256",
        "create_time",
        "update_time",
    }
)
NO_CHECKSUM = bytes(32)


@dataclass(frozen=True, slots=True)
class ExportEnd:
    """What the last line of an export tells."""

    document_count: int
    checksum: str


class LineSplitter:
    """Cuts a body that comes in pieces into lines. Bound: one line of `MAX_LINE_BYTES`."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that end in `data`; raises `DomainError`, DOCUMENT_INVALID, where one is too long."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if max(len(self._rest), *map(len, lines), 0) > MAX_LINE_BYTES:
            raise DomainError(
                Reason.DOCUMENT_INVALID,
                "A line is longer than it may be.",
                metadata={"limit": str(MAX_LINE_BYTES)},
            )
        return lines

    def finish(self) -> list[bytes]:
        """The last line, where it has no newline."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


def next_checksum(checksum: bytes, line: bytes) -> bytes:
    """The checksum of an export, one line further: SHA-256(checksum || SHA-256(line))."""
    return hashlib.sha256(checksum + hashlib.sha256(line).digest()).digest()


def document_line(document: Document, *, with_vector: bool) -> bytes:
    """The line of a document in an export, without its newline."""
    encode = json.dumps
    vector = ""
    if with_vector and document.vector is not None:
        data = base64.b64encode(document.vector.data).decode()
        vector = f',"vector":{{"model_id":{encode(document.vector.model_id)},"data":"{data}"}}'
    return (
        f'{{"document":{{"document_id":{encode(document.document_id, ensure_ascii=False)},'
        f'"text":{encode(document.text, ensure_ascii=False)},"metadata":{document.metadata_json}{vector},'
        f'"version":"{document.version}","content_sha256":"{document.content_hash.hex()}",'
        f'"create_time":"{rfc3339(document.create_time)}",'
        f'"update_time":"{rfc3339(document.update_time)}"}}}}'
    ).encode()


def parse_object(line: bytes) -> Mapping[str, Any]:
    """A line as an object; raises `DomainError`, DOCUMENT_INVALID."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise invalid("The line is no JSON.") from None
    if not isinstance(value, Mapping):
        raise invalid("The line is no JSON object.")
    return value


def parse_document(value: Mapping[str, Any], *, new_id: str = "", imported: bool = False) -> DocumentDraft:
    """A document from an object of JSON.

    Args:
        value: The document itself, or an object with nothing but `document`, as exports have.
        new_id: Its id where it has none.
        imported: Whether version, times and hash are taken over; they must then be there.

    Raises:
        DomainError: DOCUMENT_INVALID, REQUEST_INVALID.
    """
    inner = value.get("document")
    if inner is not None and len(value) == 1:
        if not isinstance(inner, Mapping):
            raise invalid("`document` is no object.")
        value = inner
    if not value.keys() <= _KNOWN:
        raise invalid("The document has a field that documents do not have.")
    return draft(
        _text(value, "document_id") or new_id,
        _text(value, "text"),
        {} if value.get("metadata") is None else read_metadata(value["metadata"]),
        _vector(value["vector"]) if value.get("vector") is not None else None,
        origin=_origin(value) if imported else None,
    )


def parse_end(value: Mapping[str, Any]) -> ExportEnd:
    """What `export_complete` tells; raises `DomainError`, DOCUMENT_INVALID."""
    try:
        return ExportEnd(int(value["document_count"]), str(value["checksum"]))
    except (KeyError, TypeError, ValueError):
        raise invalid("The last line of the export cannot be read.") from None


def _text(value: Mapping[str, Any], field: str) -> str:
    text = value.get(field) or ""
    if not isinstance(text, str):
        raise invalid(f"`{field}` is no text.")
    return text


def _vector(value: Any) -> Vector:
    if not isinstance(value, Mapping) or not isinstance(value.get("model_id"), str):
        raise invalid("`vector` has a `model_id`, and `values` or `data`.")
    try:
        if "data" in value:
            data = base64.b64decode(value["data"], validate=True)
        else:
            values = value["values"]
            data = struct.pack(f"<{len(values)}f", *values)
    except (KeyError, TypeError, ValueError, OverflowError, struct.error, binascii.Error):
        raise invalid("`vector` has `values`, numbers, or `data`, 32-bit floats in Base64.") from None
    if not data or len(data) % 4:
        raise invalid("`vector` has no whole numbers.")
    return Vector(value["model_id"], data)


def _origin(value: Mapping[str, Any]) -> Origin:
    try:
        version, content_hash = int(value["version"]), bytes.fromhex(value["content_sha256"])
    except (KeyError, TypeError, ValueError):
        raise invalid("The document is no line of an export.") from None
    if version < 1:
        raise invalid("Versions count from 1.")
    return Origin(
        version, content_hash, read_time(value.get("create_time")), read_time(value.get("update_time"))
    )
