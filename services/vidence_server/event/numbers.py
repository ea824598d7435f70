"""The numbers of one bus, and the stream of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from vidence_server.core.clock import Clock
from vidence_server.event.bus_log import BusLog
from vidence_server.event.domain.rates import Rate
from vidence_server.event.domain.statistics import (
    MAX_SUBSCRIBERS_TOLD,
    BusStatistics,
    LogNumbers,
    SubscriberNumbers,
)
from vidence_server.event.publishing import Publishing
from vidence_server.streams.broadcast import Broadcast
from vidence_server.streams.memory_log import MemoryLog

EncodeSnapshot = Callable[[BusStatistics, int], bytes]
"""Encodes a snapshot and its sequence, without a cursor."""


class Numbers:
    """Puts together what the parts of a bus count."""

    def __init__(self, log: BusLog, broadcast: Broadcast, publishing: Publishing, clock: Clock) -> None:
        self._log = log
        self._broadcast = broadcast
        self._publishing = publishing
        self._clock = clock
        self._started_s = clock.monotonic()
        self._published = Rate(self._started_s)
        self._delivered = Rate(self._started_s)
        self.draining = asyncio.Event()
        """Set when the server takes no more requests."""

    def sample(self) -> None:
        """Remembers the counts of this moment for the rates; called about once a second."""
        now_s = self._clock.monotonic()
        self._published.sample(now_s, self._publishing.statistics().published)
        self._delivered.sample(now_s, self._broadcast.statistics().delivered)

    def now(self) -> BusStatistics:
        """The numbers as they are now."""
        now_s = self._clock.monotonic()
        published = self._publishing.statistics()
        broadcast = self._broadcast.statistics()
        return BusStatistics(
            snapshot_time_ns=int(self._clock.now().timestamp() * 1_000_000) * 1000,
            running=not self.draining.is_set() and not published.storage_failing,
            uptime_s=now_s - self._started_s,
            total_published=published.published,
            total_delivered=broadcast.delivered,
            total_errors=sum(published.errors.values()),
            pending_events=published.pending,
            subscriber_count=broadcast.subscribers,
            total_repeated=published.repeated,
            dropped_by_reason=broadcast.dropped,
            errors_by_reason=published.errors,
            total_heartbeats=broadcast.heartbeats,
            total_subscriptions=broadcast.subscriptions,
            stale_removed=broadcast.stale_removed,
            published_per_second=self._published.per_second(now_s, published.published),
            delivered_per_second=self._delivered.per_second(now_s, broadcast.delivered),
            log=self._of_log(),
            subscribers=self._of_subscribers(),
        )

    def _of_log(self) -> LogNumbers:
        statistics, bounds = self._log.statistics(), self._log.bounds()
        return LogNumbers(
            event_count=statistics.event_count,
            size_bytes=statistics.size_bytes,
            oldest_cursor=self._broadcast.cursor_of(bounds.oldest),
            newest_cursor=self._broadcast.cursor_of(bounds.newest),
            oldest_time_ns=statistics.oldest_time_ns,
            total_expired=statistics.expired,
        )

    def _of_subscribers(self) -> list[SubscriberNumbers]:
        return [
            SubscriberNumbers(
                connection_id=subscriber.connection_id,
                open_time_ns=subscriber.opened_at_ns,
                cursor=subscriber.cursor,
                lag_events=subscriber.lag,
                delivered=subscriber.delivered,
                dropped=subscriber.dropped,
                stalled_s=subscriber.stalled_s,
                acknowledged=subscriber.acknowledged,
            )
            for subscriber in self._broadcast.subscribers()[:MAX_SUBSCRIBERS_TOLD]
        ]


class NumbersFeed:
    """Takes the numbers again and again, while somebody watches; one task, from `async with` to its end."""

    def __init__(
        self,
        numbers: Numbers,
        *,
        log: MemoryLog,
        broadcast: Broadcast,
        encode: EncodeSnapshot,
        period_s: float,
    ) -> None:
        """A feed at rest.

        Args:
            numbers: Are taken while somebody watches, and sampled always.
            log: Where snapshots are kept.
            broadcast: Hands them to those who watch.
            encode: Makes the message of a snapshot.
            period_s: How often.
        """
        self.broadcast = broadcast
        self._numbers = numbers
        self._log = log
        self._encode = encode
        self._period_s = period_s
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begins."""
        self._task = asyncio.create_task(self._run(), name="statistics of the bus")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def tick(self) -> None:
        """One period is over."""
        self._numbers.sample()
        if self.broadcast.statistics().subscribers:
            snapshot = self._numbers.now()
            body = self._encode(snapshot, self._log.bounds().newest + 1)
            self.broadcast.extend([self._log.append(body, time_ns=snapshot.snapshot_time_ns, key=None)])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._period_s)
            self.tick()
