"""The log of one session, and the log of all sessions: in memory, with whoever watches them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Self

from vidence_server.core.clock import Clock
from vidence_server.streams.broadcast import Broadcast
from vidence_server.streams.cursor import Cursor, log_id
from vidence_server.streams.entry import GapReason
from vidence_server.streams.frames import EndReason
from vidence_server.streams.memory_log import MemoryLog
from vidence_server.streams.requests import AfterCursor, SubscriptionRequest
from vidence_server.streams.ring import RingLimits
from vidence_server.streams.statistics import BroadcastStatistics
from vidence_server.streams.subscription import Subscription

_CHANGE = 0


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where and when an event stands in its log."""

    sequence: int
    time: datetime


Encode = Callable[[Stamp], bytes]
"""Makes the encoded event, without its cursor."""


class SessionLog:
    """The events of one session. Bound: `capacity` events and the ring; the oldest go.

    Every event lives in memory only: a process that takes the session up again begins a new epoch.
    """

    def __init__(
        self, tenant: str, session_id: str, *, life: int, capacity: int, ring: RingLimits, clock: Clock
    ) -> None:
        """An empty log.

        Args:
            tenant: Whose.
            session_id: Of what.
            life: Rises whenever the session is taken up: the epoch.
            capacity: Events kept.
            ring: Of these, what is ready for watchers who keep up.
            clock: The time of events.
        """
        self._clock = clock
        self._log = MemoryLog(log=log_id(tenant, f"session/{session_id}"), epoch=life, capacity=capacity)
        self._broadcast = Broadcast(self._log, ring, clock, epoch_gap=GapReason.EPHEMERAL)
        self._time = clock.now()
        self.ended = False

    @property
    def cursor(self) -> str:
        """That of the newest event."""
        return self._broadcast.cursor_of(self._log.bounds().newest)

    @property
    def bytes(self) -> int:
        """Of the events that are ready."""
        return self._broadcast.ring.size_bytes

    @property
    def events(self) -> int:
        """Events that are kept."""
        bounds = self._log.bounds()
        return bounds.newest - bounds.oldest

    def append(self, encoders: Iterable[Encode], *, key: object = _CHANGE) -> int:
        """Adds events and hands them to those who watch; how many."""
        self._time = max(self._time, self._clock.now())
        time_ns = int(self._time.timestamp() * 1_000_000) * 1000
        entries = []
        for encode in encoders:
            body = encode(Stamp(self._log.bounds().newest + 1, self._time))
            entries.append(self._log.append(body, time_ns=time_ns, key=key))
        if entries:
            self._broadcast.extend(entries)
        return len(entries)

    def forget(self) -> None:
        """Lets all events expire: whoever has not got them yet is told a gap."""
        self._log.forget()
        self._broadcast.forget()

    def end(self) -> None:
        """The last event was added: those who watch are served to it, then told the end."""
        self.ended = True
        self._broadcast.end(EndReason.ENDED)

    async def subscribe(self, request: SubscriptionRequest) -> Subscription:
        """Opens a subscription; raises as `Broadcast.subscribe`."""
        subscription = await self._broadcast.subscribe(request)
        if self.ended:
            subscription.end(EndReason.ENDED)
        return subscription

    def close(self, subscription: Subscription) -> None:
        """Takes it back."""
        self._broadcast.close(subscription)

    def statistics(self) -> BroadcastStatistics:
        """The numbers as they are now."""
        return self._broadcast.statistics()

    def backlog(self) -> int:
        """Events that the slowest watcher has not got."""
        return max((one.lag for one in self._broadcast.subscribers()), default=0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends what watches."""
        await self._broadcast.__aexit__(kind, error, traceback)


@dataclass(frozen=True, slots=True)
class ChangesOnly:
    """Lets changes through, and the snapshot that was made for this watcher."""

    snapshot: int = -1
    """Its number; -1: none."""

    def matches(self, key: object) -> bool:
        """Whether an entry is wanted."""
        return key in {_CHANGE, self.snapshot}


class SessionsFeed:
    """The sessions of a tenant as they come, change and go.

    A snapshot is a part of the log like any change, so that it can be resumed; each one is made for one
    watcher and left out for all others.
    """

    def __init__(
        self, log: SessionLog, sessions: Callable[[], Iterable[Encode]], complete: Callable[[int], Encode]
    ) -> None:
        """A feed.

        Args:
            log: Where it is kept.
            sessions: Makes a snapshot: each session.
            complete: Makes the end of a snapshot of so many sessions.
        """
        self.log = log
        self._sessions = sessions
        self._complete = complete
        self._snapshots = _CHANGE

    def changed(self, encode: Encode) -> None:
        """A session is new or has changed."""
        self.log.append([encode])

    async def subscribe(self, request: SubscriptionRequest) -> Subscription:
        """Opens a subscription that begins with a snapshot."""
        begin = Cursor.parse(self.log.cursor)
        self._snapshots += 1
        sessions = list(self._sessions())
        self.log.append([*sessions, self._complete(len(sessions))], key=self._snapshots)
        return await self.log.subscribe(
            replace(request, start=AfterCursor(begin), filter=ChangesOnly(self._snapshots))
        )

    def close(self, subscription: Subscription) -> None:
        """Takes it back."""
        self.log.close(subscription)
