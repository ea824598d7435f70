"""Leaves nothing of what was deleted in the files of a database."""

from __future__ import annotations

from sqlalchemy import text

from vidence_server.storage.database import Database
from vidence_server.storage.erasure import await_older_states, empty_log

# Unlike VACUUM FULL it may stand in a transaction, and so use the connections that there are.
_WRITE_ANEW = text("CLUSTER faces USING faces_pkey")


async def erase_deleted(database: Database) -> None:
    """Leaves no deleted template in the files of the database.

    SQLite: brings deletions from the log to the file and empties the log; what was deleted there is zeros.
    PostgreSQL: waits until nobody can see it any more, then writes the table of templates anew: waits for its
    readers, and lets none in meanwhile; the old file goes with the next checkpoint. The retention of its
    write-ahead log is the operator's.

    Raises:
        DomainError: STORAGE_FAILED where readers of older states held it up; to be tried again.
    """
    if not database.shared:
        await empty_log(database)
        return
    await await_older_states(database)
    async with database.transaction() as transaction:
        await transaction.execute(_WRITE_ANEW)
