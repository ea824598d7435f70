"""One log of a service's database as its watchers see it."""

from __future__ import annotations

from collections.abc import Callable

from vidence_server.storage import log_table
from vidence_server.storage.database import Database
from vidence_server.storage.log_table import EntryRow, LogHead
from vidence_server.streams.cursor import Cursor, log_id
from vidence_server.streams.entry import Entry, encode_entry
from vidence_server.streams.log import LogBounds, LogPage

KeyOf = Callable[[bytes], object]
"""What filters look at, from the body of an entry."""
_PAGE_ROWS = 1024


def no_key(body: bytes) -> None:
    """For logs that are not filtered."""


class StoredLog:
    """A `streams.log.ReadableLog` on the tables of `storage.log_table`."""

    def __init__(self, database: Database, tenant: str, key: str, head: LogHead, key_of: KeyOf) -> None:
        self.head = head
        """What watchers may know of: never ahead of what was told to them."""
        self.log = log_id(tenant, key)
        self.epoch = head.epoch
        self._name = (tenant, key)
        self._database = database
        self._key_of = key_of

    def bounds(self) -> LogBounds:
        """What it holds."""
        return LogBounds(self.head.oldest, self.head.newest)

    async def read(self, after: int, *, until: int, limit: int, max_bytes: int) -> LogPage:
        """The entries in (after, until], at most `limit` of them and about `max_bytes`, but at least one.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        rows = await self.rows(after, until, limit=limit)
        taken: list[Entry] = []
        size = 0
        for row in rows:
            if taken and size >= max_bytes:
                break
            taken.append(self.entry(row))
            size += len(row.body)
        return LogPage(taken, taken[-1].offset if taken else after)

    async def offset_before(self, time_ns: int) -> int | None:
        """The offset before the first entry at or after a time; None where such entries may have expired."""
        async with self._database.snapshot() as snapshot:
            first = await log_table.first_since(snapshot, self.head.id, time_ns)
        if first is None:
            return self.head.newest
        return None if self.head.oldest and first == self.head.oldest + 1 else first - 1

    def missed(self, after: int, until: int) -> int | None:
        """How many entries there were in (after, until]."""
        return max(0, until - after)

    def entry(self, row: EntryRow) -> Entry:
        """A row with its cursor, ready to be told."""
        cursor = str(Cursor(self.log, self.epoch, row.position))
        return Entry(row.position, encode_entry(row.body, cursor), row.time_ns, self._key_of(row.body))

    async def rows(self, after: int, until: int, *, limit: int = _PAGE_ROWS) -> list[EntryRow]:
        """The first rows in (after, until]; raises `DomainError`, STORAGE_FAILED."""
        async with self._database.snapshot() as snapshot:
            return await log_table.select_entries(
                snapshot, self.head.id, after=after, until=until, limit=limit
            )

    async def current_head(self) -> LogHead | None:
        """The head as the database has it; None where the log was deleted."""
        async with self._database.snapshot() as snapshot:
            head = await log_table.select_head(snapshot, *self._name)
        return head if head is not None and head.id == self.head.id else None
