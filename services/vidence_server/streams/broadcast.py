"""One log and everybody who watches it: a ring of its newest entries, a place for each subscriber."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.cursor import Cursor
from vidence_server.streams.entry import GapReason, Hole, LogItem
from vidence_server.streams.frames import EndReason, Gap
from vidence_server.streams.log import LogBounds, LogPage, ReadableLog
from vidence_server.streams.page_reader import PageReader
from vidence_server.streams.requests import (
    AfterCursor,
    Earliest,
    Filter,
    Latest,
    OnExpired,
    OnOverflow,
    SinceTime,
    SubscriptionRequest,
)
from vidence_server.streams.ring import Ring, RingLimits
from vidence_server.streams.source import Progress
from vidence_server.streams.statistics import BroadcastStatistics, SubscriberSnapshot
from vidence_server.streams.subscription import Subscription
from vidence_server.streams.turns import PER_PASS, Turns
from vidence_server.streams.view import FilterView


class Broadcast:
    """Hands the entries of one log to its subscribers. Belongs to one event loop.

    A subscriber is a place in the log, not a queue: whoever keeps up is served from the ring,
    whoever does not from the log, and neither slows anybody else.
    """

    def __init__(
        self,
        log: ReadableLog,
        limits: RingLimits,
        clock: Clock,
        *,
        stale_after_s: float = 20.0,
        epoch_gap: GapReason = GapReason.EPOCH,
        turns_per_pass: int = PER_PASS,
    ) -> None:
        """Begins at the log's newest entry.

        Args:
            log: Where everything is that the ring no longer holds.
            limits: Bounds of the ring; a group commit of the log must fit in it.
            clock: For the times at which subscriptions open.
            stale_after_s: A subscription that ends after its peer did not read for so long counts as stale.
            epoch_gap: What subscribers with a cursor of another epoch are told; EPHEMERAL for a log
                in memory.
            turns_per_pass: Subscribers that write in one pass of the event loop; see `Turns`.
        """
        self.ring = Ring(limits, log.bounds().newest)
        self._log = log
        self._clock = clock
        self._stale_after_s = stale_after_s
        self._epoch_gap = epoch_gap
        self._prefix = str(Cursor(log.log, log.epoch, 0))[:-16]
        self._pages = PageReader(log)
        self._views: dict[Filter | None, FilterView] = {}  # bound: one per distinct filter in use
        self._subscriptions: dict[Subscription, None] = {}  # bound: the server's limit of streams
        self._impatient: dict[Subscription, None] = {}  # those to be ended when they fall behind
        self._room: list[asyncio.Future[None]] = []  # bound: one per blocked publisher
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._closed_progress = Progress()
        self._ending: EndReason | None = None
        self.turns = Turns(turns_per_pass)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends what runs."""
        self.end(EndReason.DRAINING)
        self.turns.close()
        await self._pages.close()

    def extend(self, items: Sequence[LogItem]) -> None:
        """Takes what may be told from now on, in the order of offsets, and wakes whom it concerns."""
        ring, hole = self.ring, False
        for item in items:
            if isinstance(item, Hole):
                ring.restart(item.until)
                hole = True
            else:
                ring.append(item)
                self._counts["broadcast"] += 1
        self._notice(everybody=hole)
        self._end_the_slow()

    def forget(self) -> None:
        """Lets go of all that was told so far, as the log did: who has not got it yet is told a gap."""
        self.ring.restart(self.ring.head)
        for view in self._views.values():
            view.forget()
        self._notice(everybody=True)
        self._end_the_slow()

    async def subscribe(self, request: SubscriptionRequest) -> Subscription:
        """Opens a subscription; give it back by `close`.

        Raises:
            DomainError: CURSOR_FOREIGN, CURSOR_EXPIRED, DRAINING, STORAGE_FAILED.
        """
        if self._ending is not None:
            raise DomainError(Reason.DRAINING, "The server is shutting down.", retry_after_s=1.0)
        begin, first = await self._begin(request)
        view = self._views.get(request.filter)
        if view is None:
            view = self._views[request.filter] = FilterView(request.filter, self.ring, self.cursor_of)
        view.subscribers += 1
        subscription = Subscription(
            request, self, view, begin=begin, first=first, opened_at_ns=_unix_ns(self._clock)
        )
        self._subscriptions[subscription] = None
        self._counts["subscriptions"] += 1
        if request.on_overflow is OnOverflow.DISCONNECT:
            self._impatient[subscription] = None
        return subscription

    def close(self, subscription: Subscription) -> None:
        """Takes a subscription back; may be called again."""
        if subscription not in self._subscriptions:
            return
        if subscription.stalled_s() > self._stale_after_s:
            self._counts["stale_removed"] += 1
        del self._subscriptions[subscription]
        self._impatient.pop(subscription, None)
        subscription.close()
        _add(self._closed_progress, subscription.progress)
        view = subscription.view
        view.subscribers -= 1
        if not view.subscribers:
            self._views.pop(subscription.request.filter, None)
        self.moved(subscription)

    def end(self, reason: EndReason) -> None:
        """Ends all subscriptions; with DRAINING no new ones open."""
        if reason is EndReason.DRAINING:
            self._ending = reason
        for subscription in self._subscriptions:
            subscription.end(reason)

    async def wait_for_room(self) -> None:
        """Waits until one more entry takes nothing from a subscriber with the policy BLOCK."""
        while any(map(self._holds_back, self._subscriptions)):
            room = asyncio.get_running_loop().create_future()
            self._room.append(room)
            await room

    def moved(self, subscription: Subscription) -> None:
        """A subscriber has moved on, or left: publishers that wait for room look again."""
        if self._room and subscription.request.on_overflow is OnOverflow.BLOCK:
            waiting, self._room = self._room, []
            for room in waiting:
                if not room.done():
                    room.set_result(None)

    def bounds(self) -> LogBounds:
        """What the log holds."""
        return self._log.bounds()

    def cursor_of(self, offset: int) -> str:
        """The cursor of an offset of this log."""
        return f"{self._prefix}{offset:016x}"

    def missed(self, after: int, until: int) -> int | None:
        """How many entries there were in (after, until]."""
        return self._log.missed(after, until)

    async def read(self, after: int, until: int) -> LogPage:
        """Items of the log, shared by those who read at the same place."""
        return await self._pages.read(after, until)

    def told_gap(self, gap: Gap) -> None:
        """Hears what a subscriber is told that it will not get."""
        self._dropped[gap.reason.name] += gap.missed_count or 0

    def statistics(self) -> BroadcastStatistics:
        """The numbers as they are now."""
        progress = Progress()
        _add(progress, self._closed_progress)
        subscriptions = tuple(self._subscriptions)
        for subscription in subscriptions:
            _add(progress, subscription.progress)
        return BroadcastStatistics(
            subscribers=len(subscriptions),
            waiting=sum(subscription.waiting for subscription in subscriptions),
            filters=len(self._views),
            ring_events=len(self.ring),
            ring_bytes=self.ring.size_bytes,
            subscriptions=self._counts["subscriptions"],
            broadcast=self._counts["broadcast"],
            delivered=progress.delivered,
            heartbeats=progress.heartbeats,
            stale_removed=self._counts["stale_removed"],
            dropped=dict(self._dropped),
            too_slow=self._counts["too_slow"],
        )

    def subscribers(self) -> list[SubscriberSnapshot]:
        """Every subscriber as it is now, those that lag most first."""
        snapshots = [
            SubscriberSnapshot(
                connection_id=subscription.request.connection_id,
                opened_at_ns=subscription.opened_at_ns,
                cursor=subscription.cursor,
                lag=subscription.lag,
                delivered=subscription.progress.delivered,
                dropped=subscription.progress.dropped,
                stalled_s=subscription.stalled_s(),
                acknowledged=subscription.acknowledged,
            )
            for subscription in self._subscriptions
        ]
        return sorted(snapshots, key=lambda snapshot: -snapshot.lag)

    async def _begin(self, request: SubscriptionRequest) -> tuple[int, Gap | None]:
        """Where a subscription starts, and what it has missed before."""
        match request.start:
            case Latest():
                return self.ring.head, None
            case Earliest():
                return self._log.bounds().oldest, None
            case SinceTime(time_ns):
                begin = await self._log.offset_before(time_ns)
                if begin is not None:
                    return min(begin, self.ring.head), None
                # How much of what expired was older than that time, nobody knows any more.
                return self._expired(request, self.cursor_of(0), GapReason.EXPIRED, None)
            case AfterCursor(cursor):
                return self._after(request, cursor)

    def _after(self, request: SubscriptionRequest, cursor: Cursor) -> tuple[int, Gap | None]:
        if cursor.log != self._log.log:
            raise DomainError(Reason.CURSOR_FOREIGN, "The cursor belongs to another log.")
        # A place that this log has not reached yet was told by another life of it.
        if cursor.epoch != self._log.epoch or cursor.offset > self.ring.head:
            return self._expired(request, str(cursor), self._epoch_gap, None)
        if cursor.offset < self._log.bounds().oldest:
            return self._expired(request, str(cursor), GapReason.EXPIRED, cursor.offset)
        return cursor.offset, None

    def _expired(
        self, request: SubscriptionRequest, previous: str, reason: GapReason, after: int | None
    ) -> tuple[int, Gap]:
        oldest = self._log.bounds().oldest
        if request.on_expired is OnExpired.FAIL:
            raise DomainError(
                Reason.CURSOR_EXPIRED,
                "What follows the start that was asked for is no longer kept.",
                metadata={
                    "oldest_cursor": self.cursor_of(oldest),
                    "newest_cursor": self.cursor_of(self.ring.head),
                },
            )
        missed = None if after is None else self._log.missed(after, oldest)
        return oldest, Gap(self.cursor_of(oldest), previous, reason, missed)

    def _notice(self, *, everybody: bool) -> None:
        """Lines up those for whom there is something new; a filter is evaluated once for all who share it."""
        for view in self._views.values():
            quiet = view.quiet
            for waiter in view.take_waiters(everybody=everybody) if view.waiters else ():
                waiter.notice(quiet)
            view.quiet = view.evaluated
        self.turns.serve()

    def _holds_back(self, subscription: Subscription) -> bool:
        return (
            subscription.request.on_overflow is OnOverflow.BLOCK
            and not subscription.waiting
            and self.ring.full
            and subscription.scanned <= self.ring.start
        )

    def _end_the_slow(self) -> None:
        """Lets go of the subscribers that fell behind and asked for it."""
        slow = [item for item in self._impatient if item.live and item.scanned < self.ring.start]
        for subscription in slow:
            if not subscription.waiting:
                del self._impatient[subscription]
                subscription.end(EndReason.TOO_SLOW)
                self._counts["too_slow"] += 1


def _add(total: Progress, progress: Progress) -> None:
    total.delivered += progress.delivered
    total.heartbeats += progress.heartbeats
    total.dropped += progress.dropped


def _unix_ns(clock: Clock) -> int:
    return int(clock.now().timestamp() * 1_000_000_000)
