"""Appearances in their table and events in the outbox: together, once, whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from protovalidate import validate
from sqlalchemy import select

from eventually import PATIENCE_S, eventually
from fakes.inference import TurnableClock
from fakes.postgres import Home
from fakes.storage import FakeBus
from never_blocking import never_blocking
from vidence.event.v1 import event_pb2
from vidence.monitor.v1 import monitor_events_pb2
from vidence_server.core.errors import DomainError, Reason
from vidence_server.monitor import convert
from vidence_server.monitor.app import MIGRATIONS
from vidence_server.monitor.domain.appearances import (
    LeaveReason,
    PersonAppeared,
    PersonChange,
    PersonIdentified,
    PersonLeft,
    Sight,
    Snapshot,
)
from vidence_server.monitor.store import AppearanceJournal, JournalSettings
from vidence_server.monitor.table import APPEARANCES
from vidence_server.storage.database import Database
from vidence_server.storage.outbox import Outbox, OutboxEvent
from vidence_server.storage.relay import Relay
from vidence_server.vision.faces.face import Box

QUICK = JournalSettings(retry_delay_s=0.001, seen_period_s=0.005)
SIGHT = Sight(Box(10, -5, 60, 60), 0.9, 640, 480)


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


def appeared(number: int, clock: TurnableClock, snapshot: Snapshot | None = None) -> PersonAppeared:
    return PersonAppeared(f"apr_{number}", "door", clock.now(), clock.now(), 1.5, SIGHT, snapshot)


def identified(number: int, clock: TurnableClock) -> PersonIdentified:
    return PersonIdentified(
        f"apr_{number}", "door", clock.now(), None, "Ada Example", 0.8, 0.4, "face-embedder@1"
    )


def left(
    number: int, clock: TurnableClock, reason: LeaveReason = LeaveReason.LEFT, ago_s: float = 0.0
) -> PersonLeft:
    seen = clock.now() - timedelta(seconds=ago_s)
    return PersonLeft(f"apr_{number}", "door", clock.now(), 2.0, reason, seen, seen)


@asynccontextmanager
async def keeping(
    home: Home, clock: TurnableClock, settings: JournalSettings = QUICK
) -> AsyncIterator[tuple[AppearanceJournal, Database, Outbox]]:
    async with home.database(MIGRATIONS) as database:
        outbox = Outbox(database)
        async with AppearanceJournal(
            database, outbox, convert.to_outbox_event, clock=clock, settings=settings
        ) as journal:
            yield journal, database, outbox


async def rows(database: Database) -> dict[str, Any]:
    async with database.snapshot() as reading:
        return {row.id: row for row in await reading.execute(select(APPEARANCES))}


async def events(outbox: Outbox) -> list[OutboxEvent]:
    return [row.event for row in await outbox.read(limit=10_000, max_bytes=1 << 30)]


async def written(journal: AppearanceJournal) -> None:
    await eventually(lambda: journal.statistics().waiting == 0)


@pytest.mark.requirement("R-CA9", "R-EV5")
async def test_an_appearance_has_its_record_and_its_three_events(home: Home, clock: TurnableClock) -> None:
    async with keeping(home, clock) as (journal, database, outbox):
        for change in (appeared(1, clock), identified(1, clock), left(1, clock)):
            journal.record(change)
        await written(journal)
        told = await events(outbox)
        assert [one.event_id for one in told] == ["apr_1/appeared", "apr_1/identified", "apr_1/left"]
        assert [one.type for one in told] == ["person.appeared", "person.identified", "person.left"]
        assert {one.subject for one in told} == {"monitors/door/appearances/apr_1"}
        assert (await rows(database))["apr_1"].reason == "LEFT"


@pytest.mark.requirement("R-CA9", "R-EV5")
def test_events_are_valid_and_only_one_of_them_names_somebody(clock: TurnableClock) -> None:
    snapshot = Snapshot("img_1", "0" * 64, 120, 80, clock.now())
    changes: list[PersonChange] = [appeared(1, clock, snapshot), appeared(2, clock), identified(1, clock)]
    changes += [left(1, clock, reason) for reason in LeaveReason]
    for change in changes:
        kept = convert.to_outbox_event(change, tenant="acme")
        assert kept.tenant == "acme"
        event = event_pb2.Event.FromString(kept.encoded)
        validate(event)
        payload = {
            "person.appeared": monitor_events_pb2.PersonAppeared,
            "person.identified": monitor_events_pb2.PersonIdentified,
            "person.left": monitor_events_pb2.PersonLeft,
        }[event.type]()
        assert event.data.Unpack(payload)
        validate(payload)
        assert event.occurrence_time.ToDatetime(UTC) == clock.now()
        assert (b"Ada" in event.SerializeToString()) == isinstance(change, PersonIdentified)
        assert "Ada" not in str(dict(event.attributes)) + event.subject + event.id
    assert '"snapshot": {"id": "img_1"' in convert.to_json(changes[0])


@pytest.mark.requirement("R-CA9")
async def test_who_a_dead_monitor_left_open_is_ended_once_as_interrupted(
    home: Home, clock: TurnableClock
) -> None:
    async with home.database(MIGRATIONS) as database:
        outbox = Outbox(database)
        dying = AppearanceJournal(database, outbox, convert.to_outbox_event, clock=clock, settings=QUICK)
        await dying.__aenter__()
        dying.record(appeared(1, clock))
        dying.record(appeared(2, clock))
        dying.record(left(2, clock))
        await written(dying)
        seen = clock.now() + timedelta(seconds=7)
        dying.seen("apr_1", seen)
        await until(database, lambda found: found["apr_1"].last_seen_time == seen)
        for task in dying._tasks:
            task.cancel()  # as kill -9: nothing is told any more
        await asyncio.wait(dying._tasks)
        clock.advance(60)
        for expected in (1, 0):
            async with AppearanceJournal(
                database, outbox, convert.to_outbox_event, clock=clock, settings=QUICK
            ) as journal:
                assert journal.statistics().interrupted == expected
        told = await events(outbox)
        assert [one.event_id for one in told] == [
            "apr_1/appeared",
            "apr_2/appeared",
            "apr_2/left",
            "apr_1/left",
        ]
        event, payload = event_pb2.Event.FromString(told[-1].encoded), monitor_events_pb2.PersonLeft()
        assert event.data.Unpack(payload)
        assert payload.reason == monitor_events_pb2.LEAVE_REASON_INTERRUPTED
        assert payload.last_seen_time.ToDatetime(UTC) == seen


async def until(database: Database, condition: Callable[[dict[str, Any]], bool]) -> None:
    """Waits for what the table shows."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition(await rows(database)):  # asking the database lets the others run
            pass


@pytest.mark.requirement("R-CA9", "R-EV6")
async def test_changes_wait_for_a_failing_disk(
    home: Home, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keeping(home, clock) as (journal, database, outbox):

        async def failing(*_arguments: Any) -> None:
            raise DomainError(Reason.STORAGE_FULL, "full")

        monkeypatch.setattr(outbox, "add", failing)
        journal.record(appeared(1, clock))
        journal.record(left(1, clock))
        await eventually(lambda: journal.statistics().failures >= 3)
        assert await rows(database) == {}
        monkeypatch.undo()
        await written(journal)
        assert [one.event_id for one in await events(outbox)] == ["apr_1/appeared", "apr_1/left"]


@pytest.mark.requirement("R-CA9")
async def test_a_full_queue_drops_whole_appearances(
    home: Home, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keeping(home, clock, replace(QUICK, queue_limit=2)) as (journal, _, outbox):

        async def failing(*_arguments: Any) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(outbox, "add", failing)
        for number in range(4):
            journal.record(appeared(number, clock))
            journal.record(identified(number, clock))
            journal.seen(f"apr_{number}", clock.now())
        for number in range(4):
            journal.record(left(number, clock))
        assert (journal.statistics().waiting, journal.statistics().dropped) == (3, 3)
        monkeypatch.undo()
        await written(journal)
        assert {one.subject for one in await events(outbox)} == {"monitors/door/appearances/apr_0"}


@pytest.mark.requirement("R-CA9")
async def test_a_write_that_came_through_although_it_seemed_to_fail_tells_nothing_twice(
    home: Home, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keeping(home, clock) as (journal, _, outbox):
        monkeypatch.setattr(journal, "_kept", lambda _count: monkeypatch.undo())
        journal.record(appeared(1, clock))
        journal.record(left(1, clock))
        await written(journal)
        assert [one.event_id for one in await events(outbox)] == ["apr_1/appeared", "apr_1/left"]


@pytest.mark.requirement("R-CA9")
async def test_old_records_are_removed_and_open_ones_stay(home: Home, clock: TurnableClock) -> None:
    settings = replace(QUICK, retention=timedelta(days=1), purge_period_s=0.001)
    async with keeping(home, clock, settings) as (journal, database, _):
        journal.record(appeared(1, clock))
        journal.record(appeared(2, clock))
        journal.record(left(1, clock))
        await written(journal)
        clock.advance(25 * 3600)
        await until(database, lambda found: set(found) == {"apr_2"})


@pytest.mark.requirement("R-CA9", "R-EV6")
async def test_events_of_a_time_without_a_bus_follow_in_order_and_nothing_blocks_the_loop(
    tmp_path: Path, clock: TurnableClock
) -> None:
    bus = FakeBus(away=True)
    with never_blocking():
        async with (
            keeping(Home(tmp_path), clock) as (journal, _, outbox),
            Relay(outbox, bus, clock=clock, random=lambda: 0.01) as relay,
        ):
            journal.record(appeared(1, clock))
            await eventually(lambda: relay.statistics().failures > 1)
            journal.record(left(1, clock))
            bus.away = False
            await eventually(lambda: len(bus.ids) == 2)
    assert bus.ids == ["apr_1/appeared", "apr_1/left"]
