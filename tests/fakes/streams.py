"""A log in memory whose older part must be read page by page, and watchers that record what they get."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence_server.core.clock import SystemClock
from vidence_server.streams.broadcast import Broadcast
from vidence_server.streams.cursor import Cursor
from vidence_server.streams.entry import Entry, Hole, LogItem, encode_entry
from vidence_server.streams.frames import Batch, Beat, End, Frame, Gap, Opening
from vidence_server.streams.log import LogBounds, LogPage
from vidence_server.streams.requests import Latest, Start, SubscriptionRequest
from vidence_server.streams.ring import RingLimits
from vidence_server.streams.subscription import Subscription

LOG, EPOCH = 0xA, 0xB


def cursor_at(offset: int, *, epoch: int = EPOCH) -> Cursor:
    return Cursor(LOG, epoch, offset)


@dataclass(frozen=True)
class Parity:
    """A filter on keys that are numbers."""

    remainder: int
    modulus: int = 2

    def matches(self, key: object) -> bool:
        assert isinstance(key, int)
        return key % self.modulus == self.remainder


@dataclass
class FakeLog:
    """Keeps everything until it is told to forget; holes where it is told to have them."""

    log: int = LOG
    epoch: int = EPOCH
    items: list[LogItem] = field(default_factory=list)
    oldest: int = 0
    newest: int = 0
    reads: int = 0
    subject_length: int = 0
    before_read: Callable[[], None] = lambda: None

    def append(self, count: int = 1) -> list[LogItem]:
        made: list[LogItem] = []
        for _ in range(count):
            self.newest += 1
            body = event_pb2.Event(
                source="s", type="t", id=str(self.newest), subject="x" * self.subject_length
            ).SerializeToString()
            encoded = encode_entry(body, str(Cursor(self.log, self.epoch, self.newest)))
            made.append(Entry(self.newest, encoded, self.newest, self.newest))
        self.items += made
        return made

    def skip(self, hole: Hole) -> list[LogItem]:
        self.items.append(hole)
        self.newest = hole.until
        return [hole]

    def forget(self, until: int) -> None:
        self.oldest = until

    def bounds(self) -> LogBounds:
        return LogBounds(self.oldest, self.newest)

    async def read(self, after: int, *, until: int, limit: int, max_bytes: int) -> LogPage:
        self.reads += 1
        await asyncio.sleep(0)
        self.before_read()
        floor = max(after, self.oldest)
        page = [item for item in self.items if _end(item) > floor and _end(item) <= until][: min(limit, 100)]
        return LogPage(page, _end(page[-1]) if page else after)

    async def offset_before(self, time_ns: int) -> int | None:
        if self.oldest and time_ns <= self.oldest:
            return None
        return min(max(time_ns - 1, 0), self.newest)

    def missed(self, after: int, until: int) -> int | None:
        return until - after


def _end(item: LogItem) -> int:
    return item.until if isinstance(item, Hole) else item.offset


def broadcast_of(log: FakeLog, *, ring: int = 8, stale_after_s: float = 20.0) -> Broadcast:
    return Broadcast(log, RingLimits(max_events=ring), SystemClock(), stale_after_s=stale_after_s)


def request(start: Start | None = None, **changes: object) -> SubscriptionRequest:
    asked = {"start": start or Latest(), "connection_id": "con_1", "heartbeat_period_s": 30.0} | changes
    return SubscriptionRequest(**asked)  # type: ignore[arg-type]  # a test names the fields


@dataclass
class Seen:
    """What one subscriber got, its chain checked on the way."""

    offsets: list[int] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    cursor: str = ""

    def take(self, frame: Frame) -> None:
        self.frames.append(frame)
        match frame:
            case Opening(cursor):
                assert self.cursor == ""
                self.cursor = cursor
            case Batch(message, size, until):
                response = pb.SubscribeResponse.FromString(message)
                assert response.previous_cursor == self.cursor
                assert len(response.events) == size
                assert Cursor.parse(response.cursor).offset == until
                self.offsets += [int(event.id) for event in response.events]
                self.cursor = response.cursor
            case Gap(cursor, previous, _, _) | Beat(cursor, previous):
                assert previous == self.cursor
                self.cursor = cursor
            case End(cursor, _):
                assert cursor == self.cursor

    def of(self, kind: type[Frame]) -> Sequence[Frame]:
        return [frame for frame in self.frames if isinstance(frame, kind)]


async def read_until(
    subscription: Subscription, seen: Seen, enough: Callable[[Seen], bool], *, patience_s: float = 60.0
) -> Seen:
    """Reads frames until there is enough of them."""
    async with asyncio.timeout(patience_s):
        while not enough(seen):
            seen.take(await subscription.next())
    return seen


async def quiet(subscription: Subscription) -> bool:
    """Whether it has nothing to say now: it goes to wait."""
    task = asyncio.create_task(subscription.next())
    for _ in range(50):
        await asyncio.sleep(0)
    waits = not task.done()
    task.cancel()
    await asyncio.wait({task})
    return waits
