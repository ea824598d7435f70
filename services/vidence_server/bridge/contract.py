"""The RPCs as the protos describe them: where they are in HTTP, their messages, their comments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import cast

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from vidence_server.bridge.path_template import PathTemplate
from vidence_server.bridge.services import SERVICES, ServiceLine

_VERBS = ("get", "put", "post", "delete", "patch")
_SERVICES_FIELD, _METHODS_FIELD = 6, 2
"""Field numbers in descriptor.proto, by which source locations name things."""
_ANY, _STATUS = "google.protobuf.Any", "google.rpc.Status"
_WATCH_FIELDS = {"events": 1, "control": 2, "cursor": 3, "previous_cursor": 4}


@dataclass(frozen=True, slots=True)
class Binding:
    """A place of an RPC in HTTP."""

    verb: str
    template: PathTemplate
    body: str
    """Field that the body sets; `*`: the body is the request; empty: there is none."""


@dataclass(frozen=True)
class Rpc:
    """One RPC."""

    line: ServiceLine
    service: str
    """Full name: `vidence.event.v1.EventService`."""
    name: str
    request: type[Message]
    response: type[Message]
    client_streaming: bool
    server_streaming: bool
    bindings: tuple[Binding, ...]
    comment: str

    @property
    def path(self) -> str:
        """Its place in gRPC."""
        return f"/{self.service}/{self.name}"

    @cached_property
    def is_watch(self) -> bool:
        """Whether its responses have the shape of watch streams; see docs/concepts/streams.md."""
        fields = self.response.DESCRIPTOR.fields_by_name
        return self.server_streaming and all(
            name in fields and fields[name].number == number for name, number in _WATCH_FIELDS.items()
        )

    @cached_property
    def has_open_payload(self) -> bool:
        """Whether its responses may hold messages of types that are not of this suite.

        Envoy's transcoder breaks the whole answer at the first of them, so these are left to the bridge.
        """
        return _reaches_any(descriptor_of(self.response), set())


@dataclass(frozen=True, slots=True)
class Match:
    """What a request means."""

    rpc: Rpc
    binding: Binding
    variables: Mapping[str, str]


class Contract:
    """All RPCs of the services in a table.

    Args:
        encoded: A FileDescriptorSet with source locations; `descriptor_bytes()` is that of this version.
        lines: The table.
    """

    def __init__(self, encoded: bytes, lines: Sequence[ServiceLine] = SERVICES) -> None:
        self.files = FileDescriptorSet.FromString(encoded)
        self.pool = DescriptorPool()
        for file in self.files.file:
            self.pool.Add(file)
        by_package = {package: line for line in lines for package in line.packages}
        self.rpcs = tuple(
            rpc
            for file in self.files.file
            if file.package in by_package
            for rpc in _rpcs_of(file, by_package[file.package], self.pool)
        )
        bound = [(rpc, binding) for rpc in self.rpcs for binding in rpc.bindings]
        self._bound = sorted(bound, key=lambda pair: pair[1].template.order)

    @property
    def lines(self) -> tuple[ServiceLine, ...]:
        """The services that have RPCs, in the order of the table."""
        known = {rpc.line.name: rpc.line for rpc in self.rpcs}
        return tuple(line for line in SERVICES if line.name in known)

    def services_of(self, line: ServiceLine) -> tuple[str, ...]:
        """Full names of a line's gRPC services."""
        return tuple(dict.fromkeys(rpc.service for rpc in self.rpcs if rpc.line == line))

    def bound(self) -> Sequence[tuple[Rpc, Binding]]:
        """Every place in HTTP, in the order in which they are tried."""
        return self._bound

    def match(self, verb: str, path: str) -> Match | None:
        """What a request means; None where it means nothing.

        Args:
            verb: `GET`, `POST`, …
            path: As it came over the wire, without the query.
        """
        for rpc, binding in self._bound:
            if binding.verb == verb:
                variables = binding.template.match(path)
                if variables is not None:
                    return Match(rpc, binding, variables)
        return None

    def verbs(self, path: str) -> tuple[str, ...]:
        """The verbs that mean something for a path."""
        return tuple(
            sorted({binding.verb for _, binding in self._bound if binding.template.match(path) is not None})
        )


def descriptor_bytes() -> bytes:
    """The contract of this version, encoded."""
    return resources.files("vidence").joinpath("descriptors.binpb").read_bytes()


def message_class(pool: DescriptorPool, name: str) -> type[Message]:
    """The class of a message by its full name.

    Raises:
        KeyError: There is none.
    """
    descriptor: Descriptor = pool.FindMessageTypeByName(name)
    return GetMessageClass(descriptor)


def descriptor_of(kind: type[Message] | Message) -> Descriptor:
    """What a message is made of; the stubs know two kinds that are one."""
    return cast(Descriptor, kind.DESCRIPTOR)


def _reaches_any(kind: Descriptor, seen: set[str]) -> bool:
    name = str(kind.full_name)
    if name == _ANY:
        return True
    # Details of errors are our own.
    if name in seen or name == _STATUS:
        return False
    seen.add(name)
    return any(
        field.message_type is not None and _reaches_any(field.message_type, seen) for field in kind.fields
    )


def _rpcs_of(file: FileDescriptorProto, line: ServiceLine, pool: DescriptorPool) -> Iterator[Rpc]:
    comments = {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}
    for place, service in enumerate(file.service):
        if f"{file.package}.{service.name}" in line.inside:
            continue
        for index, method in enumerate(service.method):
            comment = comments.get((_SERVICES_FIELD, place, _METHODS_FIELD, index), "")
            yield _rpc(line, f"{file.package}.{service.name}", method, comment, pool)


def _rpc(
    line: ServiceLine, service: str, method: MethodDescriptorProto, comment: str, pool: DescriptorPool
) -> Rpc:
    return Rpc(
        line=line,
        service=service,
        name=method.name,
        request=message_class(pool, method.input_type.removeprefix(".")),
        response=message_class(pool, method.output_type.removeprefix(".")),
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        bindings=tuple(_bindings(method)),
        comment="\n".join(text.strip() for text in comment.splitlines()),
    )


def _bindings(method: MethodDescriptorProto) -> Iterator[Binding]:
    if not method.options.HasExtension(annotations_pb2.http):
        return
    rule = method.options.Extensions[annotations_pb2.http]
    for each in (rule, *rule.additional_bindings):
        verb = each.WhichOneof("pattern")
        if verb in _VERBS:
            yield Binding(verb.upper(), PathTemplate(getattr(each, verb)), each.body)
