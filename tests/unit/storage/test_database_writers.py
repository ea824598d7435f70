"""Several writers at once: scopes, leases, changes that are cancelled or tried again."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fakes.postgres import Home
from fakes.run_rows import COUNT, INSERT, count
from fakes.storage import EXTRACTION_MIGRATIONS
from vidence_server.core.errors import Reason
from vidence_server.storage.database import Database, Transaction
from vidence_server.storage.failures import ChangeConflictError


async def test_a_statement_that_failed_cannot_be_passed_over(home: Home) -> None:
    called: list[str] = []
    async with home.database(EXTRACTION_MIGRATIONS) as database:
        with pytest.raises(RuntimeError, match="nothing of it can be kept"):
            async with database.transaction() as transaction:
                transaction.after_commit(lambda: called.append("committed"))
                await transaction.execute(INSERT, {"id": "1"})
                with suppress(IntegrityError):
                    await transaction.execute(INSERT, {"id": "1"})
        assert await count(database) == 0
        assert called == []


async def test_a_nested_part_may_fail_alone(home: Home) -> None:
    async with home.database(EXTRACTION_MIGRATIONS) as database:
        async with database.transaction() as transaction:
            await transaction.execute(INSERT, {"id": "1"})
            with suppress(IntegrityError):
                async with transaction.nested():
                    await transaction.execute(INSERT, {"id": "2"})
                    await transaction.execute(INSERT, {"id": "1"})
            async with transaction.nested():
                await transaction.execute(INSERT, {"id": "3"})
        async with database.snapshot() as reading:
            found = await reading.execute(text("SELECT id FROM extraction_runs ORDER BY id"))
            assert found.scalars().all() == ["1", "3"]


async def test_a_change_whose_task_is_cancelled_in_the_middle_is_forgotten(home: Home) -> None:
    changed = asyncio.Event()
    async with home.database(EXTRACTION_MIGRATIONS) as database:

        async def write() -> None:
            async with database.transaction() as transaction:
                await transaction.execute(INSERT, {"id": "1"})
                changed.set()
                await asyncio.Event().wait()

        writing = asyncio.create_task(write())
        await changed.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await count(database) == 0
        async with database.transaction() as transaction:
            await transaction.execute(INSERT, {"id": "1"})
        assert await count(database) == 1


@pytest.mark.parametrize("scope", [None, "counter"])
async def test_writers_of_one_scope_read_what_the_one_before_wrote(home: Home, scope: str | None) -> None:
    async with home.database(EXTRACTION_MIGRATIONS) as one:
        others = [one, await one_more(home, one)]

        async def count_up(database: Database) -> None:
            async with database.transaction(scope) as transaction:
                last = (await transaction.execute(COUNT)).scalar_one()
                await asyncio.sleep(0)
                await transaction.execute(INSERT, {"id": str(last)})

        async with asyncio.TaskGroup() as tasks:
            for number in range(20):
                tasks.create_task(count_up(others[number % 2]))
        assert await count(one) == 20
        if others[1] is not one:
            await others[1].__aexit__(None, None, None)


async def one_more(home: Home, first: Database) -> Database:
    """A second process on the same data, where there can be one."""
    return await home.database(EXTRACTION_MIGRATIONS).__aenter__() if home.shared else first


async def test_a_write_is_tried_again_where_another_change_came_first(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0
    async with home.database(EXTRACTION_MIGRATIONS) as database:

        async def work(transaction: Transaction) -> int:
            nonlocal attempts
            attempts += 1
            await transaction.execute(INSERT, {"id": str(attempts)})
            if attempts < 3:
                raise ChangeConflictError(Reason.STORAGE_FAILED, "Another change came first.")
            return attempts

        assert await database.run(work) == 3
        assert await count(database) == 1
        assert (database.statistics().conflicts, database.statistics().committed) == (2, 1)
        attempts = -10
        with pytest.raises(ChangeConflictError):
            await database.run(work)
        assert attempts == -4


async def test_one_at_a_time_has_a_lease(home: Home) -> None:
    order: list[str] = []
    async with home.database(EXTRACTION_MIGRATIONS) as database:

        async def hold(name: str) -> None:
            async with database.exclusive("work") as lease:
                lease.check()
                order.append(f"{name} has it")
                await asyncio.sleep(0)
                order.append(f"{name} gives it back")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hold("a"))
            tasks.create_task(hold("b"))
            async with database.exclusive("other work"):
                assert database.statistics().leases >= 1
        assert database.statistics().leases == 0
    assert order in (
        ["a has it", "a gives it back", "b has it", "b gives it back"],
        ["b has it", "b gives it back", "a has it", "a gives it back"],
    )


async def test_an_instance_is_gone_when_its_database_is_closed(home: Home) -> None:
    async with home.database(EXTRACTION_MIGRATIONS) as first:
        pass
    async with home.database(EXTRACTION_MIGRATIONS) as second:
        assert first.instance != second.instance
        assert await second.gone([first.instance, second.instance]) == {first.instance}
        assert await second.gone([second.instance]) == set()


async def test_statistics_tell_who_uses_connections(home: Home) -> None:
    async with home.database(EXTRACTION_MIGRATIONS) as database:
        async with database.snapshot(), database.transaction():
            statistics = database.statistics()
            assert (statistics.in_use, statistics.connected, statistics.lost) == (2, True, 0)
        assert database.statistics().in_use == 0
        assert database.statistics().committed == 1
