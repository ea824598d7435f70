"""Watchers that keep everything they see, over all their connections, for the validators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc

from e2e.bus_process import OWN_CONNECTION
from e2e.ledger import Ledger, told_by_server
from eventually import eventually
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence.stream.v1 import stream_control_pb2
from vidence_client.conformance import (
    Connection,
    PublishedLog,
    Violation,
    Watcher,
    check_watch,
    from_responses,
)

BROKEN = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED})
"""How streams end that a watcher should open again."""
Wants = Callable[[Any], bool]


@dataclass
class Link:
    """One connection of a watcher."""

    call: Any
    after_cursor: str
    responses: list[pb.SubscribeResponse] = field(default_factory=list)
    ended_by_server: bool = False

    async def read(self) -> pb.SubscribeResponse | None:
        """The next response; None at the end with status OK.

        Raises:
            grpc.aio.AioRpcError: Any other end.
        """
        try:
            response = await self.call.read()
        except grpc.aio.AioRpcError as error:
            self.ended_by_server = told_by_server(error)
            raise
        if response is grpc.aio.EOF:
            self.ended_by_server = True
            return None
        assert isinstance(response, pb.SubscribeResponse)
        self.responses.append(response)
        return response

    async def read_until(self, told: Callable[[pb.SubscribeResponse], bool]) -> pb.SubscribeResponse:
        """Reads up to the first response that says what is waited for."""
        while (response := await self.read()) is not None:
            if told(response):
                return response
        raise AssertionError("the stream ended before")

    async def read_to_end(self) -> None:
        """Reads up to the end with status OK."""
        while await self.read() is not None:
            pass


@dataclass(eq=False)
class RecordedWatcher:
    """Watches a bus; each connection resumes where the one before ended.

    Attributes:
        address: Of the bus.
        request: What every connection asks for; `after_cursor` is set by the second one and later ones.
        wants: The same filter as in the request, over events.
    """

    address: str
    request: pb.SubscribeRequest = field(default_factory=pb.SubscribeRequest)
    wants: Wants | None = None
    links: list[Link] = field(default_factory=list)

    @property
    def cursor(self) -> str:
        """The last cursor it saw."""
        seen = (link.responses[-1].cursor for link in reversed(self.links) if link.responses)
        return next(seen, self.request.after_cursor)

    @property
    def event_count(self) -> int:
        """Events that came, on all connections."""
        return sum(len(response.events) for link in self.links for response in link.responses)

    def saw(self, cursor: str) -> bool:
        """Whether it has come as far as a cursor of the same log."""
        return self.cursor >= cursor

    @asynccontextmanager
    async def connected(self, channel: grpc.aio.Channel | None = None) -> AsyncIterator[Link]:
        """Opens a connection; its end cuts the call, and the channel with it where none was given."""
        request = pb.SubscribeRequest()
        request.CopyFrom(self.request)
        if self.cursor:
            request.after_cursor = self.cursor
        own = grpc.aio.insecure_channel(self.address, OWN_CONNECTION) if channel is None else None
        dialled = channel or own
        assert dialled is not None
        try:
            call = pb_grpc.EventServiceStub(dialled).Subscribe(request, wait_for_ready=True)
            link = Link(call, request.after_cursor)
            self.links.append(link)
            try:
                yield link
            finally:
                call.cancel()
                link.call = None  # a call that is kept keeps its connection open
        finally:
            if own is not None:
                await own.close()

    async def follow(self) -> None:
        """Watches until it is cancelled; opens a stream again when it broke or ended."""
        while True:
            try:
                async with self.connected() as link:
                    await link.read_to_end()
            except grpc.aio.AioRpcError as error:
                if error.code() not in BROKEN:
                    raise

    async def follow_until(self, cursor: str) -> None:
        """As `follow`, until it has come as far as a cursor."""
        while not self.saw(cursor):
            with suppress(grpc.aio.AioRpcError):
                async with self.connected() as link:
                    await link.read_until(lambda response: response.cursor >= cursor)

    def connections(self) -> list[Connection]:
        """The records of all connections on which something came."""
        return [
            from_responses(
                link.responses,
                after_cursor=link.after_cursor,
                wants=self.wants,
                ended_by_server=link.ended_by_server,
            )
            for link in self.links
            if link.responses
        ]

    def gaps(self) -> list[str]:
        """Names of the reasons of the gaps that it was told of."""
        gaps = (message.gap for link in self.connections() for message in link.messages)
        return [gap.reason for gap in gaps if gap is not None]

    def events(self) -> Iterator[event_pb2.Event]:
        """All its events, in the order in which they came."""
        for link in self.links:
            for response in link.responses:
                yield from response.events

    def ids(self) -> list[str]:
        """Their ids."""
        return [event.id for event in self.events()]

    def violations(
        self, published: PublishedLog | None = None, *, probes: Sequence[RecordedWatcher] = ()
    ) -> list[Violation]:
        """What is wrong with what it saw, by all validators."""
        watcher = Watcher(tuple(self.connections()))
        opened = [probe.connections()[0] for probe in probes]
        return check_watch(watcher, published, probes=opened)

    def enter_into(self, ledger: Ledger) -> None:
        """Enters what it saw: its publishers may have been told nothing of it."""
        for event in self.events():
            ledger.enter(event, event.cursor)

    def probe(self, cursor: str) -> RecordedWatcher:
        """Another watcher of the same events that starts after a cursor."""
        request = pb.SubscribeRequest()
        request.CopyFrom(self.request)
        request.after_cursor = cursor
        return RecordedWatcher(self.address, request, self.wants)


def beats(response: pb.SubscribeResponse) -> bool:
    """Whether a response is a heartbeat."""
    return bool(response.control.HasField("heartbeat"))


def reaches(cursor: str) -> Callable[[pb.SubscribeResponse], bool]:
    """Whether a response has come as far as a cursor of the same log."""
    return lambda response: bool(response.cursor >= cursor)


@asynccontextmanager
async def watching(*watchers: RecordedWatcher) -> AsyncIterator[None]:
    """Lets watchers follow while the body runs, which begins when all are connected."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watcher.follow()) for watcher in watchers]
        await eventually(lambda: all(watcher.cursor for watcher in watchers))
        yield
        for task in tasks:
            task.cancel()


async def kept_by(address: str, newest: str) -> set[str]:
    """Cursors of the events that a log holds, up to one of them."""
    request = pb.SubscribeRequest(position=stream_control_pb2.START_POSITION_EARLIEST)
    reader = RecordedWatcher(address, request)
    await reader.follow_until(newest)
    return {event.cursor for event in reader.events()}
