"""The database of a service: opened, migrated and kept for as long as the service runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import random as any_random
from types import TracebackType
from typing import Self, TypeVar
from uuid import uuid4

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from vidence_server.storage import postgresql, sqlite
from vidence_server.storage.address import parsed_url
from vidence_server.storage.backend import Backend, Lease, PoolLimits, to_its_end
from vidence_server.storage.connections import Blocks, begun
from vidence_server.storage.connector import PostgresAddress
from vidence_server.storage.failures import ChangeConflictError
from vidence_server.storage.sqlite import sqlite_url
from vidence_server.storage.transaction import Transaction

__all__ = ["Database", "DatabaseStatistics", "Lease", "PoolLimits", "Transaction", "sqlite_url"]

_Result = TypeVar("_Result")
_LIMITS = PoolLimits()
_ATTEMPTS = 6
_FIRST_DELAY_S = 0.01
_LAST_BLOCKS_S = 2.0


@dataclass(frozen=True, slots=True)
class DatabaseStatistics:
    """How a database is used. Counters start with the process."""

    connections: int
    """Connections that are open."""
    in_use: int
    """Those of them that transactions and snapshots have."""
    waiting: int
    """Transactions and snapshots that wait for their turn or a connection."""
    committed: int
    """Transactions that were kept."""
    conflicts: int
    """Transactions that were taken back because another came first."""
    connected: bool
    """Whether the connection that listens and holds leases stands; always for SQLite."""
    lost: int
    """How often it was lost."""
    leases: int
    """Leases that this process holds."""


class Database:
    """One service's database, from the beginning of its context to the end.

    The same promises for a SQLite file and for a schema of PostgreSQL; `Database.shared` tells whether other
    processes may work on the same data. A SQLite file has one owner: the process whose `Database` is open.
    """

    def __init__(
        self,
        url: URL | str,
        *,
        migrations: Path,
        schema: str = "vidence",
        password_file: Path | None = None,
        limits: PoolLimits = _LIMITS,
        busy_timeout_s: float = 5.0,
        patience_s: float = 30.0,
        grace_s: float = 15.0,
        random: Callable[[], float] = any_random,
        guest: bool = False,
    ) -> None:
        """A database that is not opened yet.

        Args:
            url: From `sqlite_url`, or `postgresql+asyncpg://user@host:port/database`.
            migrations: Folder of the service's Alembic revisions.
            schema: PostgreSQL: schema of the service, made where it is missing. SQLite: not used.
            password_file: PostgreSQL: file of the password, read at each connection.
            limits: PostgreSQL: of the pool.
            busy_timeout_s: SQLite: how long to wait for another program (a backup) that locks the file, s.
            patience_s: PostgreSQL: how long opening waits for a server that is not there yet, s.
            grace_s: PostgreSQL: how long an instance must be missed until `gone` names it, s.
            random: Gives numbers in [0, 1), for jitter.
            guest: SQLite: beside the owner, whose lock and migrations it leaves alone: for short transactions
                that change nothing an owner may know. PostgreSQL has no owner.

        Raises:
            DomainError: CONFIGURATION_INVALID where the URL is of neither kind.
        """
        self.instance = uuid4().hex
        """Names this opened database among all that ever were."""
        self._random = random
        parsed = parsed_url(url)
        self.path = Path(parsed.database or "")
        """SQLite: the file."""
        self._backend: Backend
        if parsed.drivername == sqlite.DRIVER:
            self._backend = sqlite.SqliteBackend(
                parsed, migrations=migrations, busy_timeout_s=busy_timeout_s, guest=guest
            )
        else:
            self._backend = postgresql.PostgresBackend(
                PostgresAddress(parsed, schema, password_file),
                migrations=migrations,
                limits=limits,
                patience_s=patience_s,
                grace_s=grace_s,
                instance=self.instance,
                random=random,
            )
        self._stack = AsyncExitStack()
        self._engine: AsyncEngine | None = None
        self._waiting = 0
        self._blocks = Blocks()
        self._committed = 0
        self._conflicts = 0

    @property
    def shared(self) -> bool:
        """Whether other processes may work on the same data."""
        return self._backend.shared

    async def __aenter__(self) -> Self:
        """Locks (SQLite) and migrates the database, then opens it.

        Raises:
            DomainError: DATABASE_IN_USE, DATABASE_INCOMPATIBLE, CONFIGURATION_INVALID, STORAGE_FULL,
                STORAGE_FAILED.
        """
        async with AsyncExitStack() as stack:
            self._engine = await self._backend.open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the database and gives it free, when the last block has ended; waits 2 s for that."""
        self._engine = None
        await self._blocks.ended(_LAST_BLOCKS_S)
        await self._stack.aclose()

    @asynccontextmanager
    async def transaction(self, scope: str | None = None) -> AsyncIterator[Transaction]:
        """Changes, committed when the block ends well and rolled back when it raises.

        Transactions without a scope are as if one after another, also those of other processes. Those of
        different scopes run beside each other where the database can; each must keep to its own rows. SQLite
        has one writer, whatever the scope.

        A commit that has begun is finished also when the task is cancelled meanwhile. Where the connection is
        lost during the commit, it is not known whether the changes were kept: what is tried again must bear
        that.

        Args:
            scope: What is changed: an id, say. Unset: everything.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED; as `ChangeConflictError` where it may be tried again at
                once, which `run` does by itself.
        """
        engine = self._opened()
        async with AsyncExitStack() as stack:
            stack.enter_context(self._blocks.one())
            with self._counted_waiting():
                await stack.enter_async_context(self._backend.turn(scope))
                connection = await begun(
                    engine, stack, lambda connection: self._backend.begin_writing(connection, scope)
                )
            # Without a commit the connection rolls back when it is given back.
            transaction = Transaction(connection, self._backend)
            try:
                yield transaction
                await to_its_end(transaction.commit())
            except ChangeConflictError:
                self._conflicts += 1
                raise
            self._committed += 1

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Transaction]:
        """Reads one state of the database, while others write.

        What is changed inside is forgotten by SQLite and refused by PostgreSQL.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        engine = self._opened()
        async with AsyncExitStack() as stack:
            stack.enter_context(self._blocks.one())
            with self._counted_waiting():
                connection = await begun(engine, stack, self._backend.begin_reading)
            yield Transaction(connection, self._backend)

    async def run(
        self, work: Callable[[Transaction], Awaitable[_Result]], *, scope: str | None = None
    ) -> _Result:
        """Runs `work` in a transaction, again and again where another change came first, six times at most.

        Waits 0.01 s at most before the second attempt, twice as long before each further one, with full
        jitter. A lost connection is not tried again: whether the changes were kept may be unknown.

        Args:
            work: Changes the database and nothing else; may be called more than once.
            scope: As for `transaction`.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED, and what `work` raises.
        """
        for attempt in count():
            try:
                async with self.transaction(scope) as transaction:
                    result = await work(transaction)
            except ChangeConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
                await asyncio.sleep(self._random() * _FIRST_DELAY_S * 2**attempt)
            else:
                return result
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def exclusive(self, name: str) -> AsyncIterator[Lease]:
        """Waits for the right to be the only one, in all processes, that runs a block of this name.

        Given back at the end of the block, and by the server when this process dies. With PostgreSQL it can
        be lost before: call `Lease.check` before each step, and take only steps that do no harm when a
        process that has lost it, and does not know yet, takes one more.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        self._opened()
        async with self._backend.exclusive(name) as lease:
            yield lease

    def listen(self, topic: str, call: Callable[[], None]) -> Callable[[], None]:
        """Calls back on the loop after each transaction of another process that announced the topic.

        Also when some announcements may have been missed: the call is a reason to look, not news. Never for
        SQLite, which has no other process. Gives what ends it.
        """
        return self._backend.listen(topic, call)

    async def gone(self, instances: Collection[str]) -> set[str]:
        """Those of the instances (`Database.instance`) whose database is not open any more.

        SQLite: at once. PostgreSQL: waits `grace_s` where some are missed, because one may only have lost its
        connection for a moment.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        others = {name for name in instances if name != self.instance}
        return await self._backend.gone(self._opened(), others) if others else set()

    def statistics(self) -> DatabaseStatistics:
        """The numbers as they are now."""
        pool = None if self._engine is None else self._engine.pool
        backend = self._backend.statistics()
        in_use = pool.checkedout() if isinstance(pool, QueuePool) else 0
        return DatabaseStatistics(
            connections=in_use + (pool.checkedin() if isinstance(pool, QueuePool) else 0),
            in_use=in_use,
            waiting=self._waiting,
            committed=self._committed,
            conflicts=self._conflicts,
            connected=backend.connected,
            lost=backend.lost,
            leases=backend.leases,
        )

    def _opened(self) -> AsyncEngine:
        if self._engine is None:
            raise RuntimeError("the database is used inside its context only")
        return self._engine

    @contextmanager
    def _counted_waiting(self) -> Iterator[None]:
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
