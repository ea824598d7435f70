"""What a publisher holds: events that wait, requests that have no answer yet, and the books over both.

Publishing threads only append to `inbox`, which takes no lock. Everything else happens under one lock, a
thousand events at a time: `inbox` is emptied into the backlog whenever it has used up its `room`, so that the
bounds hold exactly although nobody counts at the door. (Threads that pass the door at the same moment may
exceed them by one event each.)
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from enum import Enum
from operator import attrgetter

from vidence_client.publishing.batch import Batch, Complete
from vidence_client.publishing.encoding import MAX_EVENT_BYTES, request_of
from vidence_client.publishing.statistics import PublisherStatistics

_BATCH_EVENTS = 1_000  # the contract's limit
_BATCH_BYTES = 512 * 1024
_HEAD_BYTES = 4  # tag and length of an event within its request


class OnFull(Enum):
    """What a publisher does with an event for which its buffer has no room."""

    BLOCK = "BLOCK"
    """Waits for room. Where an event loop runs, `publish` raises instead: await `publish_async` there."""
    DROP_OLDEST = "DROP_OLDEST"
    """Drops the oldest event that was not sent yet."""
    DROP_NEWEST = "DROP_NEWEST"
    """Drops the event itself; `publish` returns False."""
    RAISE = "RAISE"
    """Raises `VidenceError`, BUFFER_FULL; the event does not count as published."""


class Buffer:
    """The events of one publisher in one process.

    Args:
        limit_events: Most events that wait, those sent and not acknowledged included.
        limit_bytes: Most bytes of theirs; at least `MAX_EVENT_BYTES` and what `name` adds.
        drop_oldest: Whether the oldest event gives way to the newest when there is no room.
        name: Encodes source and id of the event with a number, to be appended to it.
        durability: What the server is asked for.
    """

    def __init__(
        self,
        *,
        limit_events: int,
        limit_bytes: int,
        drop_oldest: bool,
        name: Callable[[int], bytes],
        durability: int,
    ) -> None:
        self.inbox: deque[bytes] = deque()
        self.room = 0
        """Events that `inbox` may hold before somebody must look closer; 0: always look."""
        self._limit_events = limit_events
        self._limit_bytes = limit_bytes
        self._drop_oldest = drop_oldest
        self._name = name
        self._name_bytes = len(name(10**15)) + _HEAD_BYTES
        self._durability = durability
        # reentrant: a signal handler may publish in the middle of a publish
        self._lock = threading.RLock()
        self._backlog: deque[bytes] = deque()
        self._again: deque[Batch] = deque()
        self._unanswered: deque[Batch] = deque()
        self._taken = 0
        self._held_bytes = 0
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._closed = False
        self._room_waiters: list[Future[None]] = []
        self._flushes: list[tuple[int, Future[None]]] = []
        self._set_room()

    def offer(self, event: bytes) -> bool:
        """Takes an event if there is room, made by dropping the oldest where that is the policy."""
        with self._lock:
            self._collect()
            while not self._fits(len(event)):
                if not (self._drop_oldest and self._backlog):
                    return False
                self._held_bytes -= len(self._backlog.popleft()) + self._name_bytes
                self._dropped["OLDEST"] += 1
            self.inbox.append(event)
            self._collect()
        self._tell()
        return True

    def drop_newest(self) -> None:
        """Counts an event that found no room and is given up."""
        with self._lock:
            self._dropped["NEWEST"] += 1

    def wait_for_room(self) -> Future[None]:
        """Gives a future that is done when there is room for any event."""
        future: Future[None] = Future()
        with self._lock:
            self._room_waiters = [one for one in self._room_waiters if not one.cancelled()]
            self._room_waiters.append(future)
        self._tell()
        return future

    def wait_for_answers(self) -> Future[None]:
        """Gives a future that is done when every event published so far has its answer, or was dropped."""
        future: Future[None] = Future()
        with self._lock:
            self._collect()
            self._flushes.append((self._taken, future))
        self._tell()
        return future

    def has_unsent(self) -> bool:
        """Tells whether something waits to be sent."""
        return bool(self.inbox or self._backlog or self._again)

    def take(self) -> Batch | None:
        """Gives the next request to send, those to be sent again first; None: nothing is to be sent."""
        with self._lock:
            self._collect()
            batch = self._again.popleft() if self._again else self._next_batch()
            if batch is not None:
                self._unanswered.append(batch)
            return batch

    @property
    def unanswered(self) -> int:
        """Requests that were taken and have no answer yet."""
        return len(self._unanswered)

    @property
    def unanswered_events(self) -> int:
        """Events in them."""
        return sum(batch.count for batch in self._unanswered)

    def oldest(self) -> Batch | None:
        """Gives the request whose answer comes next."""
        return self._unanswered[0] if self._unanswered else None

    def count(self, what: str, number: int = 1) -> None:
        """Adds to `sent` or `reconnects` of the statistics."""
        with self._lock:
            self._counts[what] += number

    def settle(self, *, repeated: int = 0, errors: int = 0, again: Sequence[int] = ()) -> None:
        """Takes the answer to the oldest request.

        Args:
            repeated: Events that had arrived before.
            errors: Events that were refused for good.
            again: Places of events in the request, from 0, that must be sent again.
        """
        with self._lock:
            batch = self._unanswered.popleft()
            self._counts["repeated"] += repeated
            self._counts["errors"] += errors
            self._counts["acknowledged"] += batch.count - errors - len(again)
            self._held_bytes -= len(batch.request)
            if again:
                part = batch.part(again, self._durability)
                self._again.appendleft(part)
                self._held_bytes += len(part.request)
            self._set_room()
        self._tell()

    def divide_oldest(self) -> None:
        """Makes a request of each event of the oldest one, to be sent again when the connection is lost."""
        with self._lock:
            batch = self._unanswered.popleft()
            parts = [batch.part([place], self._durability) for place in range(batch.count)]
            self._held_bytes += sum(len(part.request) for part in parts) - len(batch.request)
            self._unanswered.extendleft(reversed(parts))

    def connection_lost(self) -> None:
        """Has every request without an answer sent again, in the same order."""
        with self._lock:
            # what was postponed stands in `_again` already, and is older than what followed it
            self._again = deque(sorted((*self._unanswered, *self._again), key=attrgetter("first")))
            self._unanswered.clear()

    def close(self) -> None:
        """Drops what waits; nothing is taken any more."""
        with self._lock:
            self._collect()
            self._dropped["CLOSED"] += self._waiting()
            for held in (self._backlog, self._again, self._unanswered):
                held.clear()
            self._held_bytes = 0
            self._closed = True
            self.room = 0
        self._tell()

    def statistics(self) -> PublisherStatistics:
        """Gives counts that are consistent with each other."""
        with self._lock:
            self._collect()
            counts = self._counts
            return PublisherStatistics(
                published=self._taken + self._dropped["NEWEST"],
                sent=counts["sent"],
                acknowledged=counts["acknowledged"],
                repeated=counts["repeated"],
                errors=counts["errors"],
                dropped={reason: number for reason, number in self._dropped.items() if number},
                waiting=self._waiting(),
                waiting_bytes=self._held_bytes,
                reconnects=counts["reconnects"],
            )

    def _collect(self) -> None:
        """Moves what publishers put into the inbox into the books."""
        inbox = self.inbox
        events = [inbox.popleft() for _ in range(len(inbox))]
        if events:
            self._taken += len(events)
            if self._closed:  # they passed the door while it closed
                self._dropped["CLOSED"] += len(events)
                return
            self._backlog.extend(events)
            self._held_bytes += sum(map(len, events)) + len(events) * self._name_bytes
        self._set_room()

    def _set_room(self) -> None:
        if not self._closed:
            events = self._limit_events - self._waiting()
            largest = MAX_EVENT_BYTES + self._name_bytes
            self.room = max(0, min(events, (self._limit_bytes - self._held_bytes) // largest))

    def _fits(self, size: int) -> bool:
        fits = self._held_bytes + size + self._name_bytes <= self._limit_bytes
        return fits and self._waiting() < self._limit_events and not self._closed

    def _waiting(self) -> int:
        return self.unanswered_events + sum(batch.count for batch in self._again) + len(self._backlog)

    def _next_batch(self) -> Batch | None:
        backlog = self._backlog
        first = self._taken - len(backlog) + 1
        events: list[bytes] = []
        size = 0
        while backlog and len(events) < _BATCH_EVENTS and size + len(backlog[0]) <= _BATCH_BYTES:
            event = backlog.popleft()
            size += len(event) + self._name_bytes
            events.append(event if type(event) is Complete else event + self._name(first + len(events)))
        if not events:
            return None
        request = request_of(events, self._durability)
        self._held_bytes += len(request) - size
        return Batch(first, len(events), request)

    def _tell(self) -> None:
        """Tells those whose wait is over; outside the lock, for they may publish at once."""
        done: list[Future[None]] = []
        with self._lock:
            if self._closed or self._fits(MAX_EVENT_BYTES):
                done, self._room_waiters = self._room_waiters, []
            oldest = self._oldest_number()
            done += [future for number, future in self._flushes if number < oldest]
            self._flushes = [flush for flush in self._flushes if flush[0] >= oldest]
        for future in done:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    def _oldest_number(self) -> int:
        """Gives the number of the oldest event that waits; one more than the newest's where none does."""
        held = [batch.first for batch in (*self._again, *self._unanswered)]
        return min(held) if held else self._taken - len(self._backlog) + 1
