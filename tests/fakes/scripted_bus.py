"""A bus that plays scripts: what the commands must cope with, without any log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status

from fakes.extraction_servicer import Abort, Hang, duration
from vidence.event.v1 import event_pb2 as event
from vidence.event.v1 import event_service_pb2 as service
from vidence.event.v1 import event_service_pb2_grpc as service_grpc
from vidence.event.v1 import event_statistics_pb2 as statistics
from vidence.stream.v1 import stream_control_pb2 as control
from vidence_client.sync import LoopThread

Step: TypeAlias = service.SubscribeResponse | service.WatchStatisticsResponse | Abort | Hang


def cursor(offset: int) -> str:
    return f"5bd1e995.00000001.{offset:016x}"


def made_event(offset: int, **fields: Any) -> event.Event:
    """The event at a place of the log."""
    made = event.Event(
        cursor=cursor(offset),
        emit_time=Timestamp(seconds=1_770_000_000 + offset),
        source="vidence/till",
        id=str(offset),
        type="sale.completed",
        subject=f"tills/{offset % 2}",
    )
    made.MergeFrom(event.Event(**fields))
    return made


def connected(offset: int, heartbeat_period_s: float = 30.0) -> service.SubscribeResponse:
    opening = control.Connected(
        connection_id="con_0199c1f0-0000-7000-8000-000000000000",
        cursor=cursor(offset),
        heartbeat_period=duration(heartbeat_period_s),
        retry_delay=duration(0.01),
    )
    return service.SubscribeResponse(control=control.StreamControl(connected=opening), cursor=cursor(offset))


def events(after: int, until: int, **fields: Any) -> service.SubscribeResponse:
    """One message with the events in (after, until]."""
    return service.SubscribeResponse(
        events=[made_event(offset, **fields) for offset in range(after + 1, until + 1)],
        cursor=cursor(until),
        previous_cursor=cursor(after),
    )


def heartbeat(offset: int) -> service.SubscribeResponse:
    alive = control.StreamControl(heartbeat=control.Heartbeat(cursor=cursor(offset)))
    return service.SubscribeResponse(control=alive, cursor=cursor(offset), previous_cursor=cursor(offset))


def gap(after: int, until: int) -> service.SubscribeResponse:
    missing = control.Gap(
        from_cursor=cursor(after),
        to_cursor=cursor(until),
        missed_count=until - after,
        reason=control.GAP_REASON_EXPIRED,
    )
    return service.SubscribeResponse(
        control=control.StreamControl(gap=missing), cursor=cursor(until), previous_cursor=cursor(after)
    )


def disconnected(offset: int) -> service.SubscribeResponse:
    over = control.Disconnected(
        reason=control.DISCONNECT_REASON_DRAINING, retry_delay=duration(0.01), cursor=cursor(offset)
    )
    return service.SubscribeResponse(
        control=control.StreamControl(disconnected=over),
        cursor=cursor(offset),
        previous_cursor=cursor(offset),
    )


@dataclass
class ScriptedBus(service_grpc.EventServiceServicer):
    """Plays one script after the other for `Subscribe`, the last one again and again.

    `answers` are given by name of the RPC, or made of the request; what is not there is UNIMPLEMENTED.
    """

    scripts: list[Sequence[Step]] = field(default_factory=lambda: [[connected(0), Hang()]])
    answers: dict[str, Any] = field(default_factory=dict)
    requests: list[Any] = field(default_factory=list)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    async def Subscribe(  # noqa: N802 - gRPC's name
        self, request: service.SubscribeRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[service.SubscribeResponse]:
        async for message in self._play(request, context):
            yield message

    async def WatchStatistics(  # noqa: N802 - gRPC's name
        self, request: service.WatchStatisticsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[service.WatchStatisticsResponse]:
        async for message in self._play(request, context):
            yield message

    async def Publish(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await self._answer("Publish", request, context)

    async def ListEvents(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await self._answer("ListEvents", request, context)

    async def GetEvent(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await self._answer("GetEvent", request, context)

    async def GetStatistics(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await self._answer("GetStatistics", request, context)

    async def PublishStream(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - gRPC's name
        async for message in self.answers["PublishStream"](requests):
            yield message

    async def OpenSession(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - gRPC's name
        async for message in self.answers["OpenSession"](requests):
            yield message

    async def _play(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.requests.append(request)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        for step in script:
            match step:
                case Abort(status=ending):
                    await _end(context, ending)
                case Hang():
                    self.hanging.set()
                    await asyncio.Event().wait()
                case message:
                    yield message

    async def _answer(self, name: str, request: Any, context: Any) -> Any:
        self.requests.append(request)
        answer = self.answers.get(name)
        if callable(answer):
            answer = answer(request)
        match answer:
            case None:
                await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not played")
            case Abort(status=ending):
                await _end(context, ending)
        return answer


async def _end(context: grpc.aio.ServicerContext[Any, Any], ending: Status) -> None:
    code = next(known for known in grpc.StatusCode if known.value[0] == ending.code)
    trailers = (("grpc-status-details-bin", ending.SerializeToString()),)
    await context.abort(code, ending.message, trailing_metadata=trailers if ending.details else ())


def numbers(**fields: Any) -> service.GetStatisticsResponse:
    return service.GetStatisticsResponse(statistics=statistics.Statistics(running=True, **fields))


@asynccontextmanager
async def serving_bus(bus: ScriptedBus) -> AsyncIterator[str]:
    """Serves on a free port of the loopback and yields the address."""
    server = grpc.aio.server()
    service_grpc.add_EventServiceServicer_to_server(bus, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@dataclass(frozen=True, slots=True)
class ServedBus:
    """A bus in a thread of its own."""

    address: str
    bus: ScriptedBus
    thread: LoopThread


@contextmanager
def serving_bus_in_thread(bus: ScriptedBus) -> Iterator[ServedBus]:
    """The same for plain tests: the bus has a loop of its own in another thread."""
    thread = LoopThread()
    stack = AsyncExitStack()

    async def enter() -> str:
        return await stack.enter_async_context(serving_bus(bus))

    thread.before_end(stack.aclose)
    try:
        yield ServedBus(thread.run(enter()), bus, thread)
    finally:
        thread.close()
