"""Who may still see what was deleted in PostgreSQL is waited for, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy import text

from fakes.own_database import OwnDatabase
from fakes.storage import EXTRACTION_MIGRATIONS
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Database
from vidence_server.storage.erasure import await_older_states

pytestmark = pytest.mark.requirement("R-OP5", "R-OP6")
_ROLE = "service_without_rights"
READING = "SELECT count(*) FROM pg_class"
WRITING = "SELECT pg_current_xact_id()"


@asynccontextmanager
async def began(own: OwnDatabase, statement: str, *, database: str = "") -> AsyncIterator[asyncpg.Connection]:
    """A transaction of somebody else that has done this, and stays open."""
    connection = await own.server.connect(database or own.name)
    try:
        async with connection.transaction(isolation="repeatable_read" if statement == READING else None):
            await connection.execute(statement)
            yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def opened(own: OwnDatabase) -> AsyncIterator[Database]:
    """As a service has it: its role may do nothing but own a schema."""
    url = own.server.url(own.name, user=_ROLE)
    connection = await own.server.connect(own.name)
    await connection.execute(f"CREATE ROLE {_ROLE} LOGIN; GRANT CREATE ON DATABASE {own.name} TO {_ROLE}")
    try:
        async with Database(url, migrations=EXTRACTION_MIGRATIONS) as database:
            yield database
    finally:
        await connection.execute(f"DROP OWNED BY {_ROLE} CASCADE; DROP ROLE {_ROLE}")
        await connection.close()


async def delete_something(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(text(WRITING))


@pytest.mark.parametrize("statement", [READING, WRITING], ids=["reads", "writes"])
async def test_an_older_transaction_of_anybody_is_waited_for(
    own_database: OwnDatabase, statement: str
) -> None:
    async with opened(own_database) as database:
        async with began(own_database, statement):
            await delete_something(database)
            waiting = asyncio.create_task(await_older_states(database))
            done, _ = await asyncio.wait([waiting], timeout=0.5)
            assert not done
        await asyncio.wait_for(waiting, 10)


async def test_patience_ends_with_an_error_that_says_to_try_again(own_database: OwnDatabase) -> None:
    async with opened(own_database) as database:
        async with began(own_database, READING):
            await delete_something(database)
            with pytest.raises(DomainError) as caught:
                await await_older_states(database, patience_s=0.2)
            assert caught.value.reason is Reason.STORAGE_FAILED
            assert caught.value.retry_after_s
        await await_older_states(database, patience_s=10)


async def test_who_cannot_see_it_is_not_waited_for(own_database: OwnDatabase) -> None:
    async with opened(own_database) as database:
        async with began(own_database, READING, database="postgres"):  # another database
            await delete_something(database)
            await await_older_states(database, patience_s=10)
        async with began(own_database, READING):  # since after the deletion
            await await_older_states(database, patience_s=10)
        async with began(own_database, "SELECT 1"):  # between two statements: the next sees a newer state
            await delete_something(database)
            await await_older_states(database, patience_s=10)
