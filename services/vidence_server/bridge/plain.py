"""Messages as plain JSON values, and back: ProtoJSON with snake_case names."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from vidence_server.core.errors import DomainError, FieldViolation, Reason

Plain = dict[str, Any]
Path = tuple[str | int, ...]


def dumps(value: object) -> str:
    """One line of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def to_plain(message: Message, pool: DescriptorPool) -> Plain:
    """A message as `--json` of the command and Envoy print it.

    An `Any` whose type the suite does not know, which publishers on the bus are free to use, has its bytes as
    base64 in `value`: it must not end the stream for everybody.
    """
    try:
        return _print(message, pool)
    except TypeError:
        bare = copy.deepcopy(message)
        unknown = list(_take_unknown(bare, (), pool))
        members = _print(bare, pool)
        for path, wrapped in unknown:
            _put(members, path, wrapped)
        return members


def from_plain(members: Mapping[str, Any], kind: type[Message], pool: DescriptorPool) -> Message:
    """A message from JSON.

    Raises:
        DomainError: REQUEST_INVALID where the message has no such field or the value does not fit.
    """
    try:
        return json_format.ParseDict(dict(members), kind(), descriptor_pool=pool)
    except (json_format.ParseError, TypeError, ValueError, RecursionError) as error:
        name = _field_name(str(error))
        raise DomainError(
            Reason.REQUEST_INVALID,
            "The request does not fit the contract.",
            # The parser's own words may quote the value.
            fields=(FieldViolation(name, "is unknown or has a value of another kind"),) if name else (),
        ) from None


def _print(message: Message, pool: DescriptorPool) -> Plain:
    return json_format.MessageToDict(message, preserving_proto_field_name=True, descriptor_pool=pool)


def _field_name(text: str) -> str:
    """The field that a parser's message names: `Failed to parse k field: …`, `… no field named "k" at …`."""
    for before, after in (("Failed to parse ", " field"), ('no field named "', '"')):
        _, found, rest = text.partition(before)
        if found and after in rest:
            return rest.partition(after)[0][:128]
    return ""


def _take_unknown(message: Message, path: Path, pool: DescriptorPool) -> Iterator[tuple[Path, Plain]]:
    """Empties each `Any` of a type that the pool does not have, and gives what it held."""
    for field, value in list(message.ListFields()):
        if field.message_type is None:
            continue
        if _is_map(field):
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key, member in value.items():
                    yield from _take_unknown(member, (*path, field.name, str(key)), pool)
        elif isinstance(value, Message):
            yield from _take_one(value, (*path, field.name), pool)
        else:
            for index, member in enumerate(value):
                yield from _take_one(member, (*path, field.name, index), pool)


def _take_one(value: Message, path: Path, pool: DescriptorPool) -> Iterator[tuple[Path, Plain]]:
    if value.DESCRIPTOR.full_name != AnyMessage.DESCRIPTOR.full_name:
        yield from _take_unknown(value, path, pool)
        return
    wrapped = AnyMessage.FromString(value.SerializeToString())
    try:
        pool.FindMessageTypeByName(wrapped.TypeName())
        _print(value, pool)
    except (KeyError, TypeError, json_format.SerializeToJsonError):
        value.Clear()
        yield path, {"@type": wrapped.type_url, "value": base64.b64encode(wrapped.value).decode()}


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _put(members: Any, path: Path, value: Plain) -> None:
    for step in path[:-1]:
        members = members[step]
    members[path[-1]] = value
