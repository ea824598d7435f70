"""Searches the index on connections of its own, in threads of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import NamedTuple, Self

from vidence_server.core.errors import DomainError, Reason
from vidence_server.event.domain.pages import EventQuery
from vidence_server.event.store.plan import (
    MAX_KINDS,
    Range,
    kind_conditions,
    newest_of_kinds,
    of_kinds_checked,
    one_after_another,
    row_conditions,
)


class Found(NamedTuple):
    """A part of a listing."""

    offsets: Sequence[int]
    """Falling. The events may match; that is to be checked where it matters."""
    down_to: int
    """Everything from here, inclusive, up to the end of the range was looked at."""


@dataclass(frozen=True, slots=True)
class SearchStatistics:
    """The readers of a database."""

    searches: int
    """Begun since the start."""
    running: int
    """Begun and not ended; those beyond the number of threads wait."""


class EventSearch:
    """Finds events by the index. Bound: `threads` searches at once, the others wait for their turn."""

    def __init__(self, path: Path, *, threads: int, scan_limit: int, retry_after_s: float = 1.0) -> None:
        """A search of a database that a writer has made.

        Args:
            path: The database.
            threads: Searches at the same time.
            scan_limit: Events that one search looks at.
            retry_after_s: What callers are told where the database fails.
        """
        self._path = path
        self._scan_limit = scan_limit
        self._retry_after_s = retry_after_s
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="event-search")
        self._connections: SimpleQueue[sqlite3.Connection] = SimpleQueue()  # bound: one per thread
        self._searches = 0
        self._running = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Waits for the searches that run and closes the connections."""
        await asyncio.to_thread(self._close)

    async def find(self, query: EventQuery, place: Range, limit: int) -> Found:
        """The newest events in a range that can match: `limit`, or fewer where the search stopped looking.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        return await self._run(lambda connection: self._find(connection, query, place, limit))

    def statistics(self) -> SearchStatistics:
        """The numbers as they are now."""
        return SearchStatistics(searches=self._searches, running=self._running)

    async def _run(self, work: Callable[[sqlite3.Connection], Found]) -> Found:
        self._searches += 1
        self._running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, self._with_connection, work
            )
        except sqlite3.Error as error:
            raise DomainError(
                Reason.STORAGE_FAILED,
                "The index of events cannot be read.",
                retry_after_s=self._retry_after_s,
            ) from error
        finally:
            self._running -= 1

    def _with_connection(self, work: Callable[[sqlite3.Connection], Found]) -> Found:
        try:
            connection = self._connections.get_nowait()
        except Empty:
            connection = connect(self._path)
        try:
            return work(connection)
        finally:
            self._connections.put(connection)

    def _close(self) -> None:
        self._threads.shutdown()
        while not self._connections.empty():
            self._connections.get_nowait().close()

    def _find(self, connection: sqlite3.Connection, query: EventQuery, place: Range, limit: int) -> Found:
        connection.execute("BEGIN")
        try:
            return find(connection, query, place, limit=limit, scan_limit=self._scan_limit)
        finally:
            connection.execute("COMMIT")


def connect(path: Path) -> sqlite3.Connection:
    """A connection that only reads; for one thread at a time, whichever."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
    connection.create_function("holds", 2, _holds, deterministic=True)
    return connection


def find(
    connection: sqlite3.Connection, query: EventQuery, place: Range, *, limit: int, scan_limit: int
) -> Found:
    """As `EventSearch.find`, on a connection within a transaction."""
    of_kinds = kind_conditions(query.filter)
    kinds: Sequence[int] | None = None
    if of_kinds.clauses:
        statement = (
            f"SELECT kind FROM event_kinds WHERE log = :log AND {of_kinds.sql()} LIMIT {MAX_KINDS + 1}"  # noqa: S608 - built from constants, values are parameters
        )
        found = connection.execute(statement, {"log": place.log, **of_kinds.parameters}).fetchall()
        if not found:
            return Found((), place.after + 1)
        if len(found) <= MAX_KINDS:
            kinds = [kind for (kind,) in found]
    conditions = row_conditions(query, kinds=None if kinds is not None else of_kinds)
    asked = {**place._asdict(), **conditions.parameters, "limit": limit + 1, "scan": scan_limit}
    down_to = max(place.after + 1, place.before - scan_limit)
    statement = one_after_another(conditions) if kinds is None else of_kinds_checked(kinds, conditions)
    with closing(connection.execute(statement, {**asked, "down_to": down_to})) as rows:
        offsets = [offset for (offset,) in rows]
    if len(offsets) > limit:
        return Found(offsets[:limit], offsets[limit - 1])
    if kinds is not None:
        down_to = _lowest(connection, kinds, asked) if conditions.clauses else place.after + 1
    return Found(offsets, down_to)


def _lowest(connection: sqlite3.Connection, kinds: Sequence[int], asked: dict[str, str | int]) -> int:
    """How far down the events of some kinds were looked at."""
    statement = f"SELECT count(*), min(offset) FROM ({newest_of_kinds(kinds, 'scan')})"  # noqa: S608 - of constants and numbers
    count, lowest = connection.execute(statement, asked).fetchone()
    return int(lowest) if count == asked["scan"] else int(asked["after"]) + 1


def _holds(text: str, wanted: str) -> bool:
    """SQL's `holds`: whether a text contains another one, which is in lower case."""
    return wanted in text.lower()
