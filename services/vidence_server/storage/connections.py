"""Connections of the pool: lent with a transaction begun, given back whatever became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vidence_server.storage.backend import to_its_end
from vidence_server.storage.failures import DRIVER_ERRORS, ConnectionLostError, domain_failures


class Blocks:
    """Counts the blocks that have a connection or wait for one, so that none outlives its pool.

    A connection that comes back to a pool that is closed would stay open until it is collected.
    """

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Counts a block for as long as it runs."""
        self._count += 1
        self._none.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()

    async def ended(self, within_s: float) -> None:
        """Waits until there is none, or so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._none.wait()


async def begun(
    engine: AsyncEngine, stack: AsyncExitStack, begin: Callable[[AsyncConnection], Awaitable[None]]
) -> AsyncConnection:
    """A connection on which a transaction has begun; given back by the stack, which rolls back.

    A connection of the pool may have been lost while nobody used it. Nothing is done yet, so a second one is
    tried at once; the pool then makes all connections anew.
    """
    for again in (True, False):
        try:
            async with AsyncExitStack() as trying:
                # Half a beginning would be forgotten by the pool and keep the file locked.
                connection: AsyncConnection = await to_its_end(_begin_on(engine, trying, begin))
                stack.push_async_exit(trying.pop_all())
        except ConnectionLostError:
            if not again:
                raise
        else:
            return connection
    raise AssertionError("unreachable")


async def _begin_on(
    engine: AsyncEngine, stack: AsyncExitStack, begin: Callable[[AsyncConnection], Awaitable[None]]
) -> AsyncConnection:
    with domain_failures():
        connection = await stack.enter_async_context(_lent(engine))
        await begin(connection)
    return connection


@asynccontextmanager
async def _lent(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection that rolls back when it is given back.

    Where it cannot, it is thrown away, and the database forgets by itself what was not committed: that
    failure tells nothing new, and must not take the place of the one that ended the block.
    """
    connection = await engine.connect()
    try:
        yield connection
    finally:
        await to_its_end(_given_back(connection))


async def _given_back(connection: AsyncConnection) -> None:
    try:
        await connection.close()
    except (DBAPIError, *DRIVER_ERRORS):
        if not connection.closed:
            await connection.invalidate()
            await connection.close()
