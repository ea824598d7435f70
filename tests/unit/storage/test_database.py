"""The database of a service: one owner, whole transactions, migrations, failures in the domain's terms."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection

from fakes.postgres import Home
from fakes.run_rows import COUNT, INSERT, count
from fakes.storage import EXTRACTION_MIGRATIONS, add, event, outbox_in
from never_blocking import never_blocking
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Database, sqlite_url


def database_at(path: Path) -> Database:
    return Database(sqlite_url(path), migrations=EXTRACTION_MIGRATIONS)


async def test_what_was_committed_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "a b?#%41" / "service.db"
    async with database_at(path) as database, database.transaction() as transaction:
        await transaction.execute(INSERT, {"id": "1"})
    async with database_at(path) as database:
        assert await count(database) == 1
    assert path.exists()


async def test_a_change_that_raises_is_forgotten_and_calls_nobody(home: Home) -> None:
    called: list[str] = []
    async with home.database(EXTRACTION_MIGRATIONS) as database:
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as transaction:
                await transaction.execute(INSERT, {"id": "1"})
                transaction.after_commit(lambda: called.append("committed"))
                raise ZeroDivisionError
        assert await count(database) == 0
        async with database.transaction() as transaction:
            transaction.after_commit(lambda: called.append("second"))
    assert called == ["second"]


async def test_a_snapshot_sees_one_state_while_others_write(home: Home) -> None:
    async with home.database(EXTRACTION_MIGRATIONS) as database:
        async with database.snapshot() as reading:
            assert (await reading.execute(COUNT)).scalar_one() == 0
            async with database.transaction() as transaction:
                await transaction.execute(INSERT, {"id": "1"})
            assert (await reading.execute(COUNT)).scalar_one() == 0
        assert await count(database) == 1


async def test_many_writers_at_once_are_all_kept(home: Home) -> None:
    async with home.database(EXTRACTION_MIGRATIONS) as database:

        async def write(number: int) -> None:
            async with database.transaction() as transaction:
                await transaction.execute(INSERT, {"id": str(number)})

        async with asyncio.TaskGroup() as tasks:
            for number in range(20):
                tasks.create_task(write(number))
        assert await count(database) == 20


async def test_a_commit_that_has_begun_is_finished_although_the_task_is_cancelled(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    commit = AsyncConnection.commit

    async def slow_commit(connection: AsyncConnection) -> None:
        begun.set()
        await go_on.wait()
        await commit(connection)

    called: list[str] = []
    async with home.database(EXTRACTION_MIGRATIONS) as database:
        monkeypatch.setattr(AsyncConnection, "commit", slow_commit)

        async def write() -> None:
            async with database.transaction() as transaction:
                await transaction.execute(INSERT, {"id": "1"})
                transaction.after_commit(lambda: called.append("committed"))

        writing = asyncio.create_task(write())
        await begun.wait()
        writing.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert called == ["committed"]
        assert await count(database) == 1


async def test_a_file_has_one_owner(tmp_path: Path) -> None:
    path = tmp_path / "service.db"
    async with database_at(path):
        with pytest.raises(DomainError) as refused:
            async with database_at(path):
                pass
    assert refused.value.reason is Reason.DATABASE_IN_USE
    assert refused.value.metadata == {"path": str(path)}
    async with database_at(path) as database:
        assert await count(database) == 0


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DomainError, match="file") as refused:
        async with database_at(tmp_path / "file" / "service.db"):
            pass
    assert refused.value.reason is Reason.STORAGE_FAILED


async def test_a_file_that_is_no_database_fails_and_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "service.db"
    path.write_bytes(b"something else " * 100)
    with pytest.raises(DomainError) as failed:
        async with database_at(path):
            pass
    assert failed.value.reason is Reason.STORAGE_FAILED
    assert path.read_bytes() == b"something else " * 100


async def test_a_database_of_a_later_version_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "service.db"
    async with database_at(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE alembic_version SET version_num = 'extraction_0099' WHERE version_num LIKE 'e%'"
        )
    connection.close()
    with pytest.raises(DomainError) as refused:
        async with database_at(path):
            pass
    assert refused.value.reason is Reason.DATABASE_INCOMPATIBLE
    assert "extraction_0099" in refused.value.metadata["found"]
    assert "extraction_0002" in refused.value.metadata["known"]


async def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "broken_0001.py").write_text(
        "from alembic import op\n"
        "revision, down_revision = 'broken_0001', None\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE half (id INTEGER)')\n"
        "    op.execute('CREATE NONSENSE')\n"
    )
    path = tmp_path / "service.db"
    with pytest.raises(DomainError):
        async with Database(sqlite_url(path), migrations=migrations):
            pass
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    connection.close()


@pytest.mark.requirement("R-OP6")
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/vidence",
        "postgresql+asyncpg://host",
        "sqlite+aiosqlite://",
        "sqlite:///x.db",
        "SECRET:no url",
        "mysql://me:SECRET@host/vidence",
    ],
)
def test_other_databases_are_refused_without_quoting_their_url(url: str) -> None:
    with pytest.raises(DomainError) as refused:
        Database(url, migrations=EXTRACTION_MIGRATIONS)
    assert refused.value.reason is Reason.CONFIGURATION_INVALID
    assert "SECRET" not in str(refused.value)


async def test_a_full_disk_says_so_and_keeps_nothing_of_the_change(tmp_path: Path) -> None:
    async with outbox_in(tmp_path) as (database, outbox):
        await outbox.open()
        with pytest.raises(DomainError) as full:
            async with database.transaction() as transaction:
                await transaction.execute(text("PRAGMA max_page_count = 20"))
                await outbox.add(transaction, event(1), event(2, size=500_000))
        assert full.value.reason is Reason.STORAGE_FULL
        assert full.value.retry_after_s
        assert await outbox.read(limit=10, max_bytes=1 << 20) == []
        assert outbox.waiting == 0


@pytest.mark.requirement("R-EX9")
async def test_failures_do_not_quote_values(home: Home) -> None:
    async with home.database(EXTRACTION_MIGRATIONS) as database:
        with pytest.raises(DomainError) as failed:
            async with database.transaction() as transaction:
                await transaction.execute(text("SELECT :value FROM nowhere"), {"value": "SECRET-NAME"})
        assert failed.value.reason is Reason.STORAGE_FAILED
        assert "SECRET-NAME" not in f"{failed.value} {failed.value.__cause__}"


async def test_a_broken_constraint_reaches_the_one_who_made_it(home: Home) -> None:
    async with home.database(EXTRACTION_MIGRATIONS) as database:
        with pytest.raises(IntegrityError):
            async with database.transaction() as transaction:
                await transaction.execute(INSERT, [{"id": "1"}, {"id": "1"}])
        assert await count(database) == 0


async def test_times_keep_their_moment_and_come_back_in_utc(home: Home) -> None:
    there = datetime(2026, 3, 29, 1, 59, 59, 999_999, timezone(timedelta(hours=-7)))
    async with outbox_in(home) as (database, outbox):
        await add(database, outbox, event(1, created=there))
        [row] = await outbox.read(limit=1, max_bytes=100)
        assert row.event.create_time == there
        assert row.event.create_time.tzinfo is UTC
        with pytest.raises(StatementError, match="timezone-aware"):
            await add(database, outbox, event(2, created=there.replace(tzinfo=None)))


async def test_the_loop_is_never_blocked(tmp_path: Path) -> None:
    with never_blocking():
        async with outbox_in(tmp_path) as (database, outbox):
            await add(database, outbox, event(1))
            assert len(await outbox.read(limit=10, max_bytes=100)) == 1


async def test_the_loop_is_not_blocked_by_postgresql_either(shared_home: Home) -> None:
    # It migrates on a loop in a thread of its own, which may be blocked.
    async with outbox_in(shared_home) as (database, outbox):
        with never_blocking():
            await add(database, outbox, event(1))
            async with database.exclusive("something"):
                assert len(await outbox.read(limit=10, max_bytes=100)) == 1


async def test_outside_of_its_context_it_is_not_used(home: Home) -> None:
    database: Any = home.database(EXTRACTION_MIGRATIONS)
    with pytest.raises(RuntimeError, match="inside its context"):
        async with database.transaction():
            pass
