"""A small honest bus: its calls over gRPC, in the loop of a test or in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import grpc

from fakes.event_delivery import Delivery, is_wanted
from fakes.event_log import UNAVAILABLE, Context, EventLog, abort, cursor, offset_of
from fakes.extraction_servicer import status
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence.event.v1 import event_statistics_pb2
from vidence.stream.v1 import stream_control_pb2 as control
from vidence_client.sync import LoopThread


@dataclass
class Bus(EventLog, pb_grpc.EventServiceServicer):
    """Answers from its log, and keeps what it was asked."""

    subscribe_requests: list[pb.SubscribeRequest] = field(default_factory=list)
    list_requests: list[pb.ListEventsRequest] = field(default_factory=list)
    publish_requests: list[pb.PublishStreamRequest] = field(default_factory=list)
    publish_streams: int = 0
    open_streams: int = 0

    async def Publish(  # noqa: N802 - gRPC's name
        self, request: pb.PublishRequest, context: Context
    ) -> pb.PublishResponse:
        if self.faults.unary:
            await abort(context, self.faults.unary.pop(0))
        results = [self.take(event, request.durability) for event in request.events]
        await self.tell()
        return pb.PublishResponse(results=results)

    async def PublishStream(  # noqa: N802 - gRPC's name
        self, requests: AsyncIterator[pb.PublishStreamRequest], context: Context
    ) -> AsyncIterator[pb.PublishStreamResponse]:
        self.publish_streams += 1
        if self.faults.openings:
            await abort(context, self.faults.openings.pop(0))
        cut = self.faults.publish_cuts.popleft() if self.faults.publish_cuts else None
        silence = self.faults.publish_silences.popleft() if self.faults.publish_silences else None
        hold = self.faults.publish_holds.popleft() if self.faults.publish_holds else 0
        results: list[pb.PublishResult] = []
        sequence, taken = 1, 0
        yield pb.PublishStreamResponse(sequence=sequence, connected=self.connected(""))
        async for request in requests:
            if any(fnmatchcase(event.type, self.faults.poisonous_types) for event in request.events):
                poison = status(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", "an event is invalid")
                yield pb.PublishStreamResponse(
                    sequence=sequence + 1, publish_failed=pb.PublishFailed(status=poison)
                )
                await abort(context, poison)
            self.publish_requests.append(request)
            results += [self.take(event, request.durability) for event in request.events]
            await self.tell()
            taken += 1
            if cut is not None and taken >= cut:
                await abort(context, self.faults.cut_status or UNAVAILABLE)
            if silence is not None and taken >= silence:
                await asyncio.Event().wait()
            if taken < hold:
                continue
            await self.faults.acks.wait()
            sequence += 1
            yield pb.PublishStreamResponse(
                sequence=sequence, publish_results=pb.PublishResults(results=results)
            )
            results = []
        yield pb.PublishStreamResponse(sequence=sequence + 1, publish_complete=pb.PublishComplete())

    async def Subscribe(  # noqa: N802 - gRPC's name
        self, request: pb.SubscribeRequest, context: Context
    ) -> AsyncIterator[pb.SubscribeResponse]:
        self.subscribe_requests.append(request)
        if self.faults.openings:
            await abort(context, self.faults.openings.pop(0))
        cut = self.faults.cuts.popleft() if self.faults.cuts else None
        silence = self.faults.silences.popleft() if self.faults.silences else None
        self.open_streams += 1
        written = 0
        try:
            async for message in Delivery(self, request, context).messages():
                if written == silence:
                    await asyncio.Event().wait()
                if written == cut:
                    if self.faults.cut_status is None:
                        return
                    await abort(context, self.faults.cut_status)
                yield message
                written += 1
        finally:
            self.open_streams -= 1

    async def ListEvents(  # noqa: N802 - gRPC's name
        self, request: pb.ListEventsRequest, context: Context
    ) -> pb.ListEventsResponse:
        self.list_requests.append(request)
        before = offset_of(request.page_token) if request.page_token else len(self.log) + 1
        size = request.page_size or 50
        start = max(0, before - 1 - size)
        page = [event for event in self.log[start : before - 1] if is_wanted(event, request.filter)]
        token = cursor(start + 1) if start else ""
        head = "" if request.page_token else cursor(len(self.log))
        return pb.ListEventsResponse(events=reversed(page), next_page_token=token, cursor=head)

    async def GetEvent(  # noqa: N802 - gRPC's name
        self, request: pb.GetEventRequest, context: Context
    ) -> pb.GetEventResponse:
        by_key = request.WhichOneof("name") == "key"
        offset = (
            self.known.get((request.key.source, request.key.id), 0) if by_key else offset_of(request.cursor)
        )
        if not 0 < offset <= len(self.log):
            await abort(context, status(grpc.StatusCode.NOT_FOUND, "EVENT_NOT_FOUND", "no such event"))
        return pb.GetEventResponse(event=self.log[offset - 1])

    async def GetStatistics(  # noqa: N802 - gRPC's name
        self, request: pb.GetStatisticsRequest, context: Context
    ) -> pb.GetStatisticsResponse:
        return pb.GetStatisticsResponse(statistics=self._statistics())

    async def WatchStatistics(  # noqa: N802 - gRPC's name
        self, request: pb.WatchStatisticsRequest, context: Context
    ) -> AsyncIterator[pb.WatchStatisticsResponse]:
        opened = control.StreamControl(connected=self.connected(cursor(0)))
        yield pb.WatchStatisticsResponse(control=opened, cursor=cursor(0))
        for number in (1, 2):
            snapshot = pb.StatisticsEvent(cursor=cursor(number), sequence=number, snapshot=self._statistics())
            yield pb.WatchStatisticsResponse(
                events=[snapshot], cursor=cursor(number), previous_cursor=cursor(number - 1)
            )
        await asyncio.Event().wait()

    def OpenSession(  # noqa: N802 - gRPC's name
        self, requests: AsyncIterator[pb.OpenSessionRequest], context: Context
    ) -> AsyncIterator[pb.OpenSessionResponse]:
        raise NotImplementedError  # no client of this package opens one

    def _statistics(self) -> event_statistics_pb2.Statistics:
        return event_statistics_pb2.Statistics(total_published=len(self.log), running=True)


@asynccontextmanager
async def serving(bus: Bus, address: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """Serves on a port of the loopback and yields the address."""
    server = grpc.aio.server()
    pb_grpc.add_EventServiceServicer_to_server(bus, server)
    port = server.add_insecure_port(address)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@dataclass(frozen=True, slots=True)
class Served:
    """A bus in a thread of its own."""

    address: str
    bus: Bus
    thread: LoopThread

    def run(self, coroutine: Any) -> Any:
        """Runs something in the bus's loop."""
        return self.thread.run(coroutine)


@contextmanager
def serving_in_thread(bus: Bus) -> Iterator[Served]:
    """The same for plain tests: the server has a loop of its own in another thread."""
    thread = LoopThread()
    stack = AsyncExitStack()

    async def enter() -> str:
        return await stack.enter_async_context(serving(bus))

    thread.before_end(stack.aclose)
    try:
        yield Served(thread.run(enter()), bus, thread)
    finally:
        thread.close()
