"""PostgreSQL killed, cut off, full, or busy: nothing half done, honest errors, healed by itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from eventually import eventually
from fakes.postgres import Home, PostgresProcess, SmallDisk
from fakes.storage import EXTRACTION_MIGRATIONS, add, event
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage import postgresql
from vidence_server.storage.database import Database, PoolLimits, Transaction
from vidence_server.storage.failures import ChangeConflictError, ConnectionLostError
from vidence_server.storage.outbox import Outbox, OutboxEvent

pytestmark = pytest.mark.requirement("R-OP6")

COUNT = text("SELECT count(*) FROM extraction_runs")
INSERT = text(
    "INSERT INTO extraction_runs "
    "(id, tenant, document_type, state, start_time, field_count, invalid_field_count, reason) "
    "VALUES (:id, 'default', 'text', 'STARTED', '2026-01-01 00:00:00.000000', 0, 0, '')"
)


def database_on(server: PostgresProcess, **options: Any) -> Database:
    return Database(server.url(), migrations=EXTRACTION_MIGRATIONS, schema="service", **options)


async def count(database: Database) -> int:
    async with database.snapshot() as reading:
        return int((await reading.execute(COUNT)).scalar_one())


async def insert(database: Database, name: str) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(INSERT, {"id": name})


async def test_kill_9_of_the_server_forgets_the_open_change_whole_and_keeps_the_committed(
    postgres_alone: PostgresProcess,
) -> None:
    called: list[str] = []
    async with database_on(postgres_alone) as database:
        outbox = Outbox(database)
        await insert(database, "kept")
        with pytest.raises(ConnectionLostError) as lost:
            async with database.transaction() as transaction:
                transaction.after_commit(lambda: called.append("committed"))
                await transaction.execute(INSERT, {"id": "forgotten"})
                await outbox.add(transaction, event(1))
                await asyncio.to_thread(postgres_alone.kill)
        assert lost.value.reason is Reason.STORAGE_FAILED
        assert lost.value.retry_after_s
        await asyncio.to_thread(postgres_alone.start)
        await eventually(lambda: database.statistics().lost == 1 and database.statistics().connected)
        assert await count(database) == 1
        assert await outbox.read(limit=10, max_bytes=100) == []
        assert called == []
        await insert(database, "after")
        assert await count(database) == 2


async def test_while_the_server_is_away_calls_fail_soon_and_work_when_it_is_back(
    postgres_alone: PostgresProcess,
) -> None:
    async with database_on(postgres_alone) as database:
        await insert(database, "1")
        await asyncio.to_thread(postgres_alone.stop)
        for _ in range(20):
            with pytest.raises(DomainError) as failed:
                await insert(database, "2")
            assert failed.value.reason is Reason.STORAGE_FAILED
        assert not database.statistics().connected
        await asyncio.to_thread(postgres_alone.start)
        await eventually(lambda: database.statistics().connected)
        await insert(database, "3")
        assert await count(database) == 2


async def test_connections_that_broke_while_idle_are_not_noticed(
    shared_home: Home, postgres: PostgresProcess
) -> None:
    async with shared_home.database(EXTRACTION_MIGRATIONS, random=lambda: 0.0) as database:
        await insert(database, "1")
        for number in range(3):
            assert await postgres.cut(shared_home.schema()) >= 2
            await insert(database, f"again-{number}")
            assert await postgres.cut(shared_home.schema()) >= 1
            assert await count(database) == number + 2


async def test_a_connection_cut_in_the_middle_is_an_error_and_leaves_nothing(
    shared_home: Home, postgres: PostgresProcess
) -> None:
    async with shared_home.database(EXTRACTION_MIGRATIONS) as database:
        with pytest.raises(ConnectionLostError):
            async with database.transaction() as transaction:
                await transaction.execute(INSERT, {"id": "1"})
                await postgres.cut(shared_home.schema())
                await transaction.execute(INSERT, {"id": "2"})
        assert await count(database) == 0
        with pytest.raises(ConnectionLostError):
            async with database.transaction() as transaction:
                await transaction.execute(INSERT, {"id": "1"})
                await postgres.cut(shared_home.schema())
        assert await count(database) == 0
        with pytest.raises(ConnectionLostError):
            async with database.snapshot() as reading:
                await postgres.cut(shared_home.schema())
                await reading.execute(COUNT)


async def test_a_writer_that_stops_in_the_middle_is_ended_and_others_go_on(
    shared_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_IDLE_MS", 100)
    async with (
        shared_home.database(EXTRACTION_MIGRATIONS) as frozen,
        shared_home.database(EXTRACTION_MIGRATIONS) as other,
    ):
        with pytest.raises(ConnectionLostError):
            async with frozen.transaction() as transaction:
                await transaction.execute(INSERT, {"id": "1"})
                await insert(other, "2")  # waits until the server has ended the first
                await transaction.execute(INSERT, {"id": "3"})
        assert await count(other) == 1


async def test_a_deadlock_takes_one_change_back_and_run_makes_it_again(shared_home: Home) -> None:
    async with shared_home.database(EXTRACTION_MIGRATIONS) as database:
        async with database.transaction() as transaction:
            await transaction.execute(INSERT, [{"id": "a"}, {"id": "b"}])
        both_have_one = asyncio.Barrier(2)
        attempts: list[str] = []

        def change(first: str, second: str) -> Any:
            async def work(transaction: Transaction) -> None:
                attempts.append(first)
                await transaction.execute(ADD_FIELD, {"id": first})
                if attempts.count(first) == 1:
                    await both_have_one.wait()
                await transaction.execute(ADD_FIELD, {"id": second})

            return work

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(database.run(change("a", "b"), scope="one"))
            tasks.create_task(database.run(change("b", "a"), scope="two"))
        assert len(attempts) == 3
        assert database.statistics().conflicts == 1
        async with database.snapshot() as reading:
            found = await reading.execute(text("SELECT sum(field_count) FROM extraction_runs"))
            assert found.scalar_one() == 4


ADD_FIELD = text("UPDATE extraction_runs SET field_count = field_count + 1 WHERE id = :id")


async def test_scopes_write_beside_each_other_and_a_writer_of_everything_alone(shared_home: Home) -> None:
    order: list[str] = []
    async with (
        shared_home.database(EXTRACTION_MIGRATIONS) as one,
        shared_home.database(EXTRACTION_MIGRATIONS) as two,
    ):

        async def write_all() -> None:
            async with two.transaction():
                order.append("all")

        async with one.transaction("a"), two.transaction("b"), one.transaction("c"):
            writing = asyncio.create_task(write_all())
            await eventually(lambda: two.statistics().waiting == 1)
            order.append("scopes")
        await writing
    assert order == ["scopes", "all"]


async def test_without_a_free_connection_a_call_fails_after_its_time(shared_home: Home) -> None:
    limits = PoolLimits(size=1, wait_s=0.05)
    async with shared_home.database(EXTRACTION_MIGRATIONS, limits=limits) as database:
        async with database.snapshot():
            with pytest.raises(DomainError) as failed:
                await insert(database, "1")
            assert failed.value.reason is Reason.STORAGE_FAILED
        await insert(database, "2")
        assert database.statistics().connections == 1


async def test_what_a_server_quotes_reaches_no_error(shared_home: Home) -> None:
    async with shared_home.database(EXTRACTION_MIGRATIONS) as database:
        await insert(database, "SECRET-NAME")
        with pytest.raises(IntegrityError) as broken:
            await insert(database, "SECRET-NAME")
        assert "extraction_runs_pkey" in str(broken.value)
        with pytest.raises(DomainError) as failed:
            async with database.transaction() as transaction:
                await transaction.execute(text("SELECT CAST('SECRET-NAME' AS INTEGER)"))
        for error in (broken.value, failed.value):
            assert "SECRET-NAME" not in f"{error!r} {error} {error.__cause__}"
            assert error.__cause__ is not None or error.__suppress_context__


async def test_a_snapshot_refuses_changes(shared_home: Home) -> None:
    async with shared_home.database(EXTRACTION_MIGRATIONS) as database:
        with pytest.raises(DomainError):
            async with database.snapshot() as reading:
                await reading.execute(INSERT, {"id": "1"})
        assert await count(database) == 0


async def test_the_codes_of_a_full_disk_and_of_conflicts_are_told_apart(shared_home: Home) -> None:
    async with shared_home.database(EXTRACTION_MIGRATIONS) as database:
        for code, reason, kind in (
            ("53100", Reason.STORAGE_FULL, DomainError),
            ("40001", Reason.STORAGE_FAILED, ChangeConflictError),
            ("40P01", Reason.STORAGE_FAILED, ChangeConflictError),
            ("58030", Reason.STORAGE_FAILED, DomainError),
        ):
            with pytest.raises(DomainError) as failed:
                async with database.transaction() as transaction:
                    await transaction.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$"))
            assert failed.value.reason is reason
            assert type(failed.value) is kind


async def test_a_full_disk_keeps_nothing_of_the_change_and_all_goes_on_when_there_is_room(
    postgres_alone: PostgresProcess,
) -> None:
    def large(number: int) -> OutboxEvent:
        return replace(event(number), encoded=Random(number).randbytes(1 << 20))

    with SmallDisk(12) as disk:
        connection = await postgres_alone.connect()
        await connection.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
        await connection.execute("ALTER DATABASE postgres SET default_tablespace = 'small'")
        async with database_on(postgres_alone) as database:
            outbox = Outbox(database)
            with pytest.raises(DomainError) as full:
                for number in range(100):
                    await add(database, outbox, large(2 * number), large(2 * number + 1))
            assert full.value.reason is Reason.STORAGE_FULL
            assert full.value.retry_after_s
            rows = await outbox.read(limit=1000, max_bytes=1 << 30)
            assert [row.event for row in rows] == [large(number) for number in range(len(rows))]
            assert len(rows) in {2, 4, 6, 8, 10}
            disk.grow(64)
            await add(database, outbox, large(1000))
        await postgres_alone_stopped(postgres_alone, connection)


async def postgres_alone_stopped(server: PostgresProcess, connection: asyncpg.Connection) -> None:
    """Before its tablespace goes."""
    await connection.close()
    await asyncio.to_thread(server.stop)
