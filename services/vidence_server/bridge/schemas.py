"""Messages as JSON Schema (2020-12), as ProtoJSON with snake_case names writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorSet,
)

Json = dict[str, Any]

_MESSAGES, _ENUMS = 4, 5
_NESTED, _NESTED_ENUMS, _FIELDS, _VALUES = 3, 4, 2, 2
"""Field numbers in descriptor.proto, by which source locations name things."""
_WELL_KNOWN: Mapping[str, Json] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "additionalProperties": True,
    },
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Empty": {"type": "object"},
    "google.api.HttpBody": {"type": "string", "format": "binary"},
}
_F = FieldDescriptor
_INT64 = (_F.TYPE_INT64, _F.TYPE_UINT64, _F.TYPE_SINT64, _F.TYPE_FIXED64, _F.TYPE_SFIXED64)
_INT32 = (_F.TYPE_INT32, _F.TYPE_UINT32, _F.TYPE_SINT32, _F.TYPE_FIXED32, _F.TYPE_SFIXED32)
_SCALARS: Mapping[int, Json] = {
    **{kind: {"type": ["string", "integer"], "format": "int64"} for kind in _INT64},
    **{kind: {"type": "integer", "format": "int32"} for kind in _INT32},
    **{kind: {"type": "number"} for kind in (_F.TYPE_FLOAT, _F.TYPE_DOUBLE)},
    _F.TYPE_BOOL: {"type": "boolean"},
    _F.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}


class Schemas:
    """Gathers the schemas of all messages that are named.

    Args:
        files: The contract, with its comments.
    """

    def __init__(self, files: FileDescriptorSet) -> None:
        self._comments = dict(_comments(files))
        self._known: dict[str, Json] = {}

    @property
    def components(self) -> Json:
        """All that were named, by full name."""
        return dict(sorted(self._known.items()))

    def comment(self, name: str) -> str:
        """What the proto says about a message, a field (`<message>.<field>`), or a value; empty: nothing."""
        return self._comments.get(name, "")

    def message(self, kind: Descriptor) -> Json:
        """A reference to a message's schema, or the schema itself where ProtoJSON has a form of its own."""
        name = str(kind.full_name)
        if name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[name])
        if name not in self._known:
            self._known[name] = {}  # a message may hold itself
            self._known[name] = self._object(kind)
        return {"$ref": f"#/components/schemas/{name}"}

    def field(self, field: FieldDescriptor) -> Json:
        """The schema of one field with its comment."""
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            schema: Json = {
                "type": "object",
                "additionalProperties": self._one(inner.fields_by_name["value"]),
            }
        elif field.is_repeated:
            schema = {"type": "array", "items": self._one(field)}
        else:
            schema = self._one(field)
        comment = self.comment(str(field.full_name))
        return {**schema, "description": comment} if comment else schema

    def _object(self, kind: Descriptor) -> Json:
        schema: Json = {
            "type": "object",
            "properties": {field.name: self.field(field) for field in kind.fields},
        }
        comment = self.comment(str(kind.full_name))
        return {**schema, "description": comment} if comment else schema

    def _one(self, field: FieldDescriptor) -> Json:
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.enum_type is not None:
            return _enum(field.enum_type)
        return dict(_SCALARS.get(field.type, {"type": "string"}))


def _enum(kind: EnumDescriptor) -> Json:
    return {"type": "string", "enum": [value.name for value in kind.values]}


def _comments(files: FileDescriptorSet) -> Iterator[tuple[str, str]]:
    for file in files.file:
        texts = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        names = [
            *_named(file.message_type, file.package, (_MESSAGES,)),
            *_named_enums(file.enum_type, file.package, (_ENUMS,)),
        ]
        for path, name in names:
            text = texts.get(path, "")
            if text:
                yield name, "\n".join(line.strip() for line in text.strip().splitlines())


Path = tuple[int, ...]


def _named(messages: Iterable[DescriptorProto], scope: str, path: Path) -> Iterator[tuple[Path, str]]:
    for index, message in enumerate(messages):
        here, name = (*path, index), f"{scope}.{message.name}"
        yield here, name
        for place, field in enumerate(message.field):
            yield (*here, _FIELDS, place), f"{name}.{field.name}"
        yield from _named(message.nested_type, name, (*here, _NESTED))
        yield from _named_enums(message.enum_type, name, (*here, _NESTED_ENUMS))


def _named_enums(enums: Iterable[EnumDescriptorProto], scope: str, path: Path) -> Iterator[tuple[Path, str]]:
    for index, enum in enumerate(enums):
        here, name = (*path, index), f"{scope}.{enum.name}"
        yield here, name
        for place, value in enumerate(enum.value):
            yield (*here, _VALUES, place), f"{name}.{value.name}"
