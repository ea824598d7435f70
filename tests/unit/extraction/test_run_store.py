"""Run records in their table, and their events in the outbox: together or not at all."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from protovalidate import validate

from fakes.inference import TurnableClock
from fakes.postgres import Home
from fakes.runs import ended, events, rows, started, storing, written
from fakes.storage import FakeBus, outbox_in
from never_blocking import never_blocking
from vidence.event.v1 import event_pb2
from vidence.extraction.v1 import extraction_events_pb2
from vidence_server.core.errors import Reason
from vidence_server.extraction.app import open_records
from vidence_server.extraction.convert import to_outbox_event
from vidence_server.extraction.domain.runs import RunState
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.extraction.store import RunStoreSettings
from vidence_server.storage.location import StateLocation
from vidence_server.storage.outbox import OutboxEvent


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


def decoded(told: OutboxEvent) -> event_pb2.Event:
    return event_pb2.Event.FromString(told.encoded)


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
        async with asyncio.timeout(60):
            while set(await rows(database)) != {"ext_1000"}:  # asking the database lets the purge run
                pass


@pytest.mark.requirement("R-EV5")
async def test_records_and_relay_work_together_and_never_block_the_loop(
    tmp_path: Path, clock: TurnableClock
) -> None:
    bus = FakeBus()
    with never_blocking():
        async with open_records(
            ExtractionSettings(), StateLocation(tmp_path / "data"), bus, clock=clock, random=lambda: 0.5
        ) as records:
            run = started(1, clock)
            records.store.started(run)
            records.store.ended(ended(run, clock))
    assert bus.ids == ["ext_1/extracted"]
    assert records.relay.statistics().waiting == 0
