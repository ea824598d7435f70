"""The bus over gRPC, as services see it that do not run in its process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.own_calls import OwnCalls
from vidence_server.runtime.status import ERROR_DOMAIN
from vidence_server.storage.outbox import OutboxEvent

_REASON_OF_CODE = {
    grpc.StatusCode.INVALID_ARGUMENT: Reason.REQUEST_INVALID,
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.QUEUE_FULL,
    grpc.StatusCode.CANCELLED: Reason.CANCELLED,
    grpc.StatusCode.UNAUTHENTICATED: Reason.CREDENTIAL_INVALID,
    grpc.StatusCode.PERMISSION_DENIED: Reason.SCOPE_MISSING,
}
"""For answers without details, which come from gRPC itself or from what stands between; else NOT_READY."""


class BusClient:
    """An `EventSink` over gRPC; one channel from the beginning of its context to the end.

    A call waits a moment for the connection, then fails: how long to wait before the next is for the relay to
    decide.
    """

    def __init__(
        self,
        address: str,
        own_calls: OwnCalls | None = None,
        *,
        deadline_s: float = 10.0,
        connect_s: float = 1.0,
    ) -> None:
        """A client at rest.

        Args:
            address: What a gRPC client dials: `127.0.0.1:50051`, `unix:/run/vidence.sock`.
            own_calls: What each call carries; None: nothing, in plaintext.
            deadline_s: Longest time of one call, s.
            connect_s: Longest wait for the connection, s.
        """
        self._address = address
        self._own_calls = own_calls or OwnCalls()
        self._deadline_s = deadline_s
        self._connect_s = connect_s
        self._channel: grpc.aio.Channel | None = None

    async def __aenter__(self) -> Self:
        """Makes the channel; does not wait for the bus."""
        # The relay backs off; the channel's own back-off, of minutes, would come on top of it.
        options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
        self._channel = self._own_calls.channel(self._address, options)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the channel."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        """Publishes events so that they survive the death of the bus.

        Raises:
            DomainError: What the bus answered; NOT_READY where it is away.
        """
        if self._channel is None:
            raise RuntimeError("the bus is reached inside the client's context only")
        try:
            # A call on a channel that lost its connection fails at once and only begins to connect.
            async with asyncio.timeout(self._connect_s):
                await self._channel.channel_ready()
        except TimeoutError:
            raise DomainError(Reason.NOT_READY, "The bus cannot be reached.") from None
        by_tenant: dict[str, list[OutboxEvent]] = {}
        for event in events:
            by_tenant.setdefault(event.tenant, []).append(event)
        for tenant, own in by_tenant.items():
            await self._publish(self._channel, tenant, own)

    async def _publish(self, channel: grpc.aio.Channel, tenant: str, events: Sequence[OutboxEvent]) -> None:
        request = pb.PublishRequest(
            events=[event_pb2.Event.FromString(event.encoded) for event in events],
            durability=event_pb2.DURABILITY_WRITTEN,
        )
        call = pb_grpc.EventServiceStub(channel).Publish(
            request, timeout=self._deadline_s, metadata=self._own_calls.metadata(tenant)
        )
        try:
            await call
        except grpc.aio.AioRpcError as error:
            raise _domain_error(error) from error


def _domain_error(error: grpc.aio.AioRpcError) -> DomainError:
    # An AioRpcError has the four methods of a call that this reads.
    status: Status | None = rpc_status.from_call(error)  # type: ignore[arg-type]  # see above
    info, retry = ErrorInfo(), RetryInfo()
    for detail in status.details if status is not None else ():
        _ = detail.Unpack(info) or detail.Unpack(retry)
    reason = _REASON_OF_CODE.get(error.code(), Reason.NOT_READY)
    if info.domain == ERROR_DOMAIN and info.reason in Reason.__members__:
        reason = Reason[info.reason]
    return DomainError(
        reason,
        f"The bus answered {error.code().name}.",
        retry_after_s=retry.retry_delay.ToNanoseconds() / 1e9 if retry.HasField("retry_delay") else None,
    )
