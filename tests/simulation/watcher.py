"""A watcher that keeps its cursor, reads at its own pace, and comes back after every break."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace

from simulation.machine import Line, Machine, ServerGoneError
from simulation.observed import WatcherRecord
from simulation.wire import WireCutError, WireEndedError
from vidence_client.conformance import Connection, Message, Watcher
from vidence_server.streams.cursor import Cursor
from vidence_server.streams.requests import (
    AfterCursor,
    Earliest,
    OnExpired,
    OnOverflow,
    SinceTime,
    Start,
    SubscriptionRequest,
)


@dataclass(frozen=True, slots=True)
class KindFilter:
    """Wants one kind of event."""

    kind: str

    def matches(self, key: object) -> bool:
        """Whether the key is that kind."""
        return key == self.kind


@dataclass(frozen=True, slots=True)
class WatcherPlan:
    """How one watcher behaves."""

    name: str
    joins_s: float
    """When it connects first."""
    start: Start
    on_expired: OnExpired
    on_overflow: OnOverflow
    filter: KindFilter | None
    heartbeat_period_s: float
    read_pause_s: float
    """Longest pause between two messages."""
    cuts: float
    """Probability that a connection breaks after some messages."""
    stalls: float
    """Probability that it stops reading for a while, after a message."""
    doubles: float
    """Probability that it connects twice at the same cursor."""


class Watching:
    """One watcher through all its connections. A cursor that is no longer kept begins a new record."""

    def __init__(self, plan: WatcherPlan, machine: Machine, rng: random.Random) -> None:
        self.plan = plan
        self._machine = machine
        self._rng = rng
        self._connections: list[Connection] = []
        self._probes: list[Connection] = []
        self._start = plan.start
        self._since_ns = plan.start.time_ns if isinstance(plan.start, SinceTime) else None
        self._target: int | None = None
        self._messages: list[Message] = []
        self._twin: asyncio.Task[None] | None = None

    @property
    def caught_up(self) -> bool:
        """Whether it was told everything up to the target."""
        return self._target is not None and self._reached(self._messages, self._target)

    def finish_at(self, target: int) -> None:
        """From now on it reads quickly, and is done when it was told everything up to an offset."""
        self._target = target

    async def run(self) -> None:
        """Connects and reads until it is done."""
        await asyncio.sleep(self.plan.joins_s)
        while not self.caught_up:
            try:
                await self._connect()
            except ServerGoneError:
                await asyncio.sleep(0.2 + 0.5 * self._rng.random())
        if self._twin is not None:
            await asyncio.wait({self._twin})

    def record(self) -> WatcherRecord:
        """What it saw since it last had to begin anew."""
        connections = tuple(self._connections)
        watcher = Watcher(connections)
        return WatcherRecord(self.plan.name, watcher, tuple(self._probes), self._since_ns, self.caught_up)

    async def probe(self, target: int) -> None:
        """Connects once more after cursors that it saw, and reads all that came after them."""
        seen = [message.cursor for connection in self._connections for message in connection.messages]
        seen += [e.cursor for c in self._connections for message in c.messages for e in message.events]
        for cursor in self._rng.sample(seen, min(2, len(seen))):
            start = AfterCursor(Cursor.parse(cursor))
            line = self._machine.watch(replace(self._request(start), on_expired=OnExpired.GAP), window=8)
            messages: list[Message] = []
            try:
                while not self._reached(messages, target):
                    messages.append(await line.wire.read())
            except (WireCutError, WireEndedError) as error:
                self._machine.observed.errors.append(f"probe of {self.plan.name} ended: {error}")
            line.hang_up()
            self._probes.append(self._connection(messages, cursor))

    async def _connect(self) -> None:
        after = self._last_cursor()
        start = AfterCursor(Cursor.parse(after)) if after else self._start
        line = self._machine.watch(self._request(start), window=self._rng.randint(1, 6))
        if after and self._twin is None and self._rng.random() < self.plan.doubles:
            twin = self._machine.watch(self._request(start), window=2)
            self._twin = self._machine.spawn(self._read_twin(twin, after, self._rng.randint(1, 6)))
        self._messages = []
        ended = False
        try:
            ended = await self._read(line)
        finally:
            line.hang_up()
            if self._messages:
                self._connections.append(self._connection(self._messages, after, ended=ended))

    async def _read(self, line: Line) -> bool:
        """Reads until something ends it; whether the server ended it as promised."""
        cut_after = self._rng.randint(0, 8) if self._rng.random() < self.plan.cuts else None
        try:
            while not self.caught_up:
                if cut_after is not None and len(self._messages) >= cut_after and self._target is None:
                    self._machine.trace.note(f"{self.plan.name}: cut")
                    return False
                message = await line.wire.read()
                self._messages.append(message)
                self._note(message)
                await self._pause()
        except WireEndedError as end:
            self._machine.trace.note(f"{self.plan.name}: ended {end.reason or 'OK'}")
            if end.reason == "CURSOR_EXPIRED":
                self._begin_anew()
            return end.reason in {"", "SUBSCRIBER_TOO_SLOW"}
        except WireCutError:
            self._machine.trace.note(f"{self.plan.name}: broken")
        return False

    async def _read_twin(self, line: Line, after: str, count: int) -> None:
        messages: list[Message] = []
        try:
            while len(messages) < count:
                messages.append(await asyncio.wait_for(line.wire.read(), 3 * self.plan.heartbeat_period_s))
        except (WireCutError, WireEndedError, TimeoutError):
            pass
        line.hang_up()
        if messages:
            self._probes.append(self._connection(messages, after))

    async def _pause(self) -> None:
        if self._target is not None:
            return
        if self._rng.random() < self.plan.stalls:
            self._machine.trace.note(f"{self.plan.name}: stalls")
            await asyncio.sleep(5.0 + 20.0 * self._rng.random())
        elif self.plan.read_pause_s:
            await asyncio.sleep(self.plan.read_pause_s * self._rng.random())

    def _begin_anew(self) -> None:
        """Its cursor is no longer kept, and it asked to be told: what it saw is a record of its own."""
        if self._connections:
            self._machine.observed.watchers.append(replace(self.record(), caught_up=True))
        self._connections, self._probes = [], []
        self._messages = []
        self._start, self._since_ns = Earliest(), None

    def _last_cursor(self) -> str:
        return self._connections[-1].last_cursor if self._connections else ""

    def _request(self, start: Start) -> SubscriptionRequest:
        plan = self.plan
        return SubscriptionRequest(
            start=start,
            connection_id=plan.name,
            heartbeat_period_s=plan.heartbeat_period_s,
            on_expired=plan.on_expired,
            on_overflow=plan.on_overflow,
            filter=plan.filter,
        )

    def _connection(self, messages: list[Message], after: str, *, ended: bool = False) -> Connection:
        wanted = self.plan.filter
        return Connection(
            messages=tuple(messages),
            after_cursor=after,
            wants=None if wanted is None else wanted.matches,
            filtered=wanted is not None,
            ended_by_server=ended,
        )

    def _reached(self, messages: list[Message], target: int) -> bool:
        if not messages:
            return False
        cursor = Cursor.parse(messages[-1].cursor)
        return cursor.epoch == self._machine.epoch and cursor.offset >= target

    def _note(self, message: Message) -> None:
        offsets = [Cursor.parse(event.cursor).offset for event in message.events]
        span = f"({message.previous_cursor[-4:]}, {message.cursor[-4:]}]"
        reason = "" if message.gap is None else f" {message.gap.reason} {message.gap.missed_count}"
        self._machine.trace.note(f"{self.plan.name}: {message.kind.name} {span} {offsets or ''}{reason}")
