"""What has to happen before nothing of what was deleted is in the files of a database."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import text

from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Database

_PATIENCE_S = 10.0
_PAUSE_S = 0.02
_READERS_PATIENCE_S = 30.0
_NEXT_CHANGE = text("SELECT pg_current_xact_id()::xid::text")
# What the server itself asks for before it takes a deleted row for dead. A VACUUM sees no rows, only pages.
_OLDER_STATES = text("""
    SELECT count(*) FROM (
        SELECT unnest(ARRAY[backend_xid, backend_xmin]) FROM pg_stat_activity
        WHERE (datname = current_database() OR backend_type = 'walsender') AND pid <> pg_backend_pid()
            AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
        UNION ALL SELECT transaction FROM pg_prepared_xacts WHERE database = current_database()
        UNION ALL SELECT xmin FROM pg_replication_slots
    ) AS states (xid) WHERE age(xid) > age(CAST(CAST(:change AS text) AS xid))
""")


async def empty_log(database: Database) -> None:
    """Brings deletions from the write-ahead log of a SQLite file to the file, and empties the log.

    What was deleted is zeros in the file: every connection has `secure_delete`. PostgreSQL: does nothing; its
    log and its freed pages are the operator's.

    Raises:
        DomainError: STORAGE_FAILED where readers of older states held it up; to be tried again.
    """
    if not database.shared:
        await asyncio.to_thread(_checkpoint, database.path)


async def await_older_states(database: Database, patience_s: float = _READERS_PATIENCE_S) -> None:
    """Waits until nobody can see what was deleted before this call; keeps nobody waiting.

    Until then PostgreSQL takes deleted rows along when a table is written anew, for transactions of the same
    database that are older, whatever they read, and for standby servers that tell what they read. SQLite:
    does nothing; see `empty_log`.

    Args:
        database: Opened.
        patience_s: How long to wait, s.

    Raises:
        DomainError: STORAGE_FAILED where older transactions outlast the patience; to be tried again.
    """
    if not database.shared:
        return
    async with database.transaction("older-states") as transaction:
        change = (await transaction.execute(_NEXT_CHANGE)).scalar_one()
    try:
        async with asyncio.timeout(patience_s):
            while True:
                if not await _older_states(database, change):
                    return
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError:
        raise DomainError(
            Reason.STORAGE_FAILED,
            "A transaction that is older than the deletion may still see what was deleted.",
            retry_after_s=1.0,
        ) from None


async def _older_states(database: Database, change: str) -> int:
    async with database.snapshot() as snapshot:
        found: int = (await snapshot.execute(_OLDER_STATES, {"change": change})).scalar_one()
        return found


def _checkpoint(path: Path) -> None:
    end_s = time.monotonic() + _PATIENCE_S
    # SQLite waits for readers and writers, but never for somebody else's checkpoint: that is done here.
    while _busy(path, max(0.0, end_s - time.monotonic())):
        if time.monotonic() >= end_s:
            raise DomainError(
                Reason.STORAGE_FAILED,
                "What was deleted is still in the log of the database.",
                retry_after_s=1.0,
            )
        time.sleep(_PAUSE_S)


def _busy(path: Path, timeout_s: float) -> bool:
    with closing(sqlite3.connect(path, timeout=timeout_s)) as connection:
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return bool(busy)
