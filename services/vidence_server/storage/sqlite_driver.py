"""The connection to a SQLite file: each statement is one trip to the connection's thread.

`aiosqlite` makes a trip each for opening a cursor, executing, fetching and closing. With SQLAlchemy, which
reads all rows at once, that is four trips for a statement that itself takes some microseconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import aiosqlite

_CHUNK_ROWS = 64
"""For `aiosqlite`'s own iteration over rows, which nothing here uses."""
_CACHED_STATEMENTS = 256


def connector(path: Path) -> Callable[[], Awaitable[aiosqlite.Connection]]:
    """Gives what opens a connection, for `create_async_engine(async_creator=…)`."""

    def open_file() -> sqlite3.Connection:
        # Used and closed in the connection's own thread, but freed in whichever thread forgets it last.
        # It begins no transactions by itself, so that those of SQLAlchemy hold for DDL too.
        return sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=_CACHED_STATEMENTS
        )

    async def connect() -> aiosqlite.Connection:
        connection = OneTripConnection(open_file, _CHUNK_ROWS)
        connection._thread.daemon = True  # noqa: SLF001  # as SQLAlchemy's own connect does
        return await connection

    return connect


class OneTripConnection(aiosqlite.Connection):
    """A connection whose cursors are `OneTripCursor`, and whose reading begins with its first statement."""

    _begins = False

    def begin_with_next(self) -> None:
        """Begins a transaction with the next statement, in the same trip.

        For those that read: `BEGIN` alone takes neither a lock nor a snapshot, the first statement does.
        """
        self._begins = True

    def take_beginning(self) -> bool:
        """Whether a transaction is to be begun now; told once."""
        begins, self._begins = self._begins, False
        return begins

    async def commit(self) -> None:
        """Keeps what was changed; raises `sqlite3.Error`."""
        if not self.take_beginning():
            await super().commit()

    async def rollback(self) -> None:
        """Takes back what was changed; raises `sqlite3.Error`."""
        if not self.take_beginning():
            await super().rollback()

    def cursor(self) -> OneTripCursor:  # type: ignore[override]  # a cursor is opened with its first statement
        """A cursor, without a trip."""
        return OneTripCursor(self)


class OneTripCursor:
    """What SQLAlchemy asks of a cursor that is not kept on the server's side."""

    arraysize = 1

    def __init__(self, connection: OneTripConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Sequence[Any] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        """Has nothing to open."""
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Self:
        """Executes a statement and takes its rows; raises `sqlite3.Error`."""
        return await self._trip(lambda cursor: cursor.execute(sql, parameters))

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> Self:
        """Executes a statement once for each of the parameters; raises `sqlite3.Error`."""
        return await self._trip(lambda cursor: cursor.executemany(sql, parameters))

    async def fetchall(self) -> list[Any]:
        """The rows, once."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Forgets the rows; the cursor of SQLite is closed since its statement."""
        self._rows = []

    async def _trip(self, work: Callable[[sqlite3.Cursor], object]) -> Self:
        begins = self._connection.take_beginning()

        def there() -> None:
            cursor = self._connection._conn.cursor()  # noqa: SLF001  # pinned; what `aiosqlite.Cursor` does
            try:
                if begins:
                    cursor.execute("BEGIN")
                work(cursor)
                self.description, self.rowcount = cursor.description, cursor.rowcount
                self.lastrowid = cursor.lastrowid
                self._rows = cursor.fetchall() if cursor.description else []
            finally:
                cursor.close()

        await self._connection._execute(there)  # type: ignore[no-untyped-call]  # noqa: SLF001  # as above
        return self
