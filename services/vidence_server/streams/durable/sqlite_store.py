"""Logs in one SQLite file: write-ahead log, one writer, any number of readers."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from vidence_server.core.file_lock import FileLock
from vidence_server.streams.append import Durability
from vidence_server.streams.durable.block_file import Block, BlockFile
from vidence_server.streams.durable.sqlite_reader import SqliteReader, base, oldest_sizes
from vidence_server.streams.durable.sqlite_schema import LAST_OFFSET, checksum, connect, translated
from vidence_server.streams.durable.store import (
    Extent,
    IdentityTakenError,
    Record,
    RecordSize,
    StoredLog,
    StoreError,
)
from vidence_server.streams.entry import GapReason, Hole

_EXTENT = "oldest, newest, event_count, size_bytes, expired_until_ns"
_SET_EXTENT = f"UPDATE logs SET ({_EXTENT}) = (?, ?, ?, ?, ?) WHERE number = ?"  # noqa: S608 fixed names of columns
_COLUMNS = 6
_MOST_ROWS = 512
_MOST_LOOKED_UP = 512
_CACHE_KIB = 16_384


class RecordIndex(Protocol):
    """Tables of a service beside the records, changed in the same transactions by the writer's thread.

    What it raises of `sqlite3` fails the transaction. `log` is the number of a log, `DurableLog.number`.
    """

    def create(self, connection: sqlite3.Connection) -> None:
        """Makes its tables where there are none."""
        ...

    def insert(self, connection: sqlite3.Connection, log: int, records: Sequence[Record]) -> None:
        """Takes records that were appended."""
        ...

    def delete(self, connection: sqlite3.Connection, log: int, until: int) -> None:
        """Forgets the records up to and including an offset."""
        ...


class SqliteStore(SqliteReader):
    """Implements `RecordStore`.

    Args:
        path: The file; made if it is missing, its folder is not.
        index: The service's own tables.
        cache_kib: Memory for pages of the file.

    Raises:
        DomainError: DATABASE_IN_USE, DATABASE_INCOMPATIBLE.
        StoreError: The file cannot be used.
    """

    def __init__(self, path: Path, index: RecordIndex | None = None, *, cache_kib: int = _CACHE_KIB) -> None:
        super().__init__(path)
        self._index = index
        self._synchronous = ""
        with translated():
            self._lock = FileLock(path)
        try:
            with translated():
                self._blocks = BlockFile(path)
                self._writing = connect(path, cache_kib=cache_kib)
            self._create_index()
        except BaseException:
            self._lock.release()
            raise

    def open_log(self, tenant: str, name: str, *, epoch: int) -> StoredLog:
        """As `RecordStore.open_log`."""
        with translated():
            row = self._log_row(tenant, name)
        if row is None:
            self.begin(Durability.SYNCED)
            with translated():
                self._writing.execute(
                    "INSERT INTO logs VALUES (NULL, ?, ?, ?, 0, 0, 0, 0, 0, 0)", (tenant, name, epoch)
                )
                row = self._log_row(tenant, name)
            self.commit()
        if row is None:
            raise StoreError("A new log cannot be found.")
        number, epoch, reserved, *extent = row
        with translated():
            holes = self._writing.execute(
                "SELECT after, until, reason, missed_count FROM holes WHERE log = ? ORDER BY after", (number,)
            ).fetchall()
        return StoredLog(
            number=number,
            epoch=epoch,
            extent=Extent(*extent),
            reserved=max(reserved, Extent(*extent).newest, self._blocks.find(number, epoch)),
            holes=tuple(
                Hole(after, until, GapReason[reason], count) for after, until, reason, count in holes
            ),
        )

    def restore_log(self, tenant: str, name: str, log: StoredLog) -> None:
        """Makes a log as it was in another file, without its records.

        Raises:
            StoreError: It cannot be made.
        """
        self.begin(Durability.WRITTEN)
        with translated():
            self._writing.execute(
                "INSERT INTO logs VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0, 0)",
                (log.number, tenant, name, log.epoch, log.reserved),
            )
        self.set_extent(log.number, log.extent)
        for hole in log.holes:
            self.add_hole(log.number, hole)
        self.commit()

    def reserve(self, number: int, until: int) -> None:
        """As `RecordStore.reserve`; the database has it too, for whoever copies only that."""
        if until > LAST_OFFSET:
            raise StoreError("The log has no offsets left.")
        with translated():
            row = self._writing.execute(
                "SELECT tenant, name, epoch FROM logs WHERE number = ?", (number,)
            ).fetchone()
            tenant, name, epoch = row
            self._blocks.set(Block(number, tenant, name, epoch, until))
            self._writing.execute("UPDATE logs SET reserved = ? WHERE number = ?", (until, number))

    def begin(self, durability: Durability) -> None:
        """As `RecordStore.begin`."""
        synchronous = "FULL" if durability is Durability.SYNCED else "NORMAL"
        with translated():
            if synchronous != self._synchronous:
                self._writing.execute(f"PRAGMA synchronous = {synchronous}")
                self._synchronous = synchronous
            self._writing.execute("BEGIN IMMEDIATE")

    def insert(self, number: int, records: Sequence[Record]) -> None:
        """As `RecordStore.insert`."""
        start = base(number)
        values: list[object] = []
        for offset, time_ns, body, identity, _ in records:
            position = start + offset
            values += (position, number, time_ns, checksum(position, time_ns, body), identity, body)
        with translated():
            try:
                self._insert(values)
            except sqlite3.IntegrityError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
                    raise IdentityTakenError from None
                raise
            if self._index is not None:
                self._index.insert(self._writing, number, records)

    def identities(self, number: int, identities: Collection[str]) -> dict[str, int]:
        """As `RecordStore.identities`."""
        wanted, start = list(identities), base(number)
        found: dict[str, int] = {}
        with translated():
            for first in range(0, len(wanted), _MOST_LOOKED_UP):
                some = wanted[first : first + _MOST_LOOKED_UP]
                marks = ", ".join("?" * len(some))
                found |= self._writing.execute(
                    f"SELECT identity, position - {start} FROM records"  # noqa: S608 a number and question marks
                    f" WHERE log = ? AND identity IN ({marks})",
                    (number, *some),
                ).fetchall()
        return found

    def sequence(self, number: int, publisher: str) -> int:
        """As `RecordStore.sequence`."""
        with translated():
            row = self._writing.execute(
                "SELECT sequence FROM publishers WHERE log = ? AND publisher = ?", (number, publisher)
            ).fetchone()
        return row[0] if row else 0

    def set_sequences(self, number: int, sequences: Mapping[str, int]) -> None:
        """As `RecordStore.set_sequences`."""
        with translated():
            self._writing.executemany(
                "INSERT OR REPLACE INTO publishers VALUES (?, ?, ?)",
                [(number, publisher, sequence) for publisher, sequence in sequences.items()],
            )

    def add_hole(self, number: int, hole: Hole) -> None:
        """As `RecordStore.add_hole`."""
        with translated():
            self._writing.execute(
                "INSERT OR REPLACE INTO holes VALUES (?, ?, ?, ?, ?)",
                (number, hole.after, hole.until, hole.reason.name, hole.missed_count),
            )

    def set_extent(self, number: int, extent: Extent) -> None:
        """As `RecordStore.set_extent`."""
        with translated():
            self._writing.execute(
                _SET_EXTENT,
                (
                    extent.oldest,
                    extent.newest,
                    extent.event_count,
                    extent.size_bytes,
                    extent.expired_until_ns,
                    number,
                ),
            )

    def extent(self, number: int) -> Extent:
        """As `RecordStore.extent`."""
        with translated():
            row = self._writing.execute(f"SELECT {_EXTENT} FROM logs WHERE number = ?", (number,)).fetchone()  # noqa: S608 fixed names of columns
        return Extent(*row)

    def oldest_records(self, number: int, after: int, limit: int) -> Sequence[RecordSize]:
        """As `RecordStore.oldest_records`."""
        with translated():
            return oldest_sizes(self._writing, number, after, limit)

    def remove(self, number: int, until: int) -> None:
        """As `RecordStore.remove`."""
        with translated():
            self._writing.execute(
                "DELETE FROM records WHERE position > ? AND position <= ?",
                (base(number), base(number) + until),
            )
            if self._index is not None:
                self._index.delete(self._writing, number, until)

    def commit(self) -> None:
        """As `RecordStore.commit`."""
        with translated():
            self._writing.execute("COMMIT")

    def rollback(self) -> None:
        """As `RecordStore.rollback`."""
        with translated():
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")

    def close(self) -> None:
        """As `RecordStore.close`; waits for the reads that run."""
        try:
            with translated():
                super().close()
                self._writing.close()
        finally:
            self._lock.release()

    def _create_index(self) -> None:
        try:
            with translated():
                if self._index is not None:
                    self._index.create(self._writing)
        except BaseException:
            self._writing.close()
            raise

    def _log_row(self, tenant: str, name: str) -> tuple[int, ...] | None:
        row: tuple[int, ...] | None = self._writing.execute(
            f"SELECT number, epoch, reserved, {_EXTENT} FROM logs WHERE tenant = ? AND name = ?",  # noqa: S608 fixed names of columns
            (tenant, name),
        ).fetchone()
        return row

    def _insert(self, values: list[object]) -> None:
        """Inserts rows, given one behind the other, with few statements.

        Each statement gives the interpreter lock up, and may wait milliseconds to have it back.
        """
        for first in range(0, len(values), _MOST_ROWS * _COLUMNS):
            some = values[first : first + _MOST_ROWS * _COLUMNS]
            rows = 1 << (len(some) // _COLUMNS - 1).bit_length()
            some += [None] * (rows * _COLUMNS - len(some))
            self._writing.execute(_INSERTS[rows], some)


# The statements take powers of two; rows beyond those there are have no position.
_ROW = f"({', '.join('?' * _COLUMNS)})"
_INSERTS = {
    rows: f"INSERT INTO records SELECT * FROM (VALUES {', '.join([_ROW] * rows)}) WHERE column1 IS NOT NULL"  # noqa: S608 question marks
    for rows in [1 << power for power in range(_MOST_ROWS.bit_length())]
}
