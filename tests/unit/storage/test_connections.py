"""Connections that cannot roll back any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import Dialect, text

from fakes.postgres import Home
from fakes.storage import EXTRACTION_MIGRATIONS
from vidence_server.storage.database import Database

pytestmark = pytest.mark.requirement("R-OP6")


def break_one_rollback(monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
    """As when the server dies while it is told to forget a change."""
    dialect: Dialect = database._opened().sync_engine.dialect
    failures = [dialect.loaded_dbapi.OperationalError("connection was closed in the middle of operation")]
    roll_back = dialect.do_rollback

    def failing_once(connection: Any) -> None:
        if failures:
            raise failures.pop()
        roll_back(connection)

    monkeypatch.setattr(dialect, "do_rollback", failing_once)


async def test_a_change_that_cannot_be_rolled_back_ends_with_its_own_error(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with home.database(EXTRACTION_MIGRATIONS) as database:
        with pytest.raises(ZeroDivisionError):
            async with database.transaction():
                break_one_rollback(monkeypatch, database)
                raise ZeroDivisionError
        assert database.statistics().in_use == 0
        async with database.transaction() as transaction:
            await transaction.execute(text("SELECT 1"))


async def test_what_was_read_stands_when_the_connection_breaks_afterwards(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with home.database(EXTRACTION_MIGRATIONS) as database:
        async with database.snapshot() as reading:
            break_one_rollback(monkeypatch, database)
            found = (await reading.execute(text("SELECT 7"))).scalar_one()
        assert found == 7
        assert database.statistics().in_use == 0


async def test_what_is_lent_comes_back_before_the_pool_is_closed(home: Home) -> None:
    lent, enough = asyncio.Event(), asyncio.Event()

    async def read(database: Database) -> Any:
        async with database.snapshot() as reading:
            lent.set()
            await enough.wait()
            return (await reading.execute(text("SELECT 7"))).scalar_one()

    async with home.database(EXTRACTION_MIGRATIONS) as database:
        reading = asyncio.create_task(read(database))
        await lent.wait()
        asyncio.get_running_loop().call_later(0.05, enough.set)
    assert reading.done()
    assert await reading == 7
