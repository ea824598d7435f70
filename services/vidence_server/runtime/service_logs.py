"""Logs that a service keeps in its own database: one per batch, job, session or library.

An entry is appended in the transaction that changes the state it tells of: there is no change without its
entry, and no entry of a change that was rolled back. Watchers are served by the same broadcast as those of
the bus, from memory as long as they keep up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import NamedTuple, Self

from vidence_server.core.clock import Clock
from vidence_server.runtime.stored_log import KeyOf, StoredLog, no_key
from vidence_server.runtime.watch_streams import Subscribable
from vidence_server.runtime.watched_log import WatchedLog
from vidence_server.storage import log_table
from vidence_server.storage.database import Database, Transaction
from vidence_server.storage.log_table import EntryRow, LogHead
from vidence_server.streams.frames import EndReason
from vidence_server.streams.requests import SubscriptionRequest
from vidence_server.streams.ring import RingLimits
from vidence_server.streams.subscription import Subscription

_EPOCH_BITS = 0xFFFF_FFFF
_RING = RingLimits(max_events=1024, max_bytes=2**20)


class LogName(NamedTuple):
    """Which log."""

    tenant: str
    key: str
    """What it is about, e.g. `batch/bat_0199…`; at most 128 characters."""


class Place(NamedTuple):
    """Where an entry stands in its log."""

    sequence: int
    """1, 2, 3, … without a hole."""
    time_ns: int
    """When it was taken, Unix ns; never falls along a log."""


Encoder = Callable[[Place], bytes]
"""Makes the encoded event, without its cursor, for the place that it gets."""


@dataclass(frozen=True, slots=True)
class ServiceLogsStatistics:
    """Logs that are watched now. Plain numbers; safe to read from any thread."""

    watched: int
    subscribers: int


def _topic(name: LogName) -> str:
    return f"log/{name.tenant}/{name.key}"


class ServiceLogs:
    """All logs of a service; watchers are served within its context.

    Bound: a ring of 1,024 events or 1 MiB for each log that is watched; whoever is behind it is served from
    the database. A log that nobody watches costs no memory.
    """

    def __init__(
        self, database: Database, *, clock: Clock, key_of: KeyOf = no_key, ring: RingLimits = _RING
    ) -> None:
        """Logs at rest.

        Args:
            database: Of the service.
            clock: The time of entries.
            key_of: What filters look at, from an entry's body.
            ring: Bounds of the memory for each log that is watched.
        """
        self._database = database
        self._clock = clock
        self._key_of = key_of
        self._ring = ring
        self._watched: dict[LogName, WatchedLog] = {}  # bound: one for each log with a subscriber
        self._opening = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends all watches."""
        for watched in tuple(self._watched.values()):
            await watched.close()
        self._watched.clear()
        if self._closing:
            await asyncio.wait(self._closing)

    async def append(
        self, transaction: Transaction, name: LogName, encoders: Sequence[Encoder], *, end: bool = False
    ) -> list[Place]:
        """Appends to a log, and begins it where there is none; watchers are told after the commit.

        Args:
            transaction: Of the change that the entries tell of.
            name: Which log.
            encoders: One per entry, in order.
            end: Nothing follows: watchers get what there is, then `disconnected` with ENDED.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
            RuntimeError: The log has ended.
        """
        head = await log_table.select_head(transaction, *name, lock=True)
        if head is None:
            head = await log_table.insert_head(transaction, *name, self._new_epoch())
        if head.ended:
            raise RuntimeError("nothing is appended to a log that has ended")
        time_ns = max(head.newest_time_ns, self._now_ns())
        places = [Place(head.newest + 1 + index, time_ns) for index in range(len(encoders))]
        rows = [
            EntryRow(place.sequence, place.time_ns, encode(place))
            for place, encode in zip(places, encoders, strict=True)
        ]
        head = replace(head, newest=head.newest + len(rows), newest_time_ns=time_ns, ended=end)
        if rows:
            await log_table.insert_entries(transaction, head.id, rows)
        await log_table.update_head(transaction, head)
        transaction.announce(_topic(name))
        transaction.after_commit(lambda: self._committed(name, head, rows))
        return places

    async def expire(self, transaction: Transaction, name: LogName, before_ns: int) -> None:
        """Removes the entries taken before a time, Unix ns; cursors before what is left are too old."""
        head = await log_table.select_head(transaction, *name, lock=True)
        if head is None:
            return
        last = await log_table.delete_before(transaction, head.id, before_ns)
        if last is None:
            return
        head = replace(head, oldest=last)
        await log_table.update_head(transaction, head)
        transaction.announce(_topic(name))
        transaction.after_commit(lambda: self._committed(name, head, ()))

    async def delete(self, transaction: Transaction, name: LogName) -> None:
        """Removes a log; its watchers are disconnected with ENDED."""
        head = await log_table.select_head(transaction, *name, lock=True)
        if head is not None:
            await log_table.delete_log(transaction, head.id)
            transaction.announce(_topic(name))
        transaction.after_commit(lambda: self._deleted(name))

    def of(self, name: LogName) -> Subscribable:
        """Where watchers of a log subscribe; one that has no entry yet is begun by the first watcher."""
        return _Source(self, name)

    def notice(self, name: LogName) -> None:
        """Another process has appended to a log: its watchers here are served from the database."""
        watched = self._watched.get(name)
        if watched is not None:
            watched.look()

    def statistics(self) -> ServiceLogsStatistics:
        """The numbers as they are now."""
        watched = tuple(self._watched.values())
        return ServiceLogsStatistics(len(watched), sum(each.subscribers for each in watched))

    def subscribers(self, tenant: str) -> int:
        """How many watch the logs of a tenant."""
        return sum(each.subscribers for name, each in self._watched.items() if name.tenant == tenant)

    async def subscribe(self, name: LogName, request: SubscriptionRequest) -> Subscription:
        """Opens a subscription; `close` gives it back.

        Raises:
            DomainError: CURSOR_FOREIGN, CURSOR_EXPIRED, DRAINING, STORAGE_FAILED.
        """
        watched = await self._open(name)
        try:
            subscription = await watched.broadcast.subscribe(request)
        except BaseException:
            self._release(name, watched)
            raise
        if watched.log.head.ended:
            subscription.end(EndReason.ENDED)
        return subscription

    def close(self, name: LogName, subscription: Subscription) -> None:
        """Takes a subscription back."""
        watched = self._watched.get(name)
        if watched is not None:
            watched.broadcast.close(subscription)
            self._release(name, watched)

    async def _open(self, name: LogName) -> WatchedLog:
        """The log for one more subscriber; `_release` gives it back."""
        async with self._opening:
            watched = self._watched.get(name)
            if watched is None:
                head = await self._head(name)
                log = StoredLog(self._database, name.tenant, name.key, head, self._key_of)
                watched = await WatchedLog.open(log, self._ring, self._clock)
                self._watched[name] = watched
                # Other processes append too, where the database has any.
                watched.at_close(self._database.listen(_topic(name), watched.look))
                # What was committed between the reading of the head and this line.
                watched.look()
            watched.subscribers += 1
            return watched

    async def _head(self, name: LogName) -> LogHead:
        async with self._database.snapshot() as snapshot:
            head = await log_table.select_head(snapshot, *name)
        if head is not None:
            return head
        async with self._database.transaction() as transaction:
            head = await log_table.select_head(transaction, *name, lock=True)
            return head or await log_table.insert_head(transaction, *name, self._new_epoch())

    def _release(self, name: LogName, watched: WatchedLog) -> None:
        watched.subscribers -= 1
        if watched.subscribers == 0 and self._watched.get(name) is watched:
            del self._watched[name]
            task = asyncio.create_task(watched.close(), name="close a watched log")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _committed(self, name: LogName, head: LogHead, rows: Sequence[EntryRow]) -> None:
        watched = self._watched.get(name)
        if watched is not None:
            watched.take(head, rows)

    def _deleted(self, name: LogName) -> None:
        watched = self._watched.get(name)
        if watched is not None:
            watched.broadcast.end(EndReason.ENDED)

    def _new_epoch(self) -> int:
        # Milliseconds: a log that is deleted and begun again within a second must not look like the same.
        return self._now_ns() // 1_000_000 & _EPOCH_BITS

    def _now_ns(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000_000)


@dataclass(frozen=True, slots=True)
class _Source:
    """One log; fits `watch_streams.Subscribable`."""

    logs: ServiceLogs
    name: LogName

    async def subscribe(self, request: SubscriptionRequest) -> Subscription:
        return await self.logs.subscribe(self.name, request)

    def close(self, subscription: Subscription) -> None:
        self.logs.close(self.name, subscription)
