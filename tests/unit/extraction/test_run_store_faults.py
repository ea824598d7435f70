"""Run records while the disk fails, is full, or a process dies."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from eventually import eventually
from fakes.inference import TurnableClock
from fakes.postgres import Home
from fakes.runs import ended, events, rows, started, storing, written
from vidence_server.core.errors import DomainError, Reason
from vidence_server.extraction.store import RunStoreSettings


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


@pytest.mark.requirement("R-EV5", "R-EV6")
async def test_runs_of_a_dead_process_fail_at_the_next_start_and_are_told_once(
    home: Home, clock: TurnableClock
) -> None:
    async with storing(home, clock) as (store, _, _):
        for number in range(300):
            store.started(started(number, clock, "visa"))
        done = started(1000, clock)
        store.started(done)
        store.ended(ended(done, clock))
    clock.advance(30)
    with capture_logs() as logs:
        async with storing(home, clock):
            # Where processes share the database, who is dead shows after a while only.
            await eventually(lambda: any(entry["event"] == "readings were interrupted" for entry in logs))
        async with storing(home, clock) as (_, database, outbox):
            found, told = await rows(database), await events(outbox)
    assert found.pop("ext_1000")["state"] == "COMPLETED"
    assert {(row["state"], row["reason"], row["total_ms"]) for row in found.values()} == {
        ("FAILED", "SERVER_LOST", 30_000)
    }
    failed = [event.event_id for event in told if event.type == "extraction.failed"]
    assert sorted(failed) == sorted(f"ext_{number}/failed" for number in range(300))
    assert [entry["count"] for entry in logs if entry["event"] == "readings were interrupted"] == [300]


@pytest.mark.requirement("R-EV6", "R-OP6")
async def test_runs_of_a_replica_that_lives_are_left_to_it(shared_home: Home, clock: TurnableClock) -> None:
    settings = RunStoreSettings(retry_delay_s=0.001, interrupted_period_s=0.001)
    async with storing(shared_home, clock, settings) as (mine, database, outbox):
        run = started(1, clock)
        mine.started(run)
        await written(mine)
        with capture_logs() as logs:
            async with storing(shared_home, clock, settings) as (dead, _, _):
                dead.started(started(2, clock))
                await written(dead)
            await eventually(lambda: any(entry["event"] == "readings were interrupted" for entry in logs))
        assert {key: row["state"] for key, row in (await rows(database)).items()} == {
            "ext_1": "STARTED",
            "ext_2": "FAILED",
        }
        mine.ended(ended(run, clock))
        await written(mine)
        assert [told.event_id for told in await events(outbox)] == ["ext_2/failed", "ext_1/extracted"]


@pytest.mark.requirement("R-EV6")
async def test_readings_go_on_while_the_disk_fails_and_the_records_follow(
    home: Home, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with storing(home, clock) as (store, database, outbox):

        async def failing(*_arguments: Any) -> None:
            raise DomainError(Reason.STORAGE_FULL, "full")

        monkeypatch.setattr(outbox, "add", failing)
        run = started(1, clock)
        store.started(run)
        store.ended(ended(run, clock))
        await eventually(lambda: store.statistics().failures >= 3)
        assert await rows(database) == {}
        monkeypatch.undo()
        await written(store)
        assert (await rows(database))["ext_1"]["state"] == "COMPLETED"
        assert len(await events(outbox)) == 1


async def test_what_a_broken_disk_never_took_is_said_at_the_end(
    home: Home, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = RunStoreSettings(retry_delay_s=0.001, flush_s=0.01)

    async def failing(*_arguments: Any) -> None:
        raise ZeroDivisionError("SECRET-NAME")

    with capture_logs() as logs:
        async with storing(home, clock, settings) as (store, _, outbox):
            monkeypatch.setattr(outbox, "add", failing)
            store.started(started(1, clock))
            await eventually(lambda: store.statistics().failures > 0)
    assert [entry["waiting"] for entry in logs if entry["event"] == "run records are lost"] == [1]
    assert {entry["log_level"] for entry in logs} == {"error"}


async def test_a_full_queue_drops_whole_runs_and_counts_them(
    home: Home, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = RunStoreSettings(queue_limit=3, retry_delay_s=0.001)
    async with storing(home, clock, settings) as (store, database, outbox):

        async def failing(*_arguments: Any) -> None:
            raise DomainError(Reason.STORAGE_FAILED, "away")

        monkeypatch.setattr(outbox, "add", failing)
        runs = [started(number, clock) for number in range(10)]
        for run in runs:
            store.started(run)
        for run in runs:
            store.ended(ended(run, clock))
        statistics = store.statistics()
        assert (statistics.waiting, statistics.dropped, statistics.open) == (6, 7, 0)
        monkeypatch.undo()
        await written(store)
        assert set(await rows(database)) == {"ext_0", "ext_1", "ext_2"}
        assert len(await events(outbox)) == 3


async def test_a_write_that_came_through_although_it_seemed_to_fail_may_be_repeated(
    home: Home, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with storing(home, clock) as (store, database, _):
        kept = store._kept
        monkeypatch.setattr(store, "_kept", lambda *_: monkeypatch.undo())
        store.started(started(1, clock))
        await written(store)
        assert len(await rows(database)) == 1
        assert store._kept == kept
