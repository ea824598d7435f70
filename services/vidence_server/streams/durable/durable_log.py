"""A log in a file, as the service and its broadcast see it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidence_server.streams.append import AppendResult, Draft, Durability
from vidence_server.streams.durable.paging import Stretch, read_page
from vidence_server.streams.durable.seek import offset_before
from vidence_server.streams.durable.store import Record
from vidence_server.streams.durable.tail import LogTail
from vidence_server.streams.entry import Entry, LogItem
from vidence_server.streams.log import LogBounds, LogPage

if TYPE_CHECKING:
    from vidence_server.streams.durable.writer import LogWriter


@dataclass(frozen=True, slots=True)
class LogStatistics:
    """What a log holds now, and what was done to it since it was opened."""

    event_count: int
    size_bytes: int
    """Sum over the encoded events, without cursors and indexes."""
    oldest: int
    newest: int
    oldest_time_ns: int | None
    """Of the oldest event that is kept, Unix ns; None: there is none."""
    appended: int
    repeated: int
    refused: int
    """Events that broke their publisher's count; atomic calls count with all their events."""
    failed: int
    """Events that storage did not take."""
    expired: int


class DurableLog:
    """One log. `LogWriter.open_log` makes it; it lives as long as its writer. Implements `ReadableLog`."""

    def __init__(self, tail: LogTail, writer: LogWriter) -> None:
        self.tail = tail
        self._writer = writer
        self._newest = tail.newest
        self._sink: Callable[[Sequence[LogItem]], None] | None = None

    @property
    def log(self) -> int:
        """The 32 bits of its cursors."""
        return self.tail.log

    @property
    def epoch(self) -> int:
        """Its epoch."""
        return self.tail.epoch

    @property
    def number(self) -> int:
        """Its number in the file, for indexes."""
        return self.tail.number

    def attach(self, sink: Callable[[Sequence[LogItem]], None]) -> None:
        """Says who broadcasts what is appended from now on: called on the loop, in the order of offsets."""
        self._sink = sink

    async def append(
        self, drafts: Sequence[Draft], durability: Durability, *, atomic: bool = True
    ) -> Sequence[AppendResult]:
        """Appends events together and waits until they have their durability.

        They keep their order, are committed together or not at all, and are handed to the broadcast before
        this returns. Of a cancelled call the events are appended all the same.

        Args:
            drafts: In rising order of time.
            durability: What they must survive before they are broadcast and this returns.
            atomic: Whether one refused draft refuses all; then each result is that same `Refused`.

        Returns:
            One result per draft, in their order.

        Raises:
            DomainError: QUEUE_FULL, STORAGE_FULL, STORAGE_FAILED, DRAINING.
        """
        if not drafts:
            return ()
        return await self._writer.append(self.tail, drafts, durability, atomic=atomic)

    def bounds(self) -> LogBounds:
        """What can be read now: what is committed and was handed to the broadcast."""
        return LogBounds(min(self.tail.oldest, self._newest), self._newest)

    async def read(self, after: int, *, until: int, limit: int, max_bytes: int) -> LogPage:
        """The items in (after, until], as `ReadableLog.read`; `until` behind the newest means the newest."""
        asked = Stretch(after, min(until, self._newest), limit, max_bytes)
        tail, key_of = self.tail, self._writer.key_of
        return await self._writer.read(lambda reader: read_page(reader, tail, key_of, asked))

    async def offset_before(self, time_ns: int) -> int | None:
        """Where reading by time starts, as `ReadableLog.offset_before`."""
        tail = self.tail
        # In this order: what expires between the two is then rather told than left out.
        bounds = self.bounds()
        if time_ns <= tail.expired_until_ns:
            return None
        return await self._writer.read(lambda reader: offset_before(reader, tail.number, bounds, time_ns))

    def missed(self, after: int, until: int) -> int | None:
        """How many entries there were in (after, until]; None where a hole of unknown content is in it."""
        holes = self.tail.holes
        for hole in holes[bisect_right(holes, after, key=lambda hole: hole.until) :]:
            if hole.after >= until:
                break
            if hole.missed_count is None:
                return None
        return max(0, until - after)

    async def find(self, identity: str) -> int | None:
        """The offset of the event of an identity, None if it is not kept.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        number = self.tail.number
        offset = await self._writer.read(lambda reader: reader.find(number, identity))
        return offset if offset is not None and self.tail.oldest < offset <= self._newest else None

    def statistics(self) -> LogStatistics:
        """The numbers as they are now."""
        tail, extent = self.tail, self.tail.extent
        return LogStatistics(
            event_count=extent.event_count,
            size_bytes=extent.size_bytes,
            oldest=tail.oldest,
            newest=self._newest,
            oldest_time_ns=tail.oldest_time_ns,
            appended=tail.appended,
            repeated=tail.repeated,
            refused=tail.refused,
            failed=tail.failed,
            expired=tail.expired,
        )

    def committed(self, newest: int) -> None:
        """Told by the writer: reading may go so far now."""
        self._newest = max(self._newest, newest)

    def broadcast(self, records: Sequence[Record]) -> None:
        """Told by the writer: these have their durability.

        They are encoded here and not in the writer's thread, which meanwhile works on the next group.
        """
        if self._sink is not None:
            encode = self.tail.encoder.encode
            self._sink(
                [
                    Entry(offset, encode(body, offset), time_ns, key)
                    for offset, time_ns, body, _, key in records
                ]
            )
