"""The newest entries of a log, in memory: what everybody who keeps up is served from."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from vidence_server.streams.entry import Entry


@dataclass(frozen=True, slots=True)
class RingLimits:
    """How much a ring holds. Beyond either bound the oldest entries leave it: the log still has them."""

    max_events: int = 8192
    max_bytes: int = 8 * 2**20


class Ring:
    """Entries with the offsets (start, head], without a hole.

    Bound: `RingLimits`; overflow: the oldest go.
    """

    def __init__(self, limits: RingLimits, head: int) -> None:
        self._limits = limits
        self._entries: deque[Entry] = deque()
        self.start = head
        """Offset before the oldest entry."""
        self.head = head
        """Offset of the newest entry."""
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def full(self) -> bool:
        """Whether one more entry may push the oldest out."""
        return len(self._entries) >= self._limits.max_events or self.size_bytes >= self._limits.max_bytes

    def append(self, entry: Entry) -> None:
        """Adds the entry with the offset `head + 1`."""
        if entry.offset != self.head + 1:
            raise ValueError(f"offset {entry.offset} does not follow {self.head}")
        self._entries.append(entry)
        self.head = entry.offset
        self.size_bytes += len(entry.encoded)
        while len(self._entries) > self._limits.max_events or self.size_bytes > self._limits.max_bytes:
            self._evict()

    def restart(self, head: int) -> None:
        """Begins anew after a hole that ends at `head`."""
        self._entries.clear()
        self.size_bytes = 0
        self.start = self.head = head

    def after(self, offset: int) -> Sequence[Entry]:
        """The entries in (offset, head]; `offset` must not lie before `start`."""
        if offset == self.head:
            return ()
        missing = self.head - offset
        if missing < len(self._entries) // 2:
            # a deque is walked from its nearer end
            newest = list(islice(reversed(self._entries), missing))
            newest.reverse()
            return newest
        return list(islice(self._entries, offset - self.start, None))

    def _evict(self) -> None:
        oldest = self._entries.popleft()
        self.size_bytes -= len(oldest.encoded)
        self.start = oldest.offset
