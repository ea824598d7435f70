"""What every queue must do, whatever engine is behind it: the conformance suite of the port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from fakes.postgres import Home
from vidence_server.batch.app import MIGRATIONS
from vidence_server.batch.domain.work import LeaseRef
from vidence_server.batch.queue.port import Held, QueuedWork, WorkQueue
from vidence_server.batch.queue.sql_queue import SqlQueue
from vidence_server.storage.database import Transaction

pytestmark = pytest.mark.requirement("R-BA5")

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
READ = "read_document"


@dataclass
class Bench:
    """A queue and what its changes are made in."""

    queue: WorkQueue
    transaction: Callable[[], AbstractAsyncContextManager[Transaction]]

    async def put(
        self, *items: str, tenant: str = "default", owner: str = "bat_1", now: datetime = NOW
    ) -> None:
        async with self.transaction() as change:
            work = [QueuedWork(item, tenant, owner, READ) for item in items]
            await self.queue.put(change, work, now=now)

    async def lease(
        self, count: int = 1, *, worker: str = "wrk_1", now: datetime = NOW, operation: str = READ
    ) -> list[Held]:
        async with self.transaction() as change:
            return await self.queue.lease(
                change,
                worker_id=worker,
                operations=[operation],
                count=count,
                now=now,
                until=now + timedelta(seconds=30),
            )

    async def names(self, count: int) -> list[str]:
        return [held.ref.item_id for held in await self.lease(count)]


@pytest.fixture
async def bench(home: Home) -> AsyncIterator[Bench]:
    async with home.database(MIGRATIONS, "batch") as database:
        yield Bench(SqlQueue(), database.transaction)


async def test_items_are_leased_in_their_order_and_once(bench: Bench) -> None:
    await bench.put("a", "b", "c")
    assert await bench.names(2) == ["a", "b"]
    assert await bench.names(2) == ["c"]
    assert await bench.names(2) == []


async def test_a_worker_gets_only_what_it_can_do(bench: Bench) -> None:
    await bench.put("a")
    assert await bench.lease(operation="fold_paper") == []
    assert len(await bench.lease()) == 1


async def test_owners_of_a_tenant_take_turns_also_with_one_that_comes_later(bench: Bench) -> None:
    await bench.put(*(f"a{n}" for n in range(4)), owner="bat_1")
    assert await bench.names(2) == ["a0", "a1"]
    await bench.put(*(f"b{n}" for n in range(4)), owner="bat_2")
    assert await bench.names(4) == ["a2", "b0", "a3", "b1"]


@pytest.mark.requirement("R-BA4")
async def test_tenants_take_turns_however_much_one_of_them_has(bench: Bench) -> None:
    await bench.put(*(f"a{n}" for n in range(100)), tenant="large", owner="bat_1")
    await bench.put("b0", "b1", tenant="small", owner="bat_2")
    names = [(await bench.names(1))[0] for _ in range(4)]
    assert [name for name in names if name.startswith("b")] == ["b0", "b1"]


async def test_every_lease_has_a_higher_token_and_fences_off_the_one_before(bench: Bench) -> None:
    await bench.put("a")
    (first,) = await bench.lease()
    async with bench.transaction() as change:
        assert await bench.queue.give_back(change, first.ref, available=NOW, counts=True)
    (second,) = await bench.lease(worker="wrk_2")
    assert second.ref.token > first.ref.token
    async with bench.transaction() as change:
        assert await bench.queue.holds(change, first.ref) is None
        assert not await bench.queue.give_back(change, first.ref, available=NOW, counts=True)
        assert await bench.queue.extend(change, [first.ref, second.ref], until=NOW) == [first.ref]
        assert await bench.queue.holds(change, second.ref) == second


async def test_nobody_holds_an_item_that_waits(bench: Bench) -> None:
    await bench.put("a")
    async with bench.transaction() as change:
        assert await bench.queue.holds(change, LeaseRef("a", 0)) is None


@pytest.mark.parametrize(("counts", "attempt"), [(True, 2), (False, 1)])
async def test_an_attempt_counts_unless_the_item_comes_back_untouched(
    bench: Bench, counts: bool, attempt: int
) -> None:
    await bench.put("a")
    (held,) = await bench.lease()
    assert held.attempt == 1
    async with bench.transaction() as change:
        await bench.queue.give_back(change, held.ref, available=NOW, counts=counts)
    (again,) = await bench.lease()
    assert again.attempt == attempt


async def test_an_item_that_was_put_off_waits_for_its_time(bench: Bench) -> None:
    await bench.put("a")
    (held,) = await bench.lease()
    later = NOW + timedelta(seconds=5)
    async with bench.transaction() as change:
        await bench.queue.give_back(change, held.ref, available=later, counts=True)
        assert await bench.queue.next_available(change, [READ]) == later
    assert await bench.lease() == []
    assert len(await bench.lease(now=later)) == 1


async def test_leases_that_ran_out_are_found_until_they_are_prolonged(bench: Bench) -> None:
    await bench.put("a", "b")
    stuck, alive = await bench.lease(2)
    late = NOW + timedelta(seconds=31)
    async with bench.transaction() as change:
        await bench.queue.extend(change, [alive.ref], until=late + timedelta(seconds=30))
        assert await bench.queue.expired(change, now=late, limit=10) == [stuck]


async def test_what_was_removed_is_with_nobody(bench: Bench) -> None:
    await bench.put("a", "b", "c")
    (held,) = await bench.lease()
    async with bench.transaction() as change:
        await bench.queue.remove(change, ["a", "b"])
        assert await bench.queue.holds(change, held.ref) is None
    assert await bench.names(3) == ["c"]
    async with bench.transaction() as change:
        await bench.queue.remove_owner(change, "bat_1")
        assert await bench.queue.held_by(change, "wrk_", limit=10) == []


async def test_a_worker_s_items_are_found_by_its_name(bench: Bench) -> None:
    await bench.put("a", "b")
    (mine,) = await bench.lease(worker="wrk_local_1")
    await bench.lease(worker="wrk_2")
    async with bench.transaction() as change:
        assert await bench.queue.held_by(change, "wrk_local_", limit=10) == [mine]


async def test_what_was_rolled_back_did_not_happen(bench: Bench) -> None:
    with pytest.raises(ZeroDivisionError):
        async with bench.transaction() as change:
            await bench.queue.put(change, [QueuedWork("a", "default", "bat_1", READ)], now=NOW)
            raise ZeroDivisionError
    assert await bench.lease() == []


async def test_the_numbers_are_those_of_one_tenant(bench: Bench) -> None:
    await bench.put("a", "b", "c", now=NOW - timedelta(seconds=9))
    await bench.put("d", tenant="other", owner="bat_2")
    (first, _) = await bench.lease(2)
    async with bench.transaction() as change:
        await bench.queue.give_back(change, first.ref, available=NOW + timedelta(hours=1), counts=True)
        numbers = await bench.queue.numbers(change, "default", now=NOW)
    assert (numbers.waiting, numbers.delayed, numbers.leased) in {(1, 1, 1), (2, 1, 0)}
    assert numbers.oldest_available == NOW - timedelta(seconds=9)
