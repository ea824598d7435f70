"""The database of a service: opened, migrated and locked for as long as the service runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import (
    URL,
    Connection,
    CursorResult,
    Engine,
    Executable,
    NullPool,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.file_lock import FileLock
from vidence_server.storage.failures import domain_failures
from vidence_server.storage.migration import upgrade

_DRIVER = "sqlite+aiosqlite"
_BEGIN = "vidence_begin"  # option of a connection: how its transactions begin
_WRITING = "BEGIN IMMEDIATE"
_POOL_SIZE = 4
_OPTIONS: Mapping[str, Any] = {
    "hide_parameters": True,  # values stay out of messages
    # The driver begins no transactions by itself, so that those of `_begin` hold for DDL too.
    "connect_args": {"isolation_level": None},
}


def sqlite_url(path: Path) -> URL:
    """The URL of a SQLite file."""
    return URL.create(_DRIVER, database=str(path.absolute()))


class Transaction:
    """Changes that are all kept or all forgotten."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._after_commit: list[Callable[[], None]] = []

    async def execute(self, statement: Executable, rows: Any = None) -> CursorResult[*tuple[Any, ...]]:
        """Runs a SQLAlchemy Core statement; with `rows`, a list of mappings, once per row.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
            IntegrityError: A constraint does not allow it.
        """
        with domain_failures():
            return await self._connection.execute(statement, rows)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Calls back on the loop once the changes are kept; not at all where they are not."""
        self._after_commit.append(call)

    async def commit(self) -> None:
        """Keeps the changes; for `Database.transaction`, which is the only one to call it."""
        with domain_failures():
            await self._connection.commit()
        for call in self._after_commit:
            call()


class Database:
    """One service's database, from the beginning of its context to the end.

    A SQLite file has one owner: the process whose `Database` is open. It is written in WAL mode with
    `synchronous=NORMAL`: what is committed survives the death of the process; a power cut may take back the
    last commits, each as a whole.
    """

    def __init__(self, url: URL | str, *, migrations: Path, busy_timeout_s: float = 5.0) -> None:
        """A database that is not opened yet.

        Args:
            url: From `sqlite_url`; others follow, the statements being portable.
            migrations: Folder of the service's Alembic revisions.
            busy_timeout_s: How long to wait for another program (a backup) that locks the file, s.

        Raises:
            DomainError: CONFIGURATION_INVALID where the URL is not one of SQLite.
        """
        parsed = make_url(url)
        if parsed.drivername != _DRIVER or not parsed.database:
            raise DomainError(Reason.CONFIGURATION_INVALID, "The database must be a SQLite file.")
        self.path = Path(parsed.database)
        self._url = parsed
        self._migrations = migrations
        self._busy_timeout_ms = round(busy_timeout_s * 1000)
        self._stack = AsyncExitStack()
        self._engine: AsyncEngine | None = None
        # SQLite has one writer at a time. Waiting here is fair and takes no thread.
        self._writing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Locks and migrates the file, then opens it.

        Raises:
            DomainError: DATABASE_IN_USE, DATABASE_INCOMPATIBLE, STORAGE_FULL, STORAGE_FAILED.
        """
        async with AsyncExitStack() as stack:
            stack.push(await asyncio.to_thread(_locked, self.path))
            await asyncio.to_thread(self._migrate)
            engine = await asyncio.to_thread(create_async_engine, self._url, pool_size=_POOL_SIZE, **_OPTIONS)
            stack.push_async_callback(engine.dispose)
            self._listen(engine.sync_engine)
            self._engine = engine
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the file and gives it free."""
        self._engine = None
        await self._stack.aclose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Changes, committed when the block ends well and rolled back when it raises.

        A commit that has begun is finished also when the task is cancelled meanwhile.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        async with self._writing, self._connection(_WRITING) as connection:
            with domain_failures():
                await connection.begin()
            # Without a commit the connection rolls back when it is given back.
            transaction = Transaction(connection)
            yield transaction
            await _to_its_end(transaction.commit())

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Transaction]:
        """Reads one state of the database, while others write; what is changed inside is forgotten.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        async with self._connection("BEGIN") as connection:
            with domain_failures():
                await connection.begin()
            yield Transaction(connection)

    @asynccontextmanager
    async def _connection(self, begin: str) -> AsyncIterator[AsyncConnection]:
        if self._engine is None:
            raise RuntimeError("the database is used inside its context only")
        async with AsyncExitStack() as stack:
            with domain_failures():
                connection = await stack.enter_async_context(self._engine.connect())
                await connection.execution_options(**{_BEGIN: begin})
            yield connection

    def _migrate(self) -> None:
        """Works on the thread that calls: Alembic reads files and knows no event loop."""
        engine = create_engine(self._url.set(drivername="sqlite"), poolclass=NullPool, **_OPTIONS)
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
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Awaits `work` to its end also when the caller is cancelled, and only then is."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _locked(path: Path) -> FileLock:
    """Takes the file's lock; makes its folder where it is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path)
    except OSError as error:
        raise DomainError(
            Reason.STORAGE_FAILED, f"Cannot write to the folder of {path}: {error.strerror}."
        ) from error
