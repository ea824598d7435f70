"""Leaves nothing of what was deleted in the files of a SQLite database."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Database

_PATIENCE_S = 10.0
_PAUSE_S = 0.02


async def empty_log(database: Database) -> None:
    """Brings deletions from the write-ahead log of a SQLite file to the file, and empties the log.

    What was deleted is zeros in the file: every connection has `secure_delete`. PostgreSQL: does nothing; its
    log and its freed pages are the operator's.

    Raises:
        DomainError: STORAGE_FAILED where readers of older states held it up; to be tried again.
    """
    if not database.shared:
        await asyncio.to_thread(_checkpoint, database.path)


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
