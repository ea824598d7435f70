"""The bus over a real connection: what reaches it, and what its errors mean to the relay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from fakes.runtime import RunningServer, running_server
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence_server.core.errors import DomainError, ErrorKind, Reason
from vidence_server.runtime.bus_client import BusClient
from vidence_server.runtime.server import AddServicer, RpcServer
from vidence_server.storage.outbox import OutboxEvent

SERVICE = pb.DESCRIPTOR.services_by_name["EventService"].full_name


@dataclass
class PublishOnly:
    """A bus that takes what is published, or fails."""

    error: DomainError | None = None
    requests: list[pb.PublishRequest] = field(default_factory=list)

    async def publish(
        self, request: pb.PublishRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.PublishResponse:
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        return pb.PublishResponse(results=[pb.PublishResult(id=event.id) for event in request.events])


@asynccontextmanager
async def bus(servicer: PublishOnly, *, ready: bool = True) -> AsyncIterator[RunningServer]:
    def services(_server: RpcServer) -> Mapping[str, AddServicer]:
        publish = grpc.unary_unary_rpc_method_handler(
            servicer.publish,
            request_deserializer=pb.PublishRequest.FromString,
            response_serializer=pb.PublishResponse.SerializeToString,
        )
        handler = grpc.method_handlers_generic_handler(SERVICE, {"Publish": publish})
        return {SERVICE: lambda target: target.add_generic_rpc_handlers((handler,))}

    async with running_server(services, ready=ready) as running:
        yield running


def event(number: int = 1, *, subject: str = "") -> OutboxEvent:
    told = event_pb2.Event(source="vidence/test", id=f"event-{number}", type="thing.done", subject=subject)
    return OutboxEvent(
        "default", told.source, told.id, told.type, told.subject, told.SerializeToString(), datetime.now(UTC)
    )


@pytest.mark.requirement("R-EV5")
async def test_events_arrive_in_one_call_in_order_and_to_stay() -> None:
    servicer = PublishOnly()
    async with bus(servicer) as running, BusClient(running.server.address) as client:
        await client.publish([event(1), event(2, subject="things/2")])
    [request] = servicer.requests
    assert [(told.source, told.id, told.subject) for told in request.events] == [
        ("vidence/test", "event-1", ""),
        ("vidence/test", "event-2", "things/2"),
    ]
    assert request.durability == event_pb2.DURABILITY_WRITTEN


@pytest.mark.requirement("R-EV6")
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DomainError(Reason.EVENT_TOO_LARGE, "large"), ErrorKind.INVALID_ARGUMENT),
        (DomainError(Reason.STORAGE_FULL, "full", retry_after_s=2.5), ErrorKind.RESOURCE_EXHAUSTED),
        (DomainError(Reason.DRAINING, "later", retry_after_s=3), ErrorKind.UNAVAILABLE),
        (DomainError(Reason.INTERNAL, "defect"), ErrorKind.INTERNAL),
    ],
)
async def test_an_answer_of_the_bus_keeps_its_reason(error: DomainError, kind: ErrorKind) -> None:
    async with bus(PublishOnly(error)) as running, BusClient(running.server.address) as client:
        with pytest.raises(DomainError) as failed:
            await client.publish([event()])
    assert (failed.value.reason, failed.value.kind) == (error.reason, kind)
    assert failed.value.retry_after_s == error.retry_after_s


async def test_an_invalid_event_is_refused_for_good() -> None:
    async with bus(PublishOnly()) as running, BusClient(running.server.address) as client:
        with pytest.raises(DomainError) as failed:
            await client.publish([event(subject="s" * 600)])
    assert failed.value.kind is ErrorKind.INVALID_ARGUMENT


@pytest.mark.requirement("R-EV6")
async def test_a_bus_that_is_away_may_come_back() -> None:
    servicer = PublishOnly()
    async with bus(servicer, ready=False) as running, BusClient(running.server.address) as client:
        with pytest.raises(DomainError) as early:
            await client.publish([event()])
        await running.server.mark_ready(SERVICE)
        await client.publish([event()])
        assert early.value.reason is Reason.NOT_READY
        await running.server.stop(0)
        with pytest.raises(DomainError) as late:
            await client.publish([event()])
        assert late.value.kind is ErrorKind.UNAVAILABLE
    assert len(servicer.requests) == 1


async def test_outside_of_its_context_nothing_is_published() -> None:
    with pytest.raises(RuntimeError, match="inside the client's context"):
        await BusClient("127.0.0.1:1").publish([event()])
