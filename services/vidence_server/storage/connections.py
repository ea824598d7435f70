"""Connections of the pool: lent with a transaction begun, given back whatever became of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vidence_server.storage.backend import to_its_end
from vidence_server.storage.failures import DRIVER_ERRORS, ConnectionLostError, domain_failures


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
