"""The one connection to PostgreSQL that stays: it listens for announcements and holds leases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from types import TracebackType
from typing import Self

import asyncpg
import structlog

from vidence_server.core.errors import DomainError
from vidence_server.storage.backend import BackendStatistics, Lease, Listeners, LocalTurns, to_its_end
from vidence_server.storage.connector import Connector
from vidence_server.storage.failures import DRIVER_ERRORS, sqlstate

_LOST = (*DRIVER_ERRORS, DomainError)
_LEASE_TOPIC = "lease/"


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How the connection is kept."""

    ping_s: float = 10.0
    """How often it is tried whether the server still answers."""
    answer_s: float = 5.0
    """How long the server may take to; then the connection is given up."""
    lease_poll_s: float = 1.0
    """How often a lease that another process holds is asked for. One that is given back is had at once."""


def lock_key(schema: str, name: str) -> int:
    """The number of an advisory lock: 64 bits of BLAKE2b, signed."""
    digest = blake2b(f"vidence/{schema}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


class PostgresSession:
    """Kept from the beginning of its context to the end, in one task; made again whenever it is lost.

    Leases are advisory locks of the session: the server gives them free when this process dies or the
    connection breaks. Announcements are NOTIFY on one channel per schema, the topic being the payload.
    """

    def __init__(
        self,
        connector: Connector,
        *,
        schema: str,
        instance: str,
        settings: SessionSettings = SessionSettings(),
    ) -> None:
        """A session that is not made yet.

        Args:
            connector: Makes its connection.
            schema: Whose channel it listens to.
            instance: Name of this opened database; the session holds its lock, so that others see it live.
            settings: How it is kept.
        """
        self.channel = f"vidence_{schema}"
        self.listeners = Listeners()
        self._connector = connector
        self._schema = schema
        self._instance = instance
        self._settings = settings
        self._log = structlog.get_logger(__name__)
        self._connection: asyncpg.Connection | None = None
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._using = asyncio.Lock()  # a connection does one thing at a time
        self._leases: set[Lease] = set()
        self._turns = LocalTurns()
        self._lost = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Makes the connection.

        Raises:
            Exception: One of `DRIVER_ERRORS`, it cannot be made.
        """
        await self._make()
        self._task = asyncio.create_task(self._keep(), name="session of the database")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends it, and with it all leases."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._forget_leases()
        if self._connection is not None:
            await _closed(self._connection)

    def payload(self, topic: str) -> str:
        """What is sent of a topic: who says it comes first, to be ignored by the same."""
        return f"{self._instance} {topic}"

    def statistics(self) -> BackendStatistics:
        """The numbers as they are now."""
        return BackendStatistics(connected=self._up.is_set(), lost=self._lost, leases=len(self._leases))

    @asynccontextmanager
    async def exclusive(self, name: str) -> AsyncIterator[Lease]:
        """Waits for the lease, however often the server goes away meanwhile."""
        async with self._turns.take(name):
            lease = Lease(name)
            key = lock_key(self._schema, f"lease/{name}")
            await self._acquire(lease, key)
            try:
                yield lease
            finally:
                if lease in self._leases:
                    self._leases.discard(lease)
                    await to_its_end(self._release(lease, key))

    async def _acquire(self, lease: Lease, key: int) -> None:
        free = asyncio.Event()
        remove = self.listeners.add(_LEASE_TOPIC + lease.name, free.set)
        try:
            while True:
                free.clear()
                await self._up.wait()
                if await self._try(lease, key):
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.lease_poll_s):
                        await free.wait()
        finally:
            remove()

    async def _try(self, lease: Lease, key: int) -> bool:
        try:
            return bool(await to_its_end(self._lock(lease, key)))
        except asyncio.CancelledError:
            if lease in self._leases:  # the server had given it when the task was cancelled
                self._leases.discard(lease)
                await to_its_end(self._release(lease, key))
            raise

    async def _lock(self, lease: Lease, key: int) -> bool:
        connection = self._connection
        if connection is None:
            return False
        try:
            async with self._using:
                got = bool(await self._ask(connection, "SELECT pg_try_advisory_lock($1)", key))
        except _LOST:
            self._give_up(connection)
            return False
        if got and connection is self._connection and not self._down.is_set():
            self._leases.add(lease)
            return True
        return False

    async def _release(self, lease: Lease, key: int) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            async with self._using:
                await self._ask(connection, "SELECT pg_advisory_unlock($1)", key)
                payload = self.payload(_LEASE_TOPIC + lease.name)
                await self._ask(connection, "SELECT pg_notify($1, $2)", self.channel, payload)
        except _LOST:
            self._give_up(connection)  # the server frees the lease with the connection

    async def _ask(self, connection: asyncpg.Connection, statement: str, *values: object) -> object:
        return await connection.fetchval(statement, *values, timeout=self._settings.answer_s)

    async def _keep(self) -> None:
        while True:
            try:
                await self._watch()
                await self._make()
            except Exception as error:  # noqa: BLE001  # whatever the driver does, the session is made again
                self._log.warning("database away", sqlstate=sqlstate(error), kind=type(error).__qualname__)
                await asyncio.sleep(max(self._connector.wait_s, 0.01))
            else:
                self._log.info("database back", schema=self._schema)

    async def _make(self) -> None:
        connection = await self._connector.connect()
        try:
            self._down.clear()
            connection.add_termination_listener(self._terminated)
            await connection.add_listener(self.channel, self._notified)
            instance = lock_key(self._schema, f"instance/{self._instance}")
            await self._ask(connection, "SELECT pg_advisory_lock($1)", instance)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection
        self._up.set()
        self.listeners.tell_all()  # what was announced meanwhile was missed

    async def _watch(self) -> None:
        """Returns when the connection is lost."""
        connection = self._connection
        if connection is None:
            return
        while not self._down.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.ping_s):
                    await self._down.wait()
            if not self._down.is_set():
                await self._ping(connection)
        self._connection = None
        self._up.clear()
        self._lost += 1
        self._forget_leases()
        connection.terminate()

    async def _ping(self, connection: asyncpg.Connection) -> None:
        try:
            async with self._using:
                await self._ask(connection, "SELECT 1")
        except _LOST:
            self._give_up(connection)

    def _give_up(self, connection: asyncpg.Connection) -> None:
        if connection is self._connection:
            self._down.set()
            self._forget_leases()

    def _terminated(self, connection: object) -> None:
        if connection is self._connection or self._connection is None:
            self._down.set()
            self._forget_leases()

    def _notified(self, connection: object, process: int, channel: str, payload: object) -> None:
        del connection, process, channel
        instance, _, topic = str(payload).partition(" ")
        if instance != self._instance:
            self.listeners.tell(topic)

    def _forget_leases(self) -> None:
        for lease in self._leases:
            lease.lost.set()
        self._leases.clear()


async def _closed(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=1.0)
    except DRIVER_ERRORS:
        connection.terminate()
