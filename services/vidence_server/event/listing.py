"""Lists what a log keeps, and finds single events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

from vidence_server.core.errors import DomainError, Reason
from vidence_server.event.bus_log import BusLog
from vidence_server.event.domain.event import EventHeader, identity_of
from vidence_server.event.domain.pages import EventQuery, PageToken
from vidence_server.event.store.plan import Range
from vidence_server.event.store.search import Found
from vidence_server.streams.cursor import Cursor
from vidence_server.streams.entry import Entry, GapReason, Hole
from vidence_server.streams.log import LogBounds

_RUN_EVENTS = 100


class Search(Protocol):
    """Finds events by an index."""

    async def find(self, query: EventQuery, place: Range, limit: int) -> Found:
        """The newest events in a range that can match, falling; raises `DomainError`, STORAGE_FAILED."""
        ...


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of a listing."""

    entries: Sequence[Entry]
    """The newest first."""
    next_page_token: str
    """Empty: this was the last page."""
    corrupt_count: int
    cursor: str
    """Behind everything that could be listed; empty on later pages."""


class _Read(NamedTuple):
    entries: list[Entry]
    corrupt: int
    complete: bool


class Listing:
    """Reads one log by its index."""

    def __init__(self, log: BusLog, search: Search, *, log_number: int, page_bytes: int) -> None:
        """A reader.

        Args:
            log: The log.
            search: Its index.
            log_number: What the index calls the log.
            page_bytes: About how many bytes of encoded events a page may have; one event alone may have more.
        """
        self._log = log
        self._search = search
        self._log_number = log_number
        self._page_bytes = page_bytes

    async def page(self, query: EventQuery, *, page_size: int, page_token: str) -> EventPage:
        """A page; the first one without a token.

        Raises:
            DomainError: PAGE_TOKEN_INVALID, STORAGE_FAILED.
        """
        bounds = self._log.bounds()
        head = "" if page_token else str(Cursor(self._log.log, self._log.epoch, bounds.newest))
        place = await self._place(query, page_token, bounds)
        if place.before <= place.after + 1:
            return EventPage((), "", 0, head)
        found = await self._search.find(query, place, page_size)
        read = await self._read(found.offsets)
        down_to = found.down_to if read.complete else read.entries[-1].offset
        token = ""
        if down_to > place.after + 1:
            token = PageToken(self._log.epoch, down_to).encode(self._log.log, query)
        # The index lets a little through that does not match.
        entries = [entry for entry in read.entries if query.matches(cast(EventHeader, entry.key))]
        return EventPage(entries, token, read.corrupt, head)

    async def at_cursor(self, text: str) -> Entry:
        """The event with this cursor.

        Raises:
            DomainError: CURSOR_INVALID, CURSOR_FOREIGN, EVENT_NOT_FOUND, EVENT_CORRUPT, STORAGE_FAILED.
        """
        cursor = Cursor.parse(text)
        if cursor.log != self._log.log:
            raise DomainError(Reason.CURSOR_FOREIGN, "The cursor belongs to another log.")
        bounds = self._log.bounds()
        if cursor.epoch != self._log.epoch or not bounds.oldest < cursor.offset <= bounds.newest:
            raise _not_found()
        return await self._at(cursor.offset)

    async def named(self, source: str, event_id: str) -> Entry:
        """The event with this source and id; raises EVENT_NOT_FOUND, EVENT_CORRUPT, STORAGE_FAILED."""
        offset = await self._log.find(identity_of(source, event_id))
        if offset is None:
            raise _not_found()
        return await self._at(offset)

    async def _place(self, query: EventQuery, page_token: str, bounds: LogBounds) -> Range:
        """The part of the log that the rest of a listing looks at."""
        after, before = bounds.oldest, bounds.newest + 1
        if page_token:
            token = PageToken.decode(page_token, self._log.log, query)
            # Of an earlier life of the log nothing is left.
            before = min(before, token.before) if token.epoch == self._log.epoch else 0
        if query.since_ns is not None:
            after = max(after, await self._log.offset_before(query.since_ns) or 0)
        if query.until_ns is not None:
            until = await self._log.offset_before(query.until_ns)
            before = min(before, (bounds.oldest if until is None else until) + 1)
        return Range(self._log_number, after, before)

    async def _at(self, offset: int) -> Entry:
        page = await self._log.read(offset - 1, until=offset, limit=1, max_bytes=1)
        for item in page.items:
            if isinstance(item, Entry):
                return item
            if item.reason is GapReason.CORRUPT:
                raise DomainError(
                    Reason.EVENT_CORRUPT,
                    "The stored event fails its checksum.",
                    metadata={"cursor": str(Cursor(self._log.log, self._log.epoch, offset))},
                )
        raise _not_found()

    async def _read(self, offsets: Sequence[int]) -> _Read:
        """The events with these falling offsets, as many as a page may have bytes."""
        entries: list[Entry] = []
        corrupt = size = 0
        for lowest, highest in _runs(offsets):
            items = await self._run(lowest, highest)
            for item in reversed(items):
                if isinstance(item, Hole):
                    corrupt += _corrupt(item, lowest, highest)
                    continue
                size += len(item.encoded)
                if size > self._page_bytes and entries:
                    return _Read(entries, corrupt, complete=False)
                entries.append(item)
        return _Read(entries, corrupt, complete=True)

    async def _run(self, lowest: int, highest: int) -> list[Entry | Hole]:
        items: list[Entry | Hole] = []
        after = lowest - 1
        while after < highest:
            page = await self._log.read(
                after, until=highest, limit=_RUN_EVENTS, max_bytes=_RUN_EVENTS * self._page_bytes
            )
            items.extend(page.items)
            if page.end <= after:
                break
            after = page.end
        return items


def _runs(offsets: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Falling offsets as stretches (lowest, highest) without a hole, of at most `_RUN_EVENTS`."""
    highest = lowest = 0
    for offset in offsets:
        if offset == lowest - 1 and highest - offset < _RUN_EVENTS:
            lowest = offset
            continue
        if highest:
            yield lowest, highest
        highest = lowest = offset
    if highest:
        yield lowest, highest


def _corrupt(hole: Hole, lowest: int, highest: int) -> int:
    """How many offsets of a stretch a hole takes."""
    if hole.reason is not GapReason.CORRUPT:
        return 0
    return max(0, min(hole.until, highest) - max(hole.after, lowest - 1))


def _not_found() -> DomainError:
    return DomainError(Reason.EVENT_NOT_FOUND, "No event that is kept has this name.")
