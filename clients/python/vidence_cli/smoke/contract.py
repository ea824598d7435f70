"""The RPCs of this version, by the descriptors that come with the stubs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

_OWN = "vidence."


@dataclass(frozen=True, slots=True)
class Rpc:
    """One RPC.

    Attributes:
        name: `vidence.event.v1.EventService/Publish`.
        request: Class of what it takes.
        response: Class of what it gives.
        client_streaming: Whether it takes any number of requests.
        server_streaming: Whether it gives any number of responses.
    """

    name: str
    request: type[Message]
    response: type[Message]
    client_streaming: bool
    server_streaming: bool

    @property
    def service(self) -> str:
        """Full name of its service."""
        return self.name.partition("/")[0]

    @property
    def method(self) -> str:
        """Its name within the service."""
        return self.name.partition("/")[2]


def known_rpcs() -> Mapping[str, Rpc]:
    """Gives every RPC of the suite by its name."""
    encoded = resources.files("vidence").joinpath("descriptors.binpb").read_bytes()
    return {rpc.name: rpc for rpc in _rpcs(FileDescriptorSet.FromString(encoded))}


def _rpcs(files: FileDescriptorSet) -> Iterator[Rpc]:
    pool = DescriptorPool()
    for file in files.file:
        pool.Add(file)
    for file in files.file:
        if not file.package.startswith(_OWN):
            continue
        for service in file.service:
            for method in service.method:
                yield Rpc(
                    f"{file.package}.{service.name}/{method.name}",
                    _class(pool, method.input_type),
                    _class(pool, method.output_type),
                    method.client_streaming,
                    method.server_streaming,
                )


def _class(pool: DescriptorPool, name: str) -> type[Message]:
    return GetMessageClass(pool.FindMessageTypeByName(name.removeprefix(".")))
