"""What the database of a service asks of the kind of database it is kept in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vidence_server.core.errors import DomainError, Reason


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many connections a `Database` keeps. One more is used to listen and to hold leases."""

    size: int = 8
    """Connections to PostgreSQL at most; transactions and snapshots take one each."""
    wait_s: float = 10.0
    """How long a transaction waits for a free one before it fails."""


@dataclass(frozen=True, slots=True)
class BackendStatistics:
    """How a kind of database does. Counters start with the process."""

    connected: bool
    """Whether the connection that listens and holds leases stands; always for SQLite."""
    lost: int
    """How often it was lost."""
    leases: int
    """Leases that this process holds."""


class Lease:
    """The right to be the only one that does something."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lost = asyncio.Event()
        """Set when the right is gone before the block has ended: another process may have it by now."""

    def check(self) -> None:
        """To be called before each step that only one may take.

        Raises:
            DomainError: STORAGE_FAILED, the lease being lost.
        """
        if self.lost.is_set():
            raise DomainError(
                Reason.STORAGE_FAILED, "The lease was lost.", metadata={"lease": self.name}, retry_after_s=1.0
            )


class Backend(Protocol):
    """One kind of database. Everything but the constructor is used between `open` and the stack's end."""

    shared: bool
    """Whether other processes may work on the same data."""

    async def open(self, stack: AsyncExitStack) -> AsyncEngine:
        """Migrates and opens the database; the stack closes it."""
        ...

    def turn(self, scope: str | None) -> AbstractAsyncContextManager[None]:
        """A writer's turn within this process, waited for before it takes a connection."""
        ...

    async def begin_writing(self, connection: AsyncConnection, scope: str | None) -> None:
        """Begins the transaction and takes its scope until it ends."""
        ...

    async def begin_reading(self, connection: AsyncConnection) -> None:
        """Begins to read one state."""
        ...

    async def serialise(self, connection: AsyncConnection, name: str) -> None:
        """Waits, within a transaction, for those of the same name, and lets later ones wait to its end."""
        ...

    async def announce(self, connection: AsyncConnection, topics: Sequence[str]) -> None:
        """Tells other processes of topics, once the transaction is committed."""
        ...

    def listen(self, topic: str, call: Callable[[], None]) -> Callable[[], None]:
        """Calls back at announcements of others and when some may have been missed; gives what ends it."""
        ...

    def exclusive(self, name: str) -> AbstractAsyncContextManager[Lease]:
        """Waits for the lease."""
        ...

    async def gone(self, engine: AsyncEngine, instances: Collection[str]) -> set[str]:
        """Which of these opened databases are no more."""
        ...

    def statistics(self) -> BackendStatistics:
        """The numbers as they are now."""
        ...


class LocalTurns:
    """Locks of this process by name; a name is forgotten when nobody uses it."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def take(self, name: str) -> AsyncIterator[None]:
        """Waits for the others of the same name, in order."""
        lock, users = self._locks.get(name, (asyncio.Lock(), 0))
        self._locks[name] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(name)
            if users > 1:
                self._locks[name] = lock, users - 1


class Listeners:
    """Who wants to hear of what, within this process."""

    def __init__(self) -> None:
        self._calls: dict[str, list[Callable[[], None]]] = {}

    def add(self, topic: str, call: Callable[[], None]) -> Callable[[], None]:
        """Adds one; gives what removes it, which may be called more than once."""
        self._calls.setdefault(topic, []).append(call)

        def remove() -> None:
            calls = self._calls.get(topic, [])
            if call in calls:
                calls.remove(call)
            if not calls:
                self._calls.pop(topic, None)

        return remove

    def tell(self, topic: str) -> None:
        """Calls those of one topic."""
        for call in tuple(self._calls.get(topic, ())):
            call()

    def tell_all(self) -> None:
        """Calls everyone: something may have been missed."""
        for topic in tuple(self._calls):
            self.tell(topic)


async def to_its_end(work: Any) -> Any:
    """Awaits a coroutine to its end also when the caller is cancelled, and only then is."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
