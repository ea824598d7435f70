"""What the parts of the library's client share."""

from __future__ import annotations

from vidence.library.v1 import library_service_pb2_grpc
from vidence_client.channel import Channel


class LibraryCalls:
    """The stub, and the channel that tries again."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = library_service_pb2_grpc.LibraryServiceStub(channel.rpc)
