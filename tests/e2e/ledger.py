"""Publishers that never give up, and what they were told: the truth that watchers are judged by."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from itertools import islice, pairwise
from typing import TypeAlias

import grpc

from e2e.bus_process import OWN_CONNECTION
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence_client.conformance import LoggedEvent, LoggedHole, PublishedLog

WRITTEN = event_pb2.DURABILITY_WRITTEN
MEMORY = event_pb2.DURABILITY_MEMORY
SYNCED = event_pb2.DURABILITY_SYNCED
TRY_AGAIN = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED}
    | {grpc.StatusCode.RESOURCE_EXHAUSTED}
)
TYPES = ("document.extracted", "document.updated", "batch.completed", "session.started")
Durability: TypeAlias = event_pb2.Durability.ValueType


def events_of(source: str, number: int, *, size: int = 0, first: int = 1) -> list[event_pb2.Event]:
    """Events `1`, `2`, … of a source, of several types and subjects, each with `size` bytes of content."""
    content = event_pb2.OpaqueData(content_type="text/plain", content=b"x" * size) if size else None
    return [
        event_pb2.Event(
            source=source,
            id=str(index),
            type=TYPES[index % len(TYPES)],
            subject=f"libraries/{index % 10}",
            opaque=content,
        )
        for index in range(first, first + number)
    ]


class Ledger:
    """Which event has which place, as publishers were told."""

    def __init__(self) -> None:
        self._events: dict[str, event_pb2.Event] = {}

    def __len__(self) -> int:
        return len(self._events)

    @property
    def newest(self) -> str:
        """The highest cursor that somebody was told."""
        return max(self._events)

    def enter(self, event: event_pb2.Event, cursor: str) -> None:
        """Somebody was told, or saw, that an event has a place."""
        assert cursor, "an event has no place"
        first = self._events.setdefault(cursor, event)
        assert identity_of(first) == identity_of(event), "a place was given twice"

    def enter_into(self, other: Ledger) -> None:
        """Enters everything into another ledger too."""
        for cursor, event in self._events.items():
            other.enter(event, cursor)

    def cursors(self) -> Sequence[str]:
        """All places, rising."""
        return sorted(self._events)

    def log(self, *, kept: Collection[str] | None = None) -> PublishedLog:
        """The log as it must be: what it holds, and holes where offsets were given to nothing.

        Args:
            kept: Cursors of what it holds now; None: everything that ever had a place.
        """
        cursors = self.cursors()
        holes = [
            LoggedHole(before, cursor_at(after, -1))
            for before, after in pairwise(cursors)
            if cursor_at(before, 1) != after
        ]
        events = [
            LoggedEvent(
                cursor,
                identity_of(self._events[cursor]),
                self._events[cursor],
                gone=kept is not None and cursor not in kept,
            )
            for cursor in cursors
        ]
        return PublishedLog(events, holes)


class LastingPublisher:
    """Publishes until everything is acknowledged: what has no answer is sent again, with the same ids."""

    def __init__(
        self, address: str, ledger: Ledger, durability: Durability = WRITTEN, *, batch: int = 10
    ) -> None:
        self._address = address
        self._ledger = ledger
        self._durability = durability
        self._batch = batch
        self.acknowledged = 0
        self.repeated = 0
        self.refusals: set[grpc.StatusCode] = set()

    async def call(self, events: Sequence[event_pb2.Event]) -> None:
        """By `Publish`, one batch after another."""
        async with grpc.aio.insecure_channel(self._address, OWN_CONNECTION) as channel:
            stub = pb_grpc.EventServiceStub(channel)
            for some in batches(events, self._batch):
                request = pb.PublishRequest(events=some, durability=self._durability)
                while not await self._called(stub, request):
                    pass

    async def stream(self, events: Sequence[event_pb2.Event]) -> None:
        """By `PublishStream`, many batches in work."""
        waiting = list(events)
        while waiting:
            async with grpc.aio.insecure_channel(self._address, OWN_CONNECTION) as channel:
                try:
                    await self._streamed(pb_grpc.EventServiceStub(channel), waiting)
                except grpc.aio.AioRpcError as error:
                    self._must_pass(error)

    async def _called(self, stub: pb_grpc.EventServiceStub, request: pb.PublishRequest) -> bool:
        try:
            response = await stub.Publish(request, wait_for_ready=True)  # type: ignore[misc]  # the stub has a type for both kinds of channels
        except grpc.aio.AioRpcError as error:
            self._must_pass(error)
            return False
        for event, result in zip(request.events, response.results, strict=True):
            self._take(event, result)
        return True

    async def _streamed(self, stub: pb_grpc.EventServiceStub, waiting: list[event_pb2.Event]) -> None:
        """Takes from `waiting` what was answered."""

        async def requests() -> AsyncIterator[pb.PublishStreamRequest]:
            for some in batches(tuple(waiting), self._batch):
                yield pb.PublishStreamRequest(events=some, durability=self._durability)

        call = stub.PublishStream(requests(), wait_for_ready=True)  # type: ignore[arg-type]  # as above
        async for response in call:  # type: ignore[attr-defined]  # as above
            results = response.publish_results.results
            for event, result in zip(waiting, results, strict=False):
                self._take(event, result)
            del waiting[: len(results)]

    def _take(self, event: event_pb2.Event, result: pb.PublishResult) -> None:
        assert not result.HasField("error"), result.error.code
        assert result.durability >= self._durability
        self._ledger.enter(event, result.cursor)
        self.acknowledged += 1
        self.repeated += result.repeated

    def _must_pass(self, error: grpc.aio.AioRpcError) -> None:
        # grpc.aio may say INTERNAL of a write that met a broken connection (grpc/grpc issue 36066).
        broken = error.code() is grpc.StatusCode.INTERNAL and not told_by_server(error)
        if error.code() not in TRY_AGAIN and not broken:
            raise error
        self.refusals.add(error.code())


async def publish(
    address: str, ledger: Ledger, events: Sequence[event_pb2.Event], durability: Durability = WRITTEN
) -> None:
    """Publishes events by one stream and enters them."""
    await LastingPublisher(address, ledger, durability, batch=500).stream(events)


def batches(events: Iterable[event_pb2.Event], size: int) -> Iterable[Sequence[event_pb2.Event]]:
    """Events in groups of `size`."""
    items = iter(events)
    while some := list(islice(items, size)):
        yield some


def told_by_server(error: grpc.aio.AioRpcError) -> bool:
    """Whether the server ended the call: what gRPC says of broken connections has no details."""
    return "grpc-status-details-bin" in dict(error.trailing_metadata())


def identity_of(event: event_pb2.Event) -> str:
    """What names an event for ever."""
    return f"{event.source}\n{event.id}"


def cursor_at(cursor: str, distance: int) -> str:
    """The cursor so many offsets further on in the same log."""
    return f"{cursor[:18]}{int(cursor[18:], 16) + distance:016x}"
