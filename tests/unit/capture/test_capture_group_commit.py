"""Writes of many sessions are committed together, and fail alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from vidence_server.capture.app import MIGRATIONS
from vidence_server.capture.group_commit import GroupCommit, Write
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Database, Transaction, sqlite_url

INSERT = text(
    "INSERT INTO capture_images VALUES (:id, 't', 's', 'b', 'h', 'image/jpeg', 1, 1, 1, '2026-01-01')"
)


def insertion(name: str) -> Write:
    async def write(transaction: Transaction) -> None:
        await transaction.execute(INSERT, [{"id": name}])

    return write


async def ids(database: Database) -> list[str]:
    async with database.snapshot() as transaction:
        return sorted(row.id for row in await transaction.execute(text("SELECT id FROM capture_images")))


@pytest.mark.requirement("R-CA10")
async def test_writes_that_wait_together_are_one_commit(tmp_path: Path) -> None:
    async with Database(sqlite_url(tmp_path / "c.db"), migrations=MIGRATIONS) as database:
        async with GroupCommit(database) as commit:
            await asyncio.gather(*(commit.write(insertion(f"{number:03}")) for number in range(100)))
            assert commit.groups <= 3
        assert len(await ids(database)) == 100


async def test_a_wrong_write_fails_alone(tmp_path: Path) -> None:
    async def wrong(transaction: Transaction) -> None:
        raise DomainError(Reason.STORAGE_FULL, "The disk has no room.")

    async with (
        Database(sqlite_url(tmp_path / "c.db"), migrations=MIGRATIONS) as database,
        GroupCommit(database) as commit,
    ):
        results = await asyncio.gather(
            commit.write(insertion("a")),
            commit.write(wrong),
            commit.write(insertion("a")),
            commit.write(insertion("b")),
            return_exceptions=True,
        )
        reasons = [result.reason if isinstance(result, DomainError) else None for result in results]
        assert reasons == [None, Reason.STORAGE_FULL, Reason.STORAGE_FAILED, None]
        assert await ids(database) == ["a", "b"]


async def test_a_caller_that_is_cancelled_takes_nothing_back(tmp_path: Path) -> None:
    async with Database(sqlite_url(tmp_path / "c.db"), migrations=MIGRATIONS) as database:
        async with GroupCommit(database) as commit:
            writing = asyncio.create_task(commit.write(insertion("a")))
            await asyncio.sleep(0)
            writing.cancel()
            await asyncio.wait({writing})
        assert await ids(database) == ["a"]
