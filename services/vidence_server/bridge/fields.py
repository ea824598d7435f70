"""Path variables, query parameters and form fields as fields of a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from vidence_server.core.errors import DomainError, FieldViolation, Reason

Pairs = Iterable[tuple[str, str]]
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def put_fields(members: dict[str, Any], kind: Descriptor, pairs: Pairs) -> None:
    """Sets fields in JSON by their dotted names: `filter.types=a&filter.types=b&page_size=10`.

    Args:
        members: The request so far; what is named here replaces what it has, repeated fields grow.
        kind: The request's message type.
        pairs: Names and values, as text.

    Raises:
        DomainError: REQUEST_INVALID where there is no such field.
    """
    for name, text in pairs:
        if not _put(members, kind, name.split("."), text):
            raise DomainError(
                Reason.REQUEST_INVALID,
                "The request has a parameter that is not known.",
                fields=(FieldViolation(name[:128], "is no field that a parameter can set"),),
            )


def drop_start(members: dict[str, Any]) -> None:
    """Forgets where a watch stream was to start."""
    for name in ("after_cursor", "since_time", "position"):
        members.pop(name, None)


def _put(members: dict[str, Any], kind: Descriptor, path: list[str], text: str) -> bool:
    field = kind.fields_by_name.get(path[0])
    if field is None:
        return False
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        entries = members.setdefault(field.name, {})
        entries[".".join(path[1:])] = text
        return len(path) > 1 and isinstance(entries, dict)
    if len(path) > 1:
        if field.message_type is None or field.is_repeated:
            return False
        inner = members.setdefault(field.name, {})
        return isinstance(inner, dict) and _put(inner, field.message_type, path[1:], text)
    if field.is_repeated:
        members[field.name] = [*members.get(field.name, []), _value(field, text)]
    else:
        members[field.name] = _value(field, text)
    return True


def _value(field: FieldDescriptor, text: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _BOOLEANS.get(text.lower(), text)
    return text


def members_of(body: object) -> Mapping[str, Any]:
    """A JSON body that has to be an object.

    Raises:
        DomainError: REQUEST_INVALID where it is something else.
    """
    if not isinstance(body, dict):
        raise DomainError(Reason.REQUEST_INVALID, "The body must be one JSON object.")
    return body
