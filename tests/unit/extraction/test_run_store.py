"""Run records in their table, and their events in the outbox: together or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from protovalidate import validate
from sqlalchemy import select
from structlog.testing import capture_logs

from eventually import eventually
from fakes.inference import TurnableClock
from fakes.postgres import Home
from fakes.storage import FakeBus, outbox_in
from vidence.event.v1 import event_pb2
from vidence.extraction.v1 import extraction_events_pb2
from vidence_server.core.errors import DomainError, Reason
from vidence_server.extraction.app import open_records
from vidence_server.extraction.convert import to_outbox_event
from vidence_server.extraction.domain.runs import EndedRun, RunState, StartedRun
from vidence_server.extraction.run_table import RUNS
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.extraction.store import RunStore, RunStoreSettings
from vidence_server.storage.database import Database
from vidence_server.storage.location import StateLocation
from vidence_server.storage.outbox import Outbox, OutboxEvent

QUICK = RunStoreSettings(retry_delay_s=0.001)


def started(number: int, clock: TurnableClock, document_type: str = "") -> StartedRun:
    return StartedRun("default", f"ext_{number}", document_type, clock.now())


def ended(
    run: StartedRun,
    clock: TurnableClock,
    state: RunState = RunState.COMPLETED,
    reason: Reason | None = None,
    fields: tuple[int, int] = (0, 0),
) -> EndedRun:
    return EndedRun(run, state, "passport", clock.now(), 1.5, *fields, reason=reason)


@asynccontextmanager
async def storing(
    home: Home, clock: TurnableClock, settings: RunStoreSettings = QUICK
) -> AsyncIterator[tuple[RunStore, Database, Outbox]]:
    async with (
        outbox_in(home) as (database, outbox),
        RunStore(database, outbox, to_outbox_event, clock=clock, settings=settings) as store,
    ):
        yield store, database, outbox


async def rows(database: Database) -> dict[str, dict[str, Any]]:
    async with database.snapshot() as reading:
        found = await reading.execute(select(RUNS))
        return {row.id: dict(row._mapping) for row in found}


async def events(outbox: Outbox) -> list[OutboxEvent]:
    return [row.event for row in await outbox.read(limit=10_000, max_bytes=1 << 30)]


def decoded(told: OutboxEvent) -> event_pb2.Event:
    return event_pb2.Event.FromString(told.encoded)


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


async def written(store: RunStore) -> None:
    await eventually(lambda: store.statistics().waiting == 0)


@pytest.mark.requirement("R-EX9", "R-EV5")
async def test_a_completed_run_has_its_record_and_its_event(home: Home, clock: TurnableClock) -> None:
    async with storing(home, clock) as (store, database, outbox):
        run = started(1, clock)
        store.started(run)
        await written(store)
        assert (await rows(database))["ext_1"]["state"] == "STARTED"
        assert await events(outbox) == []
        clock.advance(2)
        store.ended(ended(run, clock, fields=(12, 2)))
        await written(store)
        assert await rows(database) == {
            "ext_1": {
                "id": "ext_1",
                "tenant": "default",
                "document_type": "passport",
                "state": "COMPLETED",
                "start_time": run.start_time,
                "end_time": clock.now(),
                "total_ms": 1500,
                "field_count": 12,
                "invalid_field_count": 2,
                "reason": "",
                "instance": database.instance,
            }
        }
        [told] = await events(outbox)
        assert (told.source, told.type) == ("vidence/extraction", "document.extracted")
        assert (told.event_id, told.subject) == ("ext_1/extracted", "extractions/ext_1")
        assert store.statistics().written == 1


@pytest.mark.requirement("R-EX9", "R-EV5")
def test_the_event_of_a_completed_run_holds_counts_and_times_only(clock: TurnableClock) -> None:
    event = decoded(to_outbox_event(ended(started(1, clock), clock, fields=(12, 2))))
    validate(event)
    payload = extraction_events_pb2.DocumentExtracted()
    assert event.data.Unpack(payload)
    validate(payload)
    assert (payload.extraction_id, payload.document_type) == ("ext_1", "passport")
    assert (payload.field_count, payload.invalid_field_count) == (12, 2)
    assert payload.total_duration.ToMilliseconds() == 1500
    assert event.occurrence_time.ToDatetime(UTC) == clock.now()
    assert dict(event.attributes) == {"document_type": "passport"}


@pytest.mark.requirement("R-EX9", "R-EV5")
@pytest.mark.parametrize(
    ("state", "reason", "severity"),
    [
        (RunState.FAILED, Reason.QUEUE_FULL, event_pb2.SEVERITY_WARNING),
        (RunState.CANCELLED, Reason.CANCELLED, event_pb2.SEVERITY_INFO),
    ],
)
def test_the_event_of_a_run_that_did_not_complete_says_why(
    clock: TurnableClock, state: RunState, reason: Reason, severity: event_pb2.Severity.ValueType
) -> None:
    told = to_outbox_event(ended(started(1, clock), clock, state, reason))
    event = decoded(told)
    validate(event)
    payload = extraction_events_pb2.ExtractionAborted()
    assert event.data.Unpack(payload)
    validate(payload)
    assert (told.type, told.event_id) == ("extraction.failed", "ext_1/failed")
    assert (payload.reason, event.severity) == (str(reason), severity)


async def test_a_short_run_needs_one_record_only(home: Home, clock: TurnableClock) -> None:
    async with storing(home, clock) as (store, database, outbox):
        for number in range(600):
            run = started(number, clock)
            store.started(run)
            if number % 3:
                store.ended(ended(run, clock))
        await written(store)
        states = [row["state"] for row in (await rows(database)).values()]
        assert (states.count("STARTED"), states.count("COMPLETED")) == (200, 400)
        assert len({told.event_id for told in await events(outbox)}) == len(await events(outbox)) == 400
        assert store.statistics().open == 200


async def test_an_end_told_while_its_start_is_written_is_not_lost(
    home: Home, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with storing(home, clock) as (store, database, outbox):
        run = started(1, clock)
        add = outbox.add

        async def add_late(*arguments: Any) -> None:
            monkeypatch.undo()
            store.ended(ended(run, clock))
            await add(*arguments)

        monkeypatch.setattr(outbox, "add", add_late)
        store.started(run)
        await written(store)
        assert (await rows(database))["ext_1"]["state"] == "COMPLETED"
        assert [told.event_id for told in await events(outbox)] == ["ext_1/extracted"]


async def test_the_end_of_the_service_writes_what_was_told(home: Home, clock: TurnableClock) -> None:
    async with storing(home, clock) as (store, _, _):
        for number in range(1000):
            store.started(started(number, clock))
            store.ended(ended(started(number, clock), clock))
    async with outbox_in(home) as (database, outbox):
        assert len(await rows(database)) == len(await events(outbox)) == 1000


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
        ("FAILED", "INTERNAL", 30_000)
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


async def test_old_records_are_removed(home: Home, clock: TurnableClock) -> None:
    settings = RunStoreSettings(retention=timedelta(days=1), purge_period_s=0.001)
    async with storing(home, clock, settings) as (store, database, _):
        for number in range(600):
            store.started(started(number, clock))
            store.ended(ended(started(number, clock), clock))
        await written(store)
        clock.advance(23 * 3600)
        store.started(started(1000, clock))
        await written(store)
        assert len(await rows(database)) == 601
        clock.advance(2 * 3600)
        async with asyncio.timeout(20):
            while set(await rows(database)) != {"ext_1000"}:  # asking the database lets the purge run
                pass


@pytest.mark.requirement("R-EV5")
async def test_records_and_relay_work_together_and_never_block_the_loop(
    tmp_path: Path, clock: TurnableClock
) -> None:
    bus = FakeBus()
    with blockbuster_ctx("vidence_server"):
        async with open_records(
            ExtractionSettings(), StateLocation(tmp_path / "data"), bus, clock=clock, random=lambda: 0.5
        ) as records:
            run = started(1, clock)
            records.store.started(run)
            records.store.ended(ended(run, clock))
    assert bus.ids == ["ext_1/extracted"]
    assert records.relay.statistics().waiting == 0
