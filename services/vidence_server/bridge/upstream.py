"""The services, as a gRPC client sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

from vidence_server.bridge.contract import Rpc
from vidence_server.bridge.settings import BridgeSettings
from vidence_server.runtime.dialled import Dialled
from vidence_server.runtime.own_calls import OwnCalls

Metadata: TypeAlias = Sequence[tuple[str, str]]
StreamCall: TypeAlias = grpc.aio.UnaryStreamCall[Any, Any] | grpc.aio.StreamStreamCall[Any, Any]

_MAX_MESSAGE_BYTES = 24 * 2**20
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A stream that nobody reads holds this much and no more; probing would let it grow to megabytes.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 2**17),
    # Browsers wait: a service that comes back is found soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_PASSED_ON = (
    "authorization",
    "x-api-key",
    "vidence-tenant",
    "x-request-id",
    "traceparent",
    "tracestate",
    "vidence-session-id",
    "accept-language",
)
"""Headers of a request that its call takes along."""


class Upstream:
    """Calls any RPC of the contract, on one channel per address.

    Args:
        dialled: By address.
        settings: Where each service is.
    """

    def __init__(self, dialled: Mapping[str, Dialled], settings: BridgeSettings) -> None:
        self._dialled = dialled
        self._settings = settings

    def channel(self, service: str) -> grpc.aio.Channel:
        """The channel of a service for a new call, by its name in the table."""
        return self._dialled[address_of(service, self._settings)].channel()

    async def unary(self, rpc: Rpc, request: Message, metadata: Metadata) -> Message:
        """The answer of a call that gives one.

        Raises:
            grpc.aio.AioRpcError: The call failed.
        """
        call = self.channel(rpc.line.name).unary_unary(
            rpc.path, request_serializer=_encode, response_deserializer=rpc.response.FromString
        )
        answer: Message = await call(request, metadata=metadata, timeout=self._settings.unary_timeout_s)
        return answer

    async def collected(self, rpc: Rpc, requests: AsyncIterator[Message], metadata: Metadata) -> Message:
        """The answer of a call that takes a stream and gives one answer.

        Raises:
            grpc.aio.AioRpcError: The call failed.
        """
        call = self.channel(rpc.line.name).stream_unary(
            rpc.path, request_serializer=_encode, response_deserializer=rpc.response.FromString
        )
        answer: Message = await call(requests, metadata=metadata)
        return answer

    def stream(self, rpc: Rpc, requests: Message | AsyncIterator[Message], metadata: Metadata) -> StreamCall:
        """A call that gives a stream; whoever opens it ends it by `cancel()`."""
        channel = self.channel(rpc.line.name)
        if isinstance(requests, Message):
            return channel.unary_stream(
                rpc.path, request_serializer=_encode, response_deserializer=rpc.response.FromString
            )(requests, metadata=metadata)
        return channel.stream_stream(
            rpc.path, request_serializer=_encode, response_deserializer=rpc.response.FromString
        )(requests, metadata=metadata)


@asynccontextmanager
async def open_upstream(
    settings: BridgeSettings, services: Sequence[str], own_calls: OwnCalls
) -> AsyncIterator[Upstream]:
    """The channels; they close with the context.

    Args:
        settings: Where the services are.
        services: Their names in the table.
        own_calls: Over what they are dialled. Its key is not used: calls carry what their request carried.
    """
    async with AsyncExitStack() as stack:
        dialled: dict[str, Dialled] = {}
        for address in {address_of(service, settings) for service in services}:
            dialled[address] = await stack.enter_async_context(Dialled(address, own_calls, _OPTIONS))
        yield Upstream(dialled, settings)


def address_of(service: str, settings: BridgeSettings) -> str:
    """Where a service is, by its name in the table."""
    return settings.upstreams.get(service, settings.upstream)


def metadata_of(headers: Mapping[str, str]) -> Metadata:
    """What a call takes along of the request that asked for it."""
    return [(name, headers[name]) for name in _PASSED_ON if name in headers]


def _encode(message: Message) -> bytes:
    return message.SerializeToString()
