"""What of a ring one filter lets through, evaluated once for all subscribers who ask for it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from operator import attrgetter
from typing import Protocol

from vidence_server.streams.entry import Entry
from vidence_server.streams.frames import Batch, encode_batch
from vidence_server.streams.requests import Filter
from vidence_server.streams.ring import Ring

MAX_BATCH_BYTES = 64_000
"""Encoded events of one message. One event alone may be as large."""
_MAX_CACHED = 64
_COMPACT_AFTER = 4096
_offset_of: Callable[[Entry], int] = attrgetter("offset")


class Waiter(Protocol):
    """A subscriber that has everything there is for it."""

    def notice(self, scanned: int) -> None:
        """There is something to look at after offset `scanned`."""
        ...


class FilterView:
    """The matching entries of a ring, and the messages made of them.

    A message is joined once and shared by all subscribers that stand at the same place; messages are kept
    until the ring moves on. Bound: as many entries as the ring, and 64 messages.
    """

    def __init__(self, wanted: Filter | None, ring: Ring, cursor_of: Callable[[int], str]) -> None:
        self._wanted = wanted
        self._ring = ring
        self._cursor_of = cursor_of
        self._matching: list[Entry] = []
        self._batches: dict[int, Batch] = {}  # by the cursor told before; bound: _MAX_CACHED
        self.evaluated = ring.start
        """Every entry up to this offset was looked at."""
        self.quiet = ring.start
        """Those who wait have seen everything that matches up to this offset; further they must look."""
        self.subscribers = 0
        self.waiters: dict[Waiter, None] = {}  # bound: the subscribers

    def take_waiters(self, *, everybody: bool) -> list[Waiter]:
        """Those for whom there is something, to be given notice of `quiet`; they wait no longer."""
        self.evaluate()
        if self.quiet == self.evaluated and not everybody:
            return []
        waiters, self.waiters = self.waiters, {}
        return list(waiters)

    def evaluate(self) -> None:
        """Looks at the entries that are new since the last time."""
        if self.evaluated == self._ring.head:
            return
        new = self._ring.after(max(self.evaluated, self._ring.start))
        if self._wanted is not None:
            matches = self._wanted.matches
            new = [entry for entry in new if matches(entry.key)]
        if not new and self.quiet == self.evaluated:
            self.quiet = self._ring.head
        self.evaluated = self._ring.head
        self._batches.clear()
        self._matching.extend(new)
        self._forget_evicted()

    def forget(self) -> None:
        """Lets go of all entries and messages, as the ring did."""
        self._matching.clear()
        self._batches.clear()

    def has_after(self, offset: int) -> bool:
        """Whether anything matches after an offset within the ring."""
        self.evaluate()
        return bool(self._matching) and self._matching[-1].offset > offset

    def batch(self, told: int, scanned: int, limit: int | None = None) -> Batch | None:
        """The next message for a subscriber; None where nothing matches after `scanned`.

        Args:
            told: Offset of the cursor that the subscriber was told last.
            scanned: Offset up to which the filter was applied for it, within the ring; nothing in
                (told, scanned] matches.
            limit: Entries at most; None: as many as a message holds.
        """
        self.evaluate()
        first = bisect_right(self._matching, scanned, key=_offset_of)
        if limit is not None:
            return self._joined(told, first, limit)
        known = self._batches.get(told)
        if known is not None and known.until > scanned:
            return known
        batch = self._joined(told, first, len(self._matching))
        if batch is not None:
            if len(self._batches) >= _MAX_CACHED:
                self._batches.clear()
            self._batches[told] = batch
        return batch

    def _joined(self, told: int, first: int, limit: int) -> Batch | None:
        size, end, last = 0, first, min(first + limit, len(self._matching))
        while end < last and (size := size + len(self._matching[end].encoded)) <= MAX_BATCH_BYTES:
            end += 1
        end = min(max(end, first + 1), last)  # one event alone may be larger
        if end == first:
            return None
        taken = self._matching[first:end]
        # A message that holds all matches covers everything that was looked at.
        until = self.evaluated if end == len(self._matching) else taken[-1].offset
        events = [entry.encoded for entry in taken]
        message = encode_batch(events, self._cursor_of(until), self._cursor_of(told))
        return Batch(message, len(taken), until)

    def _forget_evicted(self) -> None:
        evicted = bisect_right(self._matching, self._ring.start, key=_offset_of)
        # Deleting from the front moves the rest: not for each entry.
        if evicted > _COMPACT_AFTER or evicted == len(self._matching):
            del self._matching[:evicted]
