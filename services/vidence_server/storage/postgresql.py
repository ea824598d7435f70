"""State in PostgreSQL: a schema per service, shared by its replicas."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path

from sqlalchemy import ARRAY, NullPool, Text, bindparam, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.backend import BackendStatistics, Lease, PoolLimits
from vidence_server.storage.connector import Connector, PostgresAddress
from vidence_server.storage.failures import domain_failures
from vidence_server.storage.migration import upgrade
from vidence_server.storage.session import PostgresSession, lock_key

DRIVER = "postgresql+asyncpg"
_EMPTY_URL = (
    f"{DRIVER}://"  # the engine knows neither address nor password: connections come from `Connector`
)
_SCHEMA_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_IDLE_MS = 30_000  # a writer that stops in the middle is ended by the server, and frees its scope
_MIGRATION_LOCK_MS = 600_000

_WRITE_ALONE = text(
    "SELECT set_config('idle_in_transaction_session_timeout', :idle, true), pg_advisory_xact_lock(:whole)"
)
_WRITE_SCOPED = text(
    "SELECT set_config('idle_in_transaction_session_timeout', :idle, true), "
    "pg_advisory_xact_lock_shared(:whole), pg_advisory_xact_lock(:scope)"
)
_HELD_LOCKS = text(
    "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks "
    "WHERE locktype = 'advisory' AND objsubid = 1 AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class PostgresBackend:
    """A schema of a PostgreSQL database.

    Writers without a scope exclude all others, those of one scope each other, by advisory locks that the
    transaction takes first and the server frees at its end; the isolation level is READ COMMITTED, so that
    each statement sees what was committed while it waited. Transactions that change the same rows in
    different scopes may meet a deadlock, which the server ends after a second: `ChangeConflictError`.

    What is committed survives the death of both, and a power cut as far as the server's
    `synchronous_commit` says. The server must be reached directly or by a pooler that keeps sessions.
    """

    shared = True

    def __init__(
        self,
        address: PostgresAddress,
        *,
        migrations: Path,
        limits: PoolLimits,
        patience_s: float,
        grace_s: float,
        instance: str,
        random: Callable[[], float],
    ) -> None:
        """A schema that is not opened yet.

        Args:
            address: Where it is.
            migrations: Folder of the service's Alembic revisions.
            limits: Of the pool.
            patience_s: How long `open` waits for a server that is not there yet.
            grace_s: How long an instance must be missed until it is called gone.
            instance: Name of this opened database.
            random: Gives numbers in [0, 1), for jitter.
        """
        if not _SCHEMA_NAME.match(address.schema):
            raise DomainError(
                Reason.CONFIGURATION_INVALID, "A schema is up to 40 of a-z, 0-9 and _, a letter first."
            )
        self._address = address
        self._migrations = migrations
        self._limits = limits
        self._patience_s = patience_s
        self._grace_s = grace_s
        self._connector = Connector(address, random=random)
        self._session = PostgresSession(self._connector, schema=address.schema, instance=instance)
        # Waiting here first leaves the connections of the pool to those who can use them.
        self._alone = asyncio.Lock()
        self._whole = lock_key(address.schema, "writers")

    async def open(self, stack: AsyncExitStack) -> AsyncEngine:
        """Waits for the server, migrates the schema, then opens pool and session."""
        with domain_failures():
            await self._connector.wait_ready(self._patience_s)
            await asyncio.to_thread(asyncio.run, self._migrate())
            engine = create_async_engine(
                _EMPTY_URL,
                async_creator=self._connector.connect,
                hide_parameters=True,
                pool_size=self._limits.size,
                max_overflow=0,
                pool_timeout=self._limits.wait_s,
                pool_use_lifo=True,
            )
            stack.push_async_callback(engine.dispose)
            await stack.enter_async_context(self._session)
        return engine

    def turn(self, scope: str | None) -> AbstractAsyncContextManager[None]:
        """One writer without a scope per process; those with one need not wait here."""
        return self._alone if scope is None else nullcontext()

    async def begin_writing(self, connection: AsyncConnection, scope: str | None) -> None:
        """Begins, and takes the scope."""
        await connection.begin()
        values = {"idle": str(_IDLE_MS), "whole": self._whole}
        if scope is None:
            await connection.execute(_WRITE_ALONE, values)
        else:
            key = lock_key(self._address.schema, f"scope/{scope}")
            await connection.execute(_WRITE_SCOPED, values | {"scope": key})

    async def begin_reading(self, connection: AsyncConnection) -> None:
        """Begins REPEATABLE READ, READ ONLY; the state is that of the first statement, which is this one."""
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        await connection.begin()
        await connection.execute(select(1))

    async def serialise(self, connection: AsyncConnection, name: str) -> None:
        """Takes an advisory lock until the transaction ends."""
        key = lock_key(self._address.schema, f"serial/{name}")
        await connection.execute(select(func.pg_advisory_xact_lock(bindparam("key", key))))

    async def announce(self, connection: AsyncConnection, topics: Sequence[str]) -> None:
        """NOTIFY, sent by the server when the transaction commits."""
        payloads = [self._session.payload(topic) for topic in topics]
        rows = func.unnest(cast(payloads, ARRAY(Text))).column_valued("payload")
        await connection.execute(select(func.pg_notify(self._session.channel, rows)))

    def listen(self, topic: str, call: Callable[[], None]) -> Callable[[], None]:
        """Calls back at announcements of others, and when the connection was made again."""
        return self._session.listeners.add(topic, call)

    @asynccontextmanager
    async def exclusive(self, name: str) -> AsyncIterator[Lease]:
        """An advisory lock of the session."""
        async with self._session.exclusive(name) as lease:
            yield lease

    async def gone(self, engine: AsyncEngine, instances: Collection[str]) -> set[str]:
        """Those whose session is missed at two looks, `grace_s` apart: one may have lost its connection."""
        missed = await self._missed(engine, instances)
        if not missed:
            return set()
        await asyncio.sleep(self._grace_s)
        return await self._missed(engine, missed)

    def statistics(self) -> BackendStatistics:
        """The numbers as they are now."""
        return self._session.statistics()

    async def _missed(self, engine: AsyncEngine, instances: Collection[str]) -> set[str]:
        with domain_failures():
            async with engine.connect() as connection:
                held = set((await connection.execute(_HELD_LOCKS)).scalars())
        schema = self._address.schema
        return {name for name in instances if lock_key(schema, f"instance/{name}") not in held}

    async def _migrate(self) -> None:
        """Runs on a loop and a thread of its own, because Alembic reads files.

        All replicas may start at once: the first one migrates, the others wait and find it done.
        """
        schema = self._address.schema
        engine = create_async_engine(
            _EMPTY_URL, async_creator=self._address.connect, hide_parameters=True, poolclass=NullPool
        )
        async with engine.connect() as connection:
            await connection.execute(text(f"SET LOCAL lock_timeout = {_MIGRATION_LOCK_MS}"))
            key = lock_key(schema, "migration")
            await connection.execute(select(func.pg_advisory_xact_lock(bindparam("key", key))))
            await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
            await connection.run_sync(upgrade, self._migrations, schema)
            await connection.commit()
        await engine.dispose()
