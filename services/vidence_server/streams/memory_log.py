"""A log that lives in memory only: for what is worth nothing after a restart."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from operator import attrgetter

from vidence_server.streams.cursor import Cursor
from vidence_server.streams.entry import Entry, encode_entry
from vidence_server.streams.log import LogBounds, LogPage


class MemoryLog:
    """The newest entries of a log. Bound: `capacity` entries; overflow: the oldest expire."""

    def __init__(self, *, log: int, epoch: int, capacity: int) -> None:
        self.log = log
        self.epoch = epoch
        self._entries: deque[Entry] = deque(maxlen=capacity)
        self._newest = 0

    def append(self, body: bytes, *, time_ns: int, key: object) -> Entry:
        """Gives an event its place; the entry is then to be broadcast."""
        self._newest += 1
        cursor = str(Cursor(self.log, self.epoch, self._newest))
        entry = Entry(self._newest, encode_entry(body, cursor), time_ns, key)
        self._entries.append(entry)
        return entry

    def forget(self) -> None:
        """Lets all entries expire; their offsets stay used."""
        self._entries.clear()

    def bounds(self) -> LogBounds:
        """What it holds now."""
        return LogBounds(self._newest - len(self._entries), self._newest)

    async def read(self, after: int, *, until: int, limit: int, max_bytes: int) -> LogPage:
        """The entries in (after, until], at most `limit` of them and about `max_bytes`, but at least one."""
        taken: list[Entry] = []
        size = 0
        for entry in self._entries:
            if after < entry.offset <= until and len(taken) < limit and (size < max_bytes or not taken):
                taken.append(entry)
                size += len(entry.encoded)
        return LogPage(taken, taken[-1].offset if taken else after)

    async def offset_before(self, time_ns: int) -> int | None:
        """The offset before the first entry at or after a time; None where such entries may have expired."""
        index = bisect_left(self._entries, time_ns, key=attrgetter("time_ns"))
        oldest = self._newest - len(self._entries)
        return None if index == 0 and oldest > 0 else oldest + index

    def missed(self, after: int, until: int) -> int | None:
        """How many entries there were in (after, until]."""
        return max(0, until - after)
