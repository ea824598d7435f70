"""Leaves nothing of what was deleted in the files of a SQLite database."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Database

_PATIENCE_S = 10.0


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
    with closing(sqlite3.connect(path, timeout=_PATIENCE_S)) as connection:
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise DomainError(
            Reason.STORAGE_FAILED,
            "What was deleted is still in the log of the database.",
            retry_after_s=1.0,
        )
