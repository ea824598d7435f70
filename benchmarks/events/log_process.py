"""Appends events to the durable log, then the same rows to the same tables by plain sqlite3; tells how long.

As JSON. `log_s`: seconds of `DurableLog.append`; `groups`: transactions it made; `raw_s`: seconds of
`executemany` in one thread, rows made beforehand, with as many events per transaction as the log on average.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import uvloop

from vidence_server.core.clock import SystemClock
from vidence_server.event import convert
from vidence_server.event.domain.event import NO_ATTRIBUTES, EventHeader, Severity, identity_of
from vidence_server.event.store.index import EventIndex
from vidence_server.runtime.heap import settled_heap
from vidence_server.streams.append import Draft, Durability
from vidence_server.streams.durable.durable_log import DurableLog
from vidence_server.streams.durable.sqlite_schema import connect
from vidence_server.streams.durable.sqlite_store import SqliteStore
from vidence_server.streams.durable.threads import Threads
from vidence_server.streams.durable.writer import LogWriter, WriterSettings

_SOURCE = "bench/log"
_BODY_BYTES = 214  # an event of the load generator with its `emit_time`
_EVENTS_PER_CALL = 100
_CALLS_AT_ONCE = 64
_CACHE_KIB = 65_536
Row: TypeAlias = tuple[object, ...]


def _drafts(count: int) -> list[Draft]:
    now_ns = time.time_ns()
    return [
        Draft(
            body=b"x" * _BODY_BYTES,
            time_ns=now_ns + number,
            key=EventHeader(_SOURCE, f"{number:016x}", "load.sent", "", Severity.INFO, NO_ATTRIBUTES),
            identity=identity_of(_SOURCE, f"{number:016x}"),
            publisher=_SOURCE,
            sequence=0,
        )
        for number in range(count)
    ]


async def _append(log: DurableLog, drafts: Sequence[Draft], durability: Durability) -> None:
    calls = iter(
        [drafts[first : first + _EVENTS_PER_CALL] for first in range(0, len(drafts), _EVENTS_PER_CALL)]
    )

    async def caller() -> None:
        for call in calls:
            await log.append(call, durability)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_CALLS_AT_ONCE):
            tasks.create_task(caller())


async def measure_log(path: Path, drafts: Sequence[Draft], durability: Durability) -> tuple[float, int]:
    """Seconds until everything had its durability, and the number of groups."""
    async with (
        Threads(1, "writer") as writing,
        Threads(1, "reader") as reading,
        LogWriter(
            partial(SqliteStore, path, EventIndex()),
            convert.header_of,
            WriterSettings(),
            SystemClock(),
            writing=writing,
            reading=reading,
        ) as writer,
    ):
        log = await writer.open_log("default", "bus")
        with settled_heap():  # as a server that is ready
            start = time.perf_counter()
            await _append(log, drafts, durability)
            return time.perf_counter() - start, writer.statistics().groups


def measure_raw(written: Path, path: Path, durability: Durability, group: int) -> float:
    """Seconds to write what the log wrote, all tables and indexes, with plain statements in one thread."""
    tables, statements = _content(written)
    connection = connect(path, cache_kib=_CACHE_KIB)
    try:
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        for name, statement in statements.items():
            if name not in there:
                connection.execute(statement)
        connection.execute(f"PRAGMA synchronous = {'FULL' if durability is Durability.SYNCED else 'NORMAL'}")
        return _insert(connection, tables, group)
    finally:
        connection.close()


def _content(path: Path) -> tuple[dict[str, list[Row]], dict[str, str]]:
    """The rows of every table that has some, and the statements that made tables and indexes."""
    connection = sqlite3.connect(path)
    try:
        made = connection.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
        ).fetchall()
        rows = {
            name: connection.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608 names of the schema
            for kind, name, _ in made
            if kind == "table"
        }
    finally:
        connection.close()
    return {name: some for name, some in rows.items() if some}, {name: sql for _, name, sql in made}


def _insert(connection: sqlite3.Connection, tables: Mapping[str, Sequence[Row]], group: int) -> float:
    """Inserts `group` rows of each table per transaction."""
    longest = max(map(len, tables.values()))
    statements = {
        name: f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})"  # noqa: S608 names of the schema
        for name, rows in tables.items()
    }
    start = time.perf_counter()
    for first in range(0, longest, group):
        connection.execute("BEGIN IMMEDIATE")
        for name, rows in tables.items():
            if some := rows[first : first + group]:
                connection.executemany(statements[name], some)
        connection.execute("COMMIT")
    return time.perf_counter() - start


def main() -> None:
    """Measures both once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--durability", choices=("WRITTEN", "SYNCED"), required=True)
    parser.add_argument("--events", type=int, required=True)
    options = parser.parse_args()
    durability = Durability[options.durability]
    drafts = _drafts(options.events)
    os.sync()  # what others wrote before must not be paid for here
    with TemporaryDirectory(dir=options.folder) as folder:
        log_s, groups = uvloop.run(measure_log(Path(folder) / "log.db", drafts, durability))
        group = max(1, options.events // groups)
        os.sync()
        raw_s = measure_raw(Path(folder) / "log.db", Path(folder) / "raw.db", durability, group)
    print(json.dumps({"events": options.events, "log_s": log_s, "groups": groups, "raw_s": raw_s}))


if __name__ == "__main__":
    main()
