"""Multipart forms as requests: `curl -F file=@a.jpg -F document_type=passport`."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from vidence_server.bridge.fields import put_fields
from vidence_server.core.errors import DomainError, Reason

_MAX_FILES = 10_000
_MAX_FIELDS = 100
_MAX_TEXT_BYTES = 64 * 2**10
_NAME_FIELDS = ("file_name", "filename")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where files of a form go in a request: into `list_field`'s messages, or into the request itself."""

    list_field: str | None
    content: str
    name: str | None


class _InMemory(MultiPartParser):
    """Files of a form are identity documents: they never go to a temporary file."""

    spool_max_size = 2**40


async def request_of_form(
    headers: Mapping[str, str], chunks: AsyncGenerator[bytes, None], kind: Descriptor
) -> dict[str, Any]:
    """A request as JSON from a form.

    Files go, in order, to the first repeated message with a `bytes` field, or to the `bytes` field of the
    request itself, whatever their parts are called. Other parts name fields, as query parameters do.

    Args:
        headers: Of the request.
        chunks: Its body; bounded by who reads it.
        kind: The request's message type.

    Raises:
        DomainError: REQUEST_INVALID where it is no form, or the RPC takes no file; what `chunks` raises.
    """
    place = _place_of(kind)
    if place is None:
        raise DomainError(Reason.REQUEST_INVALID, "This method takes no files.")
    parser = _InMemory(
        Headers(headers), chunks, max_files=_MAX_FILES, max_fields=_MAX_FIELDS, max_part_size=_MAX_TEXT_BYTES
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise DomainError(
            Reason.REQUEST_INVALID, "The body is not the form that it is said to be."
        ) from error
    members: dict[str, Any] = {}
    try:
        parts = form.multi_items()
        put_fields(members, kind, [(name, text) for name, text in parts if isinstance(text, str)])
        for _, part in parts:
            if isinstance(part, UploadFile):
                _add(members, place, part.filename or "", await part.read())
    finally:
        await form.close()
    return members


def takes_files(kind: Descriptor) -> bool:
    """Whether a form with files can be a request of this type."""
    return _place_of(kind) is not None


def _add(members: dict[str, Any], place: _Place, name: str, content: bytes) -> None:
    encoded = base64.b64encode(content).decode()
    if place.list_field is None:
        if place.content in members:
            raise DomainError(Reason.REQUEST_INVALID, "This method takes one file.")
        members[place.content] = encoded
        return
    item = {place.content: encoded}
    if place.name is not None:
        item[place.name] = name
    members.setdefault(place.list_field, []).append(item)


def _place_of(kind: Descriptor) -> _Place | None:
    for field in kind.fields:
        if field.is_repeated and field.message_type is not None:
            content = _bytes_field(field.message_type)
            if content is not None:
                known = field.message_type.fields_by_name
                return _Place(
                    field.name, content, next((name for name in _NAME_FIELDS if name in known), None)
                )
    content = _bytes_field(kind)
    return None if content is None else _Place(None, content, None)


def _bytes_field(kind: Descriptor) -> str | None:
    fields = (
        field for field in kind.fields if field.type == FieldDescriptor.TYPE_BYTES and not field.is_repeated
    )
    return next((field.name for field in fields), None)
