"""Reading records from SQLite, from several threads at a time.

The `sqlite3` module gives the interpreter lock up at every step of a statement, and beside a busy event loop
it may wait milliseconds to have it back. So a whole stretch of records comes as one row, joined by SQLite.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from vidence_server.streams.durable.sqlite_schema import (
    LAST_OFFSET,
    OFFSET_BITS,
    checksum,
    connect_reading,
    reading,
    translated,
)
from vidence_server.streams.durable.store import RecordSize, StoredRecord, StoreError, UnreadableError

T = TypeVar("T")
_STRETCH = """
SELECT count(*), group_concat(position), group_concat(time_ns), group_concat(checksum),
  group_concat(length(body)), CAST(group_concat(CAST(body AS TEXT), '') AS BLOB)
FROM (SELECT * FROM records WHERE position > ? AND position <= ? ORDER BY position)
"""
_SIZES = """
SELECT count(*), group_concat(position), group_concat(time_ns), group_concat(length(body))
FROM (SELECT * FROM records WHERE position > ? AND position <= ? ORDER BY position LIMIT ?)
"""
_FIRST = """
SELECT position, time_ns, length(body) FROM records
WHERE position > ? AND position <= ? ORDER BY position LIMIT 1
"""
_FIND = "SELECT position FROM records WHERE log = ? AND identity = ?"


def base(number: int) -> int:
    """The position before the first one of a log."""
    return number << OFFSET_BITS


class SqliteReader:
    """Implements `RecordReader`. A connection for each read that runs; they are kept.

    Bound: as many connections as there are threads that read at a time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._opened = 0
        self._closed = False
        self._opening = threading.Lock()

    def query(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """The result of a function that reads from the file; for indexes, which have their own tables.

        Raises:
            UnreadableError: What it read is damaged.
            StoreError: Storage failed.
        """
        with self._connection() as connection, reading():
            return function(connection)

    def records(self, number: int, after: int, until: int) -> Sequence[StoredRecord]:
        """As `RecordReader.records`."""
        bounds = (base(number) + after, base(number) + until)
        row = self.query(lambda connection: connection.execute(_STRETCH, bounds).fetchone())
        return list(_records(number, row))

    def first_record(self, number: int, after: int, until: int) -> RecordSize | None:
        """As `RecordReader.first_record`."""
        bounds = (base(number) + after, base(number) + until)
        row = self.query(lambda connection: connection.execute(_FIRST, bounds).fetchone())
        return None if row is None else RecordSize(row[0] - base(number), row[1], row[2])

    def find(self, number: int, identity: str) -> int | None:
        """As `RecordReader.find`."""
        row = self.query(lambda connection: connection.execute(_FIND, (number, identity)).fetchone())
        return None if row is None else row[0] - base(number)

    def close(self) -> None:
        """Waits for the reads that run, and closes all connections."""
        with self._opening:
            self._closed = True
            opened, self._opened = self._opened, 0
        for _ in range(opened):
            self._idle.get().close()

    def _open(self) -> sqlite3.Connection:
        with self._opening, translated():
            if self._closed:
                raise StoreError("The database is closed.")
            connection = connect_reading(self._path)
            self._opened += 1
        return connection

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._open()
        try:
            yield connection
        finally:
            self._idle.put(connection)


def oldest_sizes(connection: sqlite3.Connection, number: int, after: int, limit: int) -> list[RecordSize]:
    """The first records behind an offset, for retention."""
    bounds = (base(number) + after, base(number) + LAST_OFFSET, limit)
    count, *columns = connection.execute(_SIZES, bounds).fetchone()
    if not count:
        return []
    positions, times, sizes = map(_integers, columns)
    start = base(number)
    return [
        RecordSize(position - start, time_ns, size)
        for position, time_ns, size in zip(positions, times, sizes, strict=True)
    ]


def _records(number: int, row: tuple[int, str, str, str, str, bytes]) -> Iterator[StoredRecord]:
    count, *columns, bodies = row
    if not count:
        return
    try:
        positions, times, checksums, sizes = map(_integers, columns)
        rows = list(zip(positions, times, checksums, sizes, strict=True))
    except ValueError as error:
        # A damaged record gave a column another type.
        raise UnreadableError("a record of another shape") from error
    if len(rows) != count or sum(sizes) != len(bodies):
        raise UnreadableError("a record of another shape")
    start, end = base(number), 0
    for position, time_ns, expected, size in rows:
        body = bodies[end : end + size]
        end += size
        intact = checksum(position, time_ns, body) == expected
        yield StoredRecord(position - start, time_ns, body, intact)


def _integers(joined: str | None) -> list[int]:
    # None: not one of them had a value, which only damaged records can do.
    return list(map(int, joined.split(","))) if joined else []
