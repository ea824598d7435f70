"""Several processes on one PostgreSQL database: what one alone must do, one alone does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from eventually import eventually
from fakes.inference import TurnableClock
from fakes.postgres import Home, PostgresProcess
from fakes.storage import EXTRACTION_MIGRATIONS, FakeBus, add, event
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Database
from vidence_server.storage.outbox import Outbox
from vidence_server.storage.relay import Relay, RelaySettings

pytestmark = pytest.mark.requirement("R-OP6", "R-EV5")

TESTS = Path(__file__).parents[1]
QUICK = RelaySettings(batch_limit=5, first_delay_s=0.001, max_delay_s=0.002, last_s=0)


def opened(home: Home, **options: Any) -> Database:
    return home.database(EXTRACTION_MIGRATIONS, **options)


async def held_by(database: Database, name: str, order: list[str], who: str) -> None:
    async with database.exclusive(name) as lease:
        order.append(who)
        await lease.lost.wait()


async def test_a_lease_passes_on_when_it_is_given_back(shared_home: Home) -> None:
    order: list[str] = []
    async with opened(shared_home) as one, opened(shared_home) as two:

        async def wait() -> None:
            async with two.exclusive("work"):
                order.append("two")

        async with one.exclusive("work"), one.exclusive("other work"):
            waiting = asyncio.create_task(wait())
            async with two.exclusive("third work"):
                order.append("one")
        await waiting
    assert order == ["one", "two"]


async def test_a_lease_whose_connection_is_cut_is_lost_and_told_to_its_holder(
    shared_home: Home, postgres: PostgresProcess
) -> None:
    async with opened(shared_home) as one, opened(shared_home) as two, one.exclusive("work") as lease:
        lease.check()
        assert await postgres.cut(shared_home.schema()) >= 2
        await eventually(lease.lost.is_set)
        with pytest.raises(DomainError) as lost:
            lease.check()
        assert (lost.value.reason, lost.value.metadata) == (Reason.STORAGE_FAILED, {"lease": "work"})
        async with two.exclusive("work") as second:
            second.check()
        assert one.statistics().leases == 0


async def test_who_gives_up_waiting_for_a_lease_does_not_get_it(shared_home: Home) -> None:
    async with opened(shared_home) as one, opened(shared_home) as two:
        for seed in range(20):
            waiting = asyncio.create_task(held_by(two, "work", [], "two"))
            for _ in range(Random(seed).randrange(30)):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait({waiting})
        async with one.exclusive("work") as lease:
            lease.check()
        assert two.statistics().leases == 0


async def test_announcements_reach_other_processes_after_the_commit_only(shared_home: Home) -> None:
    heard: list[str] = []
    async with opened(shared_home) as one, opened(shared_home) as two:
        stop = two.listen("topic", lambda: heard.append("two"))
        one.listen("topic", lambda: heard.append("one"))
        with pytest.raises(ZeroDivisionError):
            async with one.transaction() as transaction:
                transaction.announce("topic")
                raise ZeroDivisionError
        two.listen("last", lambda: heard.append("last"))
        async with one.transaction() as transaction:
            transaction.announce("topic")
            transaction.announce("topic")
            assert heard == []
        async with one.transaction() as transaction:
            transaction.announce("last")
        await eventually(lambda: "last" in heard)
        stop()
        stop()
        async with one.transaction() as transaction:
            transaction.announce("topic")
            transaction.announce("last")
        await eventually(lambda: heard.count("last") == 2)
    assert heard == ["two", "last", "last"]


async def test_who_may_have_missed_announcements_is_told_so(
    shared_home: Home, postgres: PostgresProcess
) -> None:
    heard: list[str] = []
    async with opened(shared_home) as database:
        database.listen("topic", lambda: heard.append("look"))
        await postgres.cut(shared_home.schema())
        await eventually(lambda: heard == ["look"])


async def test_a_topic_is_short(shared_home: Home) -> None:
    async with opened(shared_home) as database, database.transaction() as transaction:
        with pytest.raises(ValueError, match=r"1,000"):
            transaction.announce("é" * 501)


async def test_an_instance_that_lost_its_connection_for_a_moment_is_not_gone(
    shared_home: Home, postgres: PostgresProcess
) -> None:
    async with opened(shared_home) as one, opened(shared_home, grace_s=0.5) as two:
        asking = asyncio.create_task(two.gone([one.instance]))
        await postgres.cut(shared_home.schema())
        try:
            assert await asking == set()
        except DomainError:  # the question itself was cut
            assert await two.gone([one.instance]) == set()


@asynccontextmanager
async def replica(home: Home, bus: FakeBus) -> AsyncIterator[tuple[Database, Outbox, Relay]]:
    async with opened(home) as database:
        outbox = Outbox(database)
        relay = Relay(outbox, bus, clock=TurnableClock(), random=lambda: 0.5, settings=QUICK)
        async with relay:
            yield database, outbox, relay


async def test_one_of_the_replicas_relays_and_the_next_one_takes_over(shared_home: Home) -> None:
    bus = FakeBus()
    async with AsyncExitStack() as first:
        one, outbox_one, relay_one = await first.enter_async_context(replica(shared_home, bus))
        await eventually(lambda: relay_one.statistics().leading)
        async with replica(shared_home, bus) as (two, outbox_two, relay_two):
            await add(two, outbox_two, event(1))
            await add(one, outbox_one, event(2))
            # Removed as well: one that is published only is published again, which the bus knows.
            await eventually(lambda: len(bus.log) == 2 and relay_one.statistics().waiting == 0)
            assert not relay_two.statistics().leading
            assert relay_two.statistics().waiting == 0
            await first.aclose()
            await eventually(lambda: relay_two.statistics().leading)
            await add(two, outbox_two, event(3))
            await eventually(lambda: len(bus.log) == 3)
    # Each was published by one replica only, however many at a time.
    assert [name for call in bus.calls for name in call] == ["event-1", "event-2", "event-3"]


@pytest.mark.parametrize("seed", range(3))
async def test_with_connections_cut_at_any_time_each_event_arrives_once_and_in_order(
    shared_home: Home, postgres: PostgresProcess, seed: int
) -> None:
    random = Random(seed)
    bus = FakeBus()
    added: list[str] = []

    async def write(database: Database, outbox: Outbox, numbers: range) -> None:
        for number in numbers:
            try:
                await add(database, outbox, event(number))
            except DomainError:
                continue  # not known whether it was kept
            added.append(f"event-{number}")

    async def cut() -> None:
        for _ in range(6):
            await asyncio.sleep(random.random() * 0.05)
            await postgres.cut(shared_home.schema())

    async with (
        replica(shared_home, bus) as (one, outbox_one, relay_one),
        replica(shared_home, bus) as (two, outbox_two, relay_two),
    ):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(write(one, outbox_one, range(100)))
            tasks.create_task(write(two, outbox_two, range(1000, 1100)))
            tasks.create_task(cut())
        await eventually(lambda: set(added) <= set(bus.ids))
        await eventually(lambda: relay_one.statistics().leading != relay_two.statistics().leading)
    assert len(set(bus.ids)) == len(bus.ids)
    for low, high in ((0, 100), (1000, 1100)):
        told = [int(name.removeprefix("event-")) for name in bus.ids]
        mine = [number for number in told if low <= number < high]
        assert mine == sorted(mine)


@pytest.mark.parametrize("scoped", [False, True])
async def test_kill_9_of_the_relaying_process_leaves_each_event_once_and_in_the_order_of_the_commits(
    shared_home: Home, postgres: PostgresProcess, tmp_path: Path, scoped: bool
) -> None:
    async with opened(shared_home) as database, database.transaction() as transaction:
        await transaction.execute(text("CREATE TABLE numbers (last BIGINT NOT NULL)"))
        await transaction.execute(text("INSERT INTO numbers VALUES (-1)"))
    bus = tmp_path / "bus"
    plan = {
        "url": postgres.url().render_as_string(),
        "schema": shared_home.schema(),
        "bus": str(bus),
        "count": 200,
        "scoped": scoped,
    }
    processes = [await started(plan) for _ in range(3)]
    try:
        first = processes[0]
        while (await line(first)).get("added", 0) < 50:
            pass
        os.kill(first.pid, signal.SIGKILL)
        for process in processes[1:]:
            while not (await line(process)).get("done"):
                pass
        async with opened(shared_home) as database:
            async with database.snapshot() as reading:
                last = int((await reading.execute(text("SELECT last FROM numbers"))).scalar_one())
            wanted = [f"event-{number}" for number in range(last + 1)]
            assert last >= 449
            await eventually(lambda: set(wanted) <= set(bus.read_text().split()))
        assert list(dict.fromkeys(bus.read_text().split())) == wanted
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def started(plan: dict[str, Any]) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fakes.replica",
        json.dumps(plan),
        stdout=asyncio.subprocess.PIPE,
        cwd=TESTS,
    )
    while not (await line(process)).get("ready"):
        pass
    return process


async def line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """The next thing that a replica tells."""
    assert process.stdout is not None
    told = await process.stdout.readline()
    assert told, "the replica ended"
    if not told.startswith(b"{"):
        return {}  # a line of its log
    found: dict[str, Any] = json.loads(told)
    return found
