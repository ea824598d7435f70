"""State in a SQLite file: one owner, one writer at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.file_lock import FileLock
from vidence_server.storage.backend import BackendStatistics, Lease, Listeners, LocalTurns
from vidence_server.storage.failures import domain_failures
from vidence_server.storage.migration import upgrade
from vidence_server.storage.sqlite_driver import OneTripConnection, connector

DRIVER = "sqlite+aiosqlite"
_BEGIN = "vidence_begin"  # option of a connection: how its transactions begin
_READING = "BEGIN"
_WRITING = "BEGIN IMMEDIATE"
_POOL_SIZE = 4
_OPTIONS: Mapping[str, Any] = {"hide_parameters": True}  # values stay out of messages


def sqlite_url(path: Path) -> URL:
    """The URL of a SQLite file."""
    return URL.create(DRIVER, database=str(path.absolute()))


class SqliteBackend:
    """A file in WAL mode with `synchronous=NORMAL`, locked for one process.

    What is committed survives the death of the process; a power cut may take back the last commits, each as a
    whole.
    """

    shared = False

    def __init__(self, url: URL, *, migrations: Path, busy_timeout_s: float, guest: bool = False) -> None:
        """A file that is not opened yet; see `Database`."""
        self._guest = guest
        self.path = Path(url.database or "")
        self._url = url
        self._migrations = migrations
        self._busy_timeout_ms = round(busy_timeout_s * 1000)
        # SQLite has one writer at a time. Waiting here is fair and takes no thread.
        self._writing = asyncio.Lock()
        self._exclusive = LocalTurns()
        self._leases = 0
        self._listeners = Listeners()

    async def open(self, stack: AsyncExitStack) -> AsyncEngine:
        """Locks and migrates the file, then opens it."""
        if not self._guest:
            stack.push(await asyncio.to_thread(_locked, self.path))
            await asyncio.to_thread(self._migrate)
        engine = await asyncio.to_thread(
            create_async_engine,
            self._url,
            pool_size=_POOL_SIZE,
            async_creator=connector(self.path),
            **_OPTIONS,
        )
        stack.push_async_callback(engine.dispose)
        self._listen(engine.sync_engine)
        return engine

    def turn(self, scope: str | None) -> AbstractAsyncContextManager[None]:
        """One writer at a time, whatever its scope."""
        del scope
        return self._writing

    async def begin_writing(self, connection: AsyncConnection, scope: str | None) -> None:
        """Begins as the file's writer."""
        del scope
        await connection.execution_options(**{_BEGIN: _WRITING})
        await connection.begin()

    async def begin_reading(self, connection: AsyncConnection) -> None:
        """Begins beside the writer."""
        await connection.execution_options(**{_BEGIN: _READING})
        await connection.begin()

    async def serialise(self, connection: AsyncConnection, name: str) -> None:
        """Has nothing to do: there is one writer."""

    async def announce(self, connection: AsyncConnection, topics: Sequence[str]) -> None:
        """Has nothing to do: there is one process."""

    def listen(self, topic: str, call: Callable[[], None]) -> Callable[[], None]:
        """Has nothing to listen to: there is one process."""
        return self._listeners.add(topic, call)

    @asynccontextmanager
    async def exclusive(self, name: str) -> AsyncIterator[Lease]:
        """Waits for this process only; the file has no other."""
        async with self._exclusive.take(name):
            self._leases += 1
            try:
                yield Lease(name)
            finally:
                self._leases -= 1

    async def gone(self, engine: AsyncEngine, instances: Collection[str]) -> set[str]:
        """All of them: a file is open once."""
        del engine
        return set(instances)

    def statistics(self) -> BackendStatistics:
        """The numbers as they are now."""
        return BackendStatistics(connected=True, lost=0, leases=self._leases)

    def _migrate(self) -> None:
        """Works on the thread that calls: Alembic reads files and knows no event loop."""
        # The driver begins no transactions by itself, so that those of `_begin` hold for DDL too.
        url, plain = self._url.set(drivername="sqlite"), {"isolation_level": None}
        engine = create_engine(url, poolclass=NullPool, connect_args=plain, **_OPTIONS)
        self._listen(engine)
        with domain_failures(), engine.connect() as connection:
            connection.execution_options(**{_BEGIN: _WRITING})
            upgrade(connection, self._migrations)
            connection.commit()

    def _listen(self, engine: Engine) -> None:
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "begin", _begin)

    def _prepare(self, connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={self._busy_timeout_ms}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            # What is deleted or replaced is zeros in the file: it may be a person's.
            "secure_delete=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


def _begin(connection: Connection) -> None:
    how = connection.get_execution_options().get(_BEGIN, _READING)
    driver = connection.connection.driver_connection
    if how == _READING and isinstance(driver, OneTripConnection):
        driver.begin_with_next()
    else:
        connection.exec_driver_sql(how)


def _locked(path: Path) -> FileLock:
    """Takes the file's lock; makes its folder where it is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path)
    except OSError as error:
        raise DomainError(
            Reason.STORAGE_FAILED, f"Cannot write to the folder of {path}: {error.strerror}."
        ) from error
