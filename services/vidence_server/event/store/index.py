"""Writes the index of events, in the transaction that writes the events.

An event belongs to a *kind*: its type, source, severity and the parent of its subject
(`libraries/passports/` of `libraries/passports/17`). There are few kinds, so conditions on these are answered
by a small table, and one index of two numbers finds the newest events of a kind. An index over whole subjects
would cost six times the rest of the write, for its places are scattered over the file; so the subject itself
is looked at event by event.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, cast

from vidence_server.event.domain.event import EventHeader

SCHEMA = """
CREATE TABLE IF NOT EXISTS event_kinds (
    log INTEGER NOT NULL, kind INTEGER NOT NULL,
    type TEXT NOT NULL, source TEXT NOT NULL, severity INTEGER NOT NULL, parent TEXT NOT NULL,
    PRIMARY KEY (log, kind)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event_index (
    log INTEGER NOT NULL, offset INTEGER NOT NULL, kind INTEGER NOT NULL,
    subject TEXT NOT NULL, id TEXT NOT NULL, attributes TEXT NOT NULL,
    PRIMARY KEY (log, offset)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS event_index_by_kind ON event_index (log, kind, offset);
"""
SEPARATOR = "\x1f"
"""Stands around each attribute in the column `attributes`."""
EQUALS = "\x1e"
"""Stands between its name and its value."""
_MAX_KINDS = 10_000
_COLUMNS = 6
# Rows per statement: few statements, because each gives the interpreter lock up and has to get it back.
_CHUNKS = (256, 32, 1)
_ROW = f"({', '.join('?' * _COLUMNS)})"
_STATEMENTS = {rows: f"INSERT INTO event_index VALUES {', '.join([_ROW] * rows)}" for rows in _CHUNKS}  # noqa: S608 - of constants


Kind: TypeAlias = tuple[str, str, int, str]
"""What many events have in common: type, source, severity, and the subject up to and with its last `/`."""


class IndexedRecord(Protocol):
    """A record of the log as the writer gives it."""

    @property
    def offset(self) -> int:
        """Its place."""
        ...

    @property
    def key(self) -> object:
        """Its `EventHeader`."""
        ...


class EventIndex:
    """The index, as the writer of the log drives it; used by the writer's thread only."""

    def __init__(self) -> None:
        self._kinds: dict[Kind, int] = {}  # bound: _MAX_KINDS, then begun anew

    def create(self, connection: sqlite3.Connection) -> None:
        """Makes the tables where they are not there yet."""
        for statement in SCHEMA.split(";"):
            connection.execute(statement)

    def insert(self, connection: sqlite3.Connection, log: int, records: Sequence[IndexedRecord]) -> None:
        """Adds records of a log, the writer's number of it, whose keys are `EventHeader`s."""
        values: list[int | str] = []
        seen: dict[int, Kind] = {}
        for record in records:
            source, event_id, type_, subject, severity, attributes = cast(EventHeader, record.key)
            kind = (type_, source, severity, subject[: subject.rfind("/") + 1])
            number = self._kinds.get(kind) or self._number(kind)
            seen[number] = kind
            values += (
                log,
                record.offset,
                number,
                subject,
                event_id,
                _joined(attributes) if attributes else "",
            )
        # Always, not only when they are new to this object: an earlier transaction may have been taken back.
        connection.executemany(
            "INSERT OR IGNORE INTO event_kinds VALUES (?, ?, ?, ?, ?, ?)",
            [(log, number, *kind) for number, kind in seen.items()],
        )
        _insert_rows(connection, values)

    def delete(self, connection: sqlite3.Connection, log: int, until: int) -> None:
        """Removes everything up to and including an offset, and the kinds of which nothing is left."""
        gone = connection.execute(
            "SELECT DISTINCT kind FROM event_index WHERE log = ? AND offset <= ?", (log, until)
        ).fetchall()
        connection.execute("DELETE FROM event_index WHERE log = ? AND offset <= ?", (log, until))
        connection.executemany(
            "DELETE FROM event_kinds WHERE log = ?1 AND kind = ?2"
            " AND NOT EXISTS (SELECT 1 FROM event_index WHERE log = ?1 AND kind = ?2)",
            [(log, kind) for (kind,) in gone],
        )

    def _number(self, kind: Kind) -> int:
        if len(self._kinds) >= _MAX_KINDS:
            self._kinds.clear()
        number = self._kinds[kind] = kind_number(kind)
        return number


def kind_number(kind: Kind) -> int:
    """48 bits that stand for a kind, the same ones always: nothing has to be looked up to write them."""
    text = SEPARATOR.join(f"{len(part)}{EQUALS}{part}" for part in map(str, kind))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")


def attribute_text(name: str, value: str) -> str:
    """What the column `attributes` contains if an event has this attribute; empty value: any value."""
    return f"{SEPARATOR}{name}{EQUALS}{value}{SEPARATOR}" if value else f"{SEPARATOR}{name}{EQUALS}"


def _joined(attributes: Mapping[str, str]) -> str:
    joined = SEPARATOR.join([f"{name}{EQUALS}{value}" for name, value in attributes.items()])
    return f"{SEPARATOR}{joined}{SEPARATOR}"


def _insert_rows(connection: sqlite3.Connection, values: Sequence[int | str]) -> None:
    begin = 0
    for rows in _CHUNKS:
        size = rows * _COLUMNS
        while len(values) - begin >= size:
            connection.execute(_STATEMENTS[rows], values[begin : begin + size])
            begin += size
