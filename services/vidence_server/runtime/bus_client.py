"""The bus over gRPC, as services see it that do not run in its process."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence_server.runtime.call_errors import answer_of
from vidence_server.runtime.own_calls import OwnCalls
from vidence_server.runtime.service_channel import ServiceChannel
from vidence_server.storage.outbox import OutboxEvent


class BusClient(ServiceChannel):
    """An `EventSink` over gRPC."""

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
        super().__init__(address, own_calls, called="The bus", connect_s=connect_s)
        self._deadline_s = deadline_s

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        """Publishes events so that they survive the death of the bus.

        Raises:
            DomainError: What the bus answered; NOT_READY where it is away.
        """
        channel = await self.ready()
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
        stub = pb_grpc.EventServiceStub(channel)
        await answer_of(stub.Publish(request, timeout=self._deadline_s, metadata=self.metadata(tenant)))
