"""A small honest bus in memory, and the faults that a client must cope with."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status

from fakes.extraction_servicer import duration, status
from vidence.event.v1 import event_pb2, event_statistics_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence.stream.v1 import stream_control_pb2 as control
from vidence_client.sync import LoopThread

LOG = "5bd1e995"
CONNECTION_ID = "con_0199c1f0-0000-7000-8000-000000000000"
UNAVAILABLE = Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message="gone")
DRAINING = status(grpc.StatusCode.UNAVAILABLE, "DRAINING", "shutting down", retry_after_s=0.01)

Context = grpc.aio.ServicerContext[Any, Any]


def cursor(offset: int, epoch: int = 1) -> str:
    return f"{LOG}.{epoch:08x}.{offset:016x}"


def offset_of(text: str) -> int:
    return int(text.rsplit(".", 1)[1], 16)


@dataclass
class Faults:
    """What goes wrong. Lists are used up, one item per call or request."""

    openings: list[Status] = field(default_factory=list)
    """Statuses with which the next streams are refused."""
    unary: list[Status] = field(default_factory=list)
    """The same for unary calls."""
    cuts: deque[int] = field(default_factory=deque)
    """After how many messages the next subscriptions are cut with `cut_status`."""
    cut_status: Status | None = field(default_factory=lambda: UNAVAILABLE)
    """None: the stream ends with OK, without a word."""
    silences: deque[int] = field(default_factory=deque)
    """After how many messages the next subscriptions fall silent."""
    duplicate: bool = False
    """Writes every message of events twice."""
    skip: bool = False
    """Leaves every second message of events out."""
    publish_cuts: deque[int] = field(default_factory=deque)
    """After how many requests, taken and not answered, the next publishing streams are cut."""
    publish_silences: deque[int] = field(default_factory=deque)
    """After how many requests the next publishing streams fall silent."""
    refused_types: str = ""
    """Pattern of types that are refused one by one."""
    poisonous_types: str = ""
    """Pattern of types for which a whole stream is refused."""
    postponed: list[Status] = field(default_factory=list)
    """Errors with which the next events are refused for now."""
    acks: asyncio.Event = field(default_factory=asyncio.Event)
    """Nothing is acknowledged before it is set."""


@dataclass
class Bus(pb_grpc.EventServiceServicer):
    """Keeps events in a list; offsets are dense from 1."""

    heartbeat_period_s: float = 30.0
    retry_delay_s: float = 0.01
    per_message: int = 3
    faults: Faults = field(default_factory=Faults)
    log: list[event_pb2.Event] = field(default_factory=list)
    oldest: int = 0
    """Events up to this offset are no longer kept."""
    gaps: dict[int, control.Gap] = field(default_factory=dict)
    """Told before the event that follows the offset."""
    known: dict[tuple[str, str], int] = field(default_factory=dict)
    subscribe_requests: list[pb.SubscribeRequest] = field(default_factory=list)
    list_requests: list[pb.ListEventsRequest] = field(default_factory=list)
    publish_requests: list[pb.PublishStreamRequest] = field(default_factory=list)
    publish_streams: int = 0
    repeated: int = 0
    open_streams: int = 0
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.faults.acks.set()

    async def add(self, *events: event_pb2.Event) -> None:
        """Takes events as a publisher's call would."""
        for event in events:
            self.take(event)
        async with self.changed:
            self.changed.notify_all()

    async def tell(self) -> None:
        """Has every stream look again."""
        async with self.changed:
            self.changed.notify_all()

    def take(
        self,
        event: event_pb2.Event,
        durability: event_pb2.Durability.ValueType = event_pb2.DURABILITY_UNSPECIFIED,
    ) -> pb.PublishResult:
        reached = durability or event_pb2.DURABILITY_WRITTEN
        if self.faults.postponed:
            return pb.PublishResult(id=event.id, error=self.faults.postponed.pop(0))
        if self.faults.refused_types and fnmatchcase(event.type, self.faults.refused_types):
            refusal = status(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", "no such type")
            return pb.PublishResult(id=event.id, error=refusal)
        key = (event.source, event.id)
        if event.id and key in self.known:
            self.repeated += 1
            first = cursor(self.known[key])
            return pb.PublishResult(cursor=first, id=event.id, durability=reached, repeated=True)
        kept = event_pb2.Event()
        kept.CopyFrom(event)
        kept.cursor = cursor(len(self.log) + 1)
        kept.id = kept.id or f"given-{len(self.log) + 1}"
        kept.emit_time.CopyFrom(Timestamp(seconds=1_760_000_000 + len(self.log)))
        self.log.append(kept)
        self.known[kept.source, kept.id] = len(self.log)
        return pb.PublishResult(cursor=kept.cursor, id=kept.id, durability=reached)

    async def Publish(  # noqa: N802 - gRPC's name
        self, request: pb.PublishRequest, context: Context
    ) -> pb.PublishResponse:
        if self.faults.unary:
            await _abort(context, self.faults.unary.pop(0))
        results = [self.take(event, request.durability) for event in request.events]
        await self.tell()
        return pb.PublishResponse(results=results)

    async def PublishStream(  # noqa: N802 - gRPC's name
        self, requests: AsyncIterator[pb.PublishStreamRequest], context: Context
    ) -> AsyncIterator[pb.PublishStreamResponse]:
        self.publish_streams += 1
        if self.faults.openings:
            await _abort(context, self.faults.openings.pop(0))
        cut = self.faults.publish_cuts.popleft() if self.faults.publish_cuts else None
        silence = self.faults.publish_silences.popleft() if self.faults.publish_silences else None
        sequence, taken = 1, 0
        yield pb.PublishStreamResponse(sequence=sequence, connected=self._connected(""))
        async for request in requests:
            if any(fnmatchcase(event.type, self.faults.poisonous_types) for event in request.events):
                poison = status(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", "an event is invalid")
                yield pb.PublishStreamResponse(
                    sequence=sequence + 1, publish_failed=pb.PublishFailed(status=poison)
                )
                await _abort(context, poison)
            self.publish_requests.append(request)
            results = [self.take(event, request.durability) for event in request.events]
            await self.tell()
            taken += 1
            if cut is not None and taken >= cut:
                await _abort(context, self.faults.cut_status or UNAVAILABLE)
            if silence is not None and taken >= silence:
                await asyncio.Event().wait()
            await self.faults.acks.wait()
            sequence += 1
            yield pb.PublishStreamResponse(
                sequence=sequence, publish_results=pb.PublishResults(results=results)
            )
        yield pb.PublishStreamResponse(sequence=sequence + 1, publish_complete=pb.PublishComplete())

    async def Subscribe(  # noqa: N802 - gRPC's name
        self, request: pb.SubscribeRequest, context: Context
    ) -> AsyncIterator[pb.SubscribeResponse]:
        self.subscribe_requests.append(request)
        if self.faults.openings:
            await _abort(context, self.faults.openings.pop(0))
        cut = self.faults.cuts.popleft() if self.faults.cuts else None
        silence = self.faults.silences.popleft() if self.faults.silences else None
        self.open_streams += 1
        written = 0
        try:
            async for message in self._messages(request, context):
                if written == silence:
                    await asyncio.Event().wait()
                if written == cut:
                    if self.faults.cut_status is None:
                        return
                    await _abort(context, self.faults.cut_status)
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
        page = [event for event in self.log[start : before - 1] if _wanted(event, request.filter)]
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
            await _abort(context, status(grpc.StatusCode.NOT_FOUND, "EVENT_NOT_FOUND", "no such event"))
        return pb.GetEventResponse(event=self.log[offset - 1])

    async def GetStatistics(  # noqa: N802 - gRPC's name
        self, request: pb.GetStatisticsRequest, context: Context
    ) -> pb.GetStatisticsResponse:
        return pb.GetStatisticsResponse(statistics=self._statistics())

    async def WatchStatistics(  # noqa: N802 - gRPC's name
        self, request: pb.WatchStatisticsRequest, context: Context
    ) -> AsyncIterator[pb.WatchStatisticsResponse]:
        opened = control.StreamControl(connected=self._connected(cursor(0)))
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

    async def _messages(
        self, request: pb.SubscribeRequest, context: Context
    ) -> AsyncIterator[pb.SubscribeResponse]:
        at = await self._start(request, context)
        previous = request.after_cursor or cursor(at)
        opened = control.StreamControl(connected=self._connected(previous))
        yield pb.SubscribeResponse(control=opened, cursor=previous)
        if at < self.oldest:
            lost = control.Gap(
                from_cursor=previous,
                to_cursor=cursor(self.oldest),
                missed_count=self.oldest - at,
                reason=control.GAP_REASON_EXPIRED,
            )
            at = self.oldest
            yield _gap(lost, previous)
            previous = cursor(at)
        skipped = False
        while not self.draining.is_set():
            if at in self.gaps:
                lost = self.gaps[at]
                yield _gap(lost, previous)
                at = offset_of(lost.to_cursor)
                previous = cursor(at)
            events = self.log[at : at + self.per_message]
            wanted = [event for event in events if _wanted(event, request.filter)]
            at += len(events)
            if wanted:
                message = pb.SubscribeResponse(events=wanted, cursor=cursor(at), previous_cursor=previous)
                previous = cursor(at)
                skipped = self.faults.skip and not skipped
                for _ in range(0 if skipped else 2 if self.faults.duplicate else 1):
                    yield message
            elif not events and not await self._more(at):
                beat = control.StreamControl(heartbeat=control.Heartbeat(cursor=cursor(at)))
                yield pb.SubscribeResponse(control=beat, cursor=cursor(at), previous_cursor=previous)
                previous = cursor(at)
        ending = control.Disconnected(
            reason=control.DISCONNECT_REASON_DRAINING,
            retry_delay=duration(self.retry_delay_s),
            cursor=previous,
        )
        yield pb.SubscribeResponse(
            control=control.StreamControl(disconnected=ending), cursor=previous, previous_cursor=previous
        )

    async def _start(self, request: pb.SubscribeRequest, context: Context) -> int:
        kind = request.WhichOneof("start")
        if kind == "since_time":
            return next(
                (
                    place
                    for place, event in enumerate(self.log)
                    if _ns(event) >= _stamp_ns(request.since_time)
                ),
                len(self.log),
            )
        if kind != "after_cursor":
            earliest = request.position == control.START_POSITION_EARLIEST
            return self.oldest if earliest else len(self.log)
        at = offset_of(request.after_cursor)
        if at < self.oldest and request.on_expired != control.ON_EXPIRED_GAP:
            metadata = {"oldest_cursor": cursor(self.oldest), "newest_cursor": cursor(len(self.log))}
            expired = status(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED", "too old", metadata=metadata)
            await _abort(context, expired)
        return at

    async def _more(self, at: int) -> bool:
        """Waits for more than a heartbeat period; False: nothing came."""
        async with self.changed:
            try:
                async with asyncio.timeout(self.heartbeat_period_s):
                    await self.changed.wait_for(
                        lambda: len(self.log) > at or self.draining.is_set() or at in self.gaps
                    )
            except TimeoutError:
                return False
        return True

    def _connected(self, at: str) -> control.Connected:
        return control.Connected(
            connection_id=CONNECTION_ID,
            cursor=at,
            heartbeat_period=duration(self.heartbeat_period_s),
            retry_delay=duration(self.retry_delay_s),
        )

    def _statistics(self) -> event_statistics_pb2.Statistics:
        return event_statistics_pb2.Statistics(total_published=len(self.log), running=True)


def _gap(lost: control.Gap, previous: str) -> pb.SubscribeResponse:
    return pb.SubscribeResponse(
        control=control.StreamControl(gap=lost), cursor=lost.to_cursor, previous_cursor=previous
    )


def _wanted(event: event_pb2.Event, wanted: event_pb2.EventFilter) -> bool:
    types, sources = wanted.types or ["*"], wanted.sources or ["*"]
    return (
        any(fnmatchcase(event.type, pattern) for pattern in types)
        and any(fnmatchcase(event.source, pattern) for pattern in sources)
        and fnmatchcase(event.subject, wanted.subject_pattern or "*")
        and all(event.attributes.get(key) == value for key, value in wanted.attributes.items())
        and (event.severity or event_pb2.SEVERITY_INFO) >= wanted.minimum_severity
    )


def _ns(event: event_pb2.Event) -> int:
    return _stamp_ns(event.emit_time)


def _stamp_ns(stamp: Timestamp) -> int:
    return stamp.ToNanoseconds()


async def _abort(context: Context, ending: Status) -> None:
    code = next(known for known in grpc.StatusCode if known.value[0] == ending.code)
    trailers = (("grpc-status-details-bin", ending.SerializeToString()),) if ending.details else ()
    await context.abort(code, ending.message, trailing_metadata=trailers)


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
