"""The bus over gRPC, as services see it that do not run in its process."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import grpc

from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence_server.runtime.call_errors import domain_error_of_call
from vidence_server.runtime.own_calls import OwnCalls
from vidence_server.runtime.service_channel import ServiceChannel
from vidence_server.storage.outbox import OutboxEvent


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
        self._channel = ServiceChannel(address, own_calls, called="The bus", connect_s=connect_s)
        self._deadline_s = deadline_s

    async def __aenter__(self) -> Self:
        """Makes the channel; does not wait for the bus."""
        await self._channel.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the channel."""
        await self._channel.__aexit__(kind, error, traceback)

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        """Publishes events so that they survive the death of the bus.

        Raises:
            DomainError: What the bus answered; NOT_READY where it is away.
        """
        channel = await self._channel.ready()
        by_tenant: dict[str, list[OutboxEvent]] = {}
        for event in events:
            by_tenant.setdefault(event.tenant, []).append(event)
        for tenant, own in by_tenant.items():
            await self._publish(channel, tenant, own)

    async def _publish(self, channel: grpc.aio.Channel, tenant: str, events: Sequence[OutboxEvent]) -> None:
        request = pb.PublishRequest(
            events=[event_pb2.Event.FromString(event.encoded) for event in events],
            durability=event_pb2.DURABILITY_WRITTEN,
        )
        call = pb_grpc.EventServiceStub(channel).Publish(
            request, timeout=self._deadline_s, metadata=self._channel.metadata(tenant)
        )
        try:
            await call
        except grpc.aio.AioRpcError as error:
            raise domain_error_of_call(error) from error
