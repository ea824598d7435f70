"""The connection to a SQLite file, as SQLAlchemy uses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from eventually import eventually
from vidence_server.storage.sqlite import sqlite_url
from vidence_server.storage.sqlite_driver import OneTripConnection, connector

NAMES = text("SELECT name FROM things ORDER BY number")
LONG = "WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up LIMIT 3000000) SELECT max(n) FROM up"
INSERT = text("INSERT INTO things (name) VALUES (:name)")


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(sqlite_url(path), async_creator=connector(path))
    try:
        async with engine.connect() as connection:
            await connection.execute(
                text("CREATE TABLE IF NOT EXISTS things (number INTEGER PRIMARY KEY, name TEXT UNIQUE)")
            )
            yield connection
    finally:
        await engine.dispose()


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[AsyncConnection]:
    async with connected(tmp_path / "file.db") as made:
        yield made


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was taken to the thread of a connection."""
    made: list[Any] = []
    real: Any = OneTripConnection._execute

    async def counted(connection: Any, function: Any, *arguments: Any, **named: Any) -> Any:
        made.append(function)
        return await real(connection, function, *arguments, **named)

    monkeypatch.setattr(OneTripConnection, "_execute", counted)
    return made


async def test_a_statement_is_one_trip_with_its_rows_or_without(
    connection: AsyncConnection, trips: list[Any]
) -> None:
    await connection.execute(INSERT, {"name": "one"})
    assert len(trips) == 1
    assert (await connection.execute(NAMES)).scalars().all() == ["one"]
    assert len(trips) == 2


async def test_many_rows_go_in_and_come_out_and_are_counted(connection: AsyncConnection) -> None:
    names = [f"{number:05}" for number in range(3000)]
    await connection.exec_driver_sql("BEGIN")  # by itself the driver begins nothing
    await connection.execute(INSERT, [{"name": name} for name in names])
    assert (await connection.execute(NAMES)).scalars().all() == names
    changed = await connection.execute(text("UPDATE things SET name = name || 'x' WHERE number <= 10"))
    assert changed.rowcount == 10
    returned = await connection.execute(text("DELETE FROM things WHERE number = 1 RETURNING name"))
    assert returned.scalar_one() == "00000x"


async def test_a_failed_statement_leaves_the_connection_fit(connection: AsyncConnection) -> None:
    await connection.execute(INSERT, {"name": "one"})
    with pytest.raises(IntegrityError):
        await connection.execute(INSERT, {"name": "one"})
    with pytest.raises(OperationalError):
        await connection.execute(text("SELECT nothing FROM nowhere"))
    assert (await connection.execute(NAMES)).scalars().all() == ["one"]


async def test_a_result_that_nobody_reads_does_not_hold_the_file(
    connection: AsyncConnection, tmp_path: Path
) -> None:
    await connection.execute(INSERT, {"name": "one"})
    await connection.commit()
    unread = await connection.execute(NAMES)
    async with connected(tmp_path / "file.db") as other:
        await other.execute(INSERT, {"name": "two"})
        await other.commit()
    assert unread.scalars().all() == ["one"]


async def test_after_a_cancelled_statement_another_connection_answers(
    connection: AsyncConnection, trips: list[Any]
) -> None:
    task = asyncio.create_task(connection.exec_driver_sql(LONG))
    await eventually(lambda: bool(trips))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await connection.invalidate()
    async with connection.engine.connect() as other:
        assert (await other.execute(text("SELECT 1"))).scalar_one() == 1


async def test_reading_begins_with_its_first_statement_in_one_trip(
    connection: AsyncConnection, tmp_path: Path, trips: list[Any]
) -> None:
    await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    async with connected(tmp_path / "file.db") as other:
        await connection.execute(INSERT, {"name": "one"})
        driver = (await other.get_raw_connection()).driver_connection
        assert isinstance(driver, OneTripConnection)
        driver.begin_with_next()
        trips.clear()
        assert (await other.execute(NAMES)).scalars().all() == ["one"]
        assert len(trips) == 1
        await connection.execute(INSERT, {"name": "two"})
        assert (await other.execute(NAMES)).scalars().all() == ["one"]  # the state of its beginning
        await other.rollback()
        assert (await other.execute(NAMES)).scalars().all() == ["one", "two"]


async def test_what_has_only_been_announced_is_ended_without_a_trip(
    connection: AsyncConnection, trips: list[Any]
) -> None:
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, OneTripConnection)
    for end in (driver.rollback, driver.commit):
        trips.clear()
        driver.begin_with_next()
        await end()
        assert not trips
        await connection.execute(text("SELECT 1"))
        assert not driver.in_transaction
