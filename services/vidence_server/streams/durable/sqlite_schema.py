"""The tables of a file of logs, and how its connections are set up."""

from __future__ import annotations

import errno
import sqlite3
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.durable.store import StoreError, UnreadableError

SCHEMA_VERSION = 1
# One integer names a record within the file, so that SQLite appends to a plain table: its fastest way by far.
OFFSET_BITS = 44
"""17 million million offsets per log; half a million logs per file."""
LAST_OFFSET = (1 << OFFSET_BITS) - 1
_SCHEMA = """
CREATE TABLE logs (
  number INTEGER PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, epoch INTEGER NOT NULL,
  reserved INTEGER NOT NULL, oldest INTEGER NOT NULL, newest INTEGER NOT NULL, event_count INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL, expired_until_ns INTEGER NOT NULL, UNIQUE (tenant, name));
CREATE TABLE records (
  position INTEGER PRIMARY KEY, log INTEGER NOT NULL, time_ns INTEGER NOT NULL, checksum INTEGER NOT NULL,
  identity TEXT, body BLOB NOT NULL);
CREATE UNIQUE INDEX records_identity ON records (log, identity) WHERE identity IS NOT NULL;
CREATE TABLE holes (
  log INTEGER NOT NULL, after INTEGER NOT NULL, until INTEGER NOT NULL, reason TEXT NOT NULL,
  missed_count INTEGER, PRIMARY KEY (log, after)) WITHOUT ROWID;
CREATE TABLE publishers (
  log INTEGER NOT NULL, publisher TEXT NOT NULL, sequence INTEGER NOT NULL,
  PRIMARY KEY (log, publisher)) WITHOUT ROWID;
"""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PRIMARY_CODE = 0xFF
_TIME_AND_PLACE = struct.Struct("<qq")


def checksum(position: int, time_ns: int, body: bytes) -> int:
    """CRC-32 over a record's place, time and body: what is read back must be what was written here."""
    return zlib.crc32(body, zlib.crc32(_TIME_AND_PLACE.pack(position, time_ns)))


def connect(path: Path, *, cache_kib: int) -> sqlite3.Connection:
    """The writing connection; makes the file and its tables if there are none. Use `translated` around it.

    Raises:
        DomainError: DATABASE_INCOMPATIBLE.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        _check_version(connection)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = NORMAL",
            f"cache_size = -{cache_kib}",
            "wal_autocheckpoint = 4000",
            "journal_size_limit = 67108864",
            "temp_store = MEMORY",
            "secure_delete = FAST",
            "cell_size_check = ON",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reading(path: Path) -> sqlite3.Connection:
    """A connection that reads, to be used by one thread at a time. Use `translated` around it."""
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA cell_size_check = ON").fetchall()
    return connection


def _check_version(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found == 0 and not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    elif found != SCHEMA_VERSION:
        raise DomainError(
            Reason.DATABASE_INCOMPATIBLE,
            "The database was written by a version that this one does not know.",
            metadata={"found": str(found), "known": str(SCHEMA_VERSION)},
        )


@contextmanager
def translated() -> Iterator[None]:
    """Turns what SQLite and the system raise into `StoreError`, without contents of the database."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
        raise StoreError(
            f"SQLite: {_name(error)}.", full=code == sqlite3.SQLITE_FULL, damaged=code in _DAMAGED
        ) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise StoreError(f"{type(error).__name__}: {error.strerror}.", full=full) from error


@contextmanager
def reading() -> Iterator[None]:
    """As `translated`, but what is damaged is an `UnreadableError`: its neighbours may be readable."""
    with translated():
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
            if code in _DAMAGED:
                raise UnreadableError(_name(error)) from error
            raise


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", type(error).__name__)
