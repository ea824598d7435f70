"""Logs of a service: in the transaction of the change, watched from memory or from the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from eventually import PATIENCE_S
from fakes.postgres import Home
from fakes.storage import EXTRACTION_MIGRATIONS
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.service_logs import LogName, Place, ServiceLogs
from vidence_server.storage.database import Database
from vidence_server.streams.cursor import Cursor
from vidence_server.streams.frames import Batch, End, EndReason, Frame, Gap, Opening
from vidence_server.streams.requests import (
    AfterCursor,
    Earliest,
    Latest,
    OnExpired,
    SinceTime,
    Start,
    SubscriptionRequest,
)
from vidence_server.streams.ring import RingLimits
from vidence_server.streams.subscription import Subscription

NAME = LogName("default", "batch/bat_1")
OTHER = LogName("default", "batch/bat_2")


@asynccontextmanager
async def logs_in(home: Home, *, ring: int = 8) -> AsyncIterator[tuple[Database, ServiceLogs]]:
    async with (
        home.database(EXTRACTION_MIGRATIONS) as database,
        ServiceLogs(database, clock=SystemClock(), ring=RingLimits(max_events=ring)) as logs,
    ):
        yield database, logs


def encode(place: Place) -> bytes:
    event = event_pb2.Event(source="s", type="t", id=str(place.sequence), sequence=place.sequence)
    event.emit_time.FromNanoseconds(place.time_ns)
    return event.SerializeToString()


async def append(
    database: Database, logs: ServiceLogs, count: int = 1, *, name: LogName = NAME, end: bool = False
) -> list[Place]:
    async with database.transaction() as transaction:
        return await logs.append(transaction, name, [encode] * count, end=end)


def asked(start: Start, *, on_expired: OnExpired = OnExpired.FAIL) -> SubscriptionRequest:
    return SubscriptionRequest(start, "con_1", 60.0, on_expired=on_expired)


async def frame(subscription: Subscription) -> Frame:
    async with asyncio.timeout(PATIENCE_S):
        return await subscription.next()


def sequences(batch: Frame) -> list[int]:
    assert isinstance(batch, Batch)
    return [event.sequence for event in pb.SubscribeResponse.FromString(batch.message).events]


async def read(subscription: Subscription, count: int) -> list[int]:
    """The next `count` events, in as many messages as they come in."""
    found: list[int] = []
    while len(found) < count:
        following = await frame(subscription)
        found += [] if isinstance(following, Opening) else sequences(following)
    return found


@pytest.mark.requirement("R-ST2", "R-ST3")
async def test_a_watcher_gets_what_is_kept_and_then_what_comes(home: Home) -> None:
    async with logs_in(home) as (database, logs):
        await append(database, logs, 3)
        source = logs.of(NAME)
        subscription = await source.subscribe(asked(Earliest()))
        assert await read(subscription, 3) == [1, 2, 3]
        await append(database, logs, 2)
        assert await read(subscription, 2) == [4, 5]
        source.close(subscription)
        assert logs.statistics().watched == 0


@pytest.mark.requirement("R-ST4")
async def test_a_place_survives_the_process(home: Home) -> None:
    async with logs_in(home) as (database, logs):
        await append(database, logs, 4)
        subscription = await logs.of(NAME).subscribe(asked(Earliest()))
        assert await read(subscription, 4) == [1, 2, 3, 4]
        cursor = subscription.cursor
        logs.of(NAME).close(subscription)
    async with logs_in(home) as (database, logs):
        await append(database, logs, 2)
        subscription = await logs.of(NAME).subscribe(asked(AfterCursor(Cursor.parse(cursor))))
        assert await read(subscription, 2) == [5, 6]


@pytest.mark.requirement("R-ST1")
async def test_a_change_that_is_rolled_back_has_no_entry_and_leaves_no_hole(home: Home) -> None:
    async with logs_in(home) as (database, logs):
        subscription = await logs.of(NAME).subscribe(asked(Earliest()))
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as transaction:
                await logs.append(transaction, NAME, [encode])
                raise ZeroDivisionError
        assert await append(database, logs) == [Place(1, (await _times(database, logs))[0])]
        assert await read(subscription, 1) == [1]


async def _times(database: Database, logs: ServiceLogs) -> Sequence[int]:
    subscription = await logs.of(NAME).subscribe(asked(Earliest()))
    assert isinstance(await frame(subscription), Opening)
    batch = await frame(subscription)
    logs.of(NAME).close(subscription)
    assert isinstance(batch, Batch)
    events = pb.SubscribeResponse.FromString(batch.message).events
    return [event.emit_time.ToNanoseconds() for event in events]


@pytest.mark.requirement("R-ST6")
async def test_a_watcher_behind_the_ring_is_served_from_the_database(home: Home) -> None:
    async with logs_in(home, ring=4) as (database, logs):
        subscription = await logs.of(NAME).subscribe(asked(Earliest()))
        for _ in range(10):
            await append(database, logs, 3)
        assert await read(subscription, 30) == list(range(1, 31))


@pytest.mark.requirement("R-ST8")
async def test_entries_of_one_log_never_reach_the_watchers_of_another(home: Home) -> None:
    async with logs_in(home) as (database, logs):
        mine = await logs.of(NAME).subscribe(asked(Earliest()))
        await append(database, logs, 5, name=OTHER)
        await append(database, logs, 1)
        assert await read(mine, 1) == [1]
        with pytest.raises(DomainError) as caught:
            await logs.of(OTHER).subscribe(asked(AfterCursor(Cursor.parse(mine.cursor))))
        assert caught.value.reason is Reason.CURSOR_FOREIGN


@pytest.mark.requirement("R-ST3")
async def test_a_log_that_ends_is_told_to_its_end_to_early_and_late_watchers(home: Home) -> None:
    async with logs_in(home) as (database, logs):
        early = await logs.of(NAME).subscribe(asked(Earliest()))
        await append(database, logs, 2)
        await append(database, logs, 1, end=True)
        late = await logs.of(NAME).subscribe(asked(Earliest()))
        for subscription in (early, late):
            assert await read(subscription, 3) == [1, 2, 3]
            assert await frame(subscription) == End(subscription.cursor, EndReason.ENDED)
        with pytest.raises(RuntimeError):
            await append(database, logs)
    async with logs_in(home) as (_, logs):
        again = await logs.of(NAME).subscribe(asked(Earliest()))
        assert await read(again, 3) == [1, 2, 3]
        assert isinstance(await frame(again), End)


@pytest.mark.requirement("R-ST4")
async def test_a_cursor_whose_entries_expired_is_refused_or_told_as_a_gap(home: Home) -> None:
    async with logs_in(home) as (database, logs):
        subscription = await logs.of(NAME).subscribe(asked(Earliest()))
        old = subscription.cursor
        logs.of(NAME).close(subscription)
        [*_, last] = await append(database, logs, 3)
        async with database.transaction() as transaction:
            await logs.expire(transaction, NAME, last.time_ns + 1)
        await append(database, logs, 2)
        start = AfterCursor(Cursor.parse(old))
        with pytest.raises(DomainError) as caught:
            await logs.of(NAME).subscribe(asked(start))
        assert caught.value.reason is Reason.CURSOR_EXPIRED
        lenient = await logs.of(NAME).subscribe(asked(start, on_expired=OnExpired.GAP))
        assert isinstance(await frame(lenient), Opening)
        gap = await frame(lenient)
        assert isinstance(gap, Gap)
        assert gap.missed_count == 3
        assert await read(lenient, 2) == [4, 5]


@pytest.mark.requirement("R-ST4")
async def test_a_watch_since_a_time_starts_at_its_first_entry(home: Home) -> None:
    async with logs_in(home) as (database, logs):
        await append(database, logs, 2)
        [third] = await append(database, logs)
        if (await _times(database, logs))[1] == third.time_ns:
            pytest.fail("the clock did not move between two transactions")
        subscription = await logs.of(NAME).subscribe(asked(SinceTime(third.time_ns)))
        assert await read(subscription, 1) == [3]
        later = await logs.of(NAME).subscribe(asked(SinceTime(third.time_ns + 1)))
        await append(database, logs)
        assert await read(later, 1) == [4]


@pytest.mark.requirement("R-ST1")
async def test_what_another_process_appends_is_told_when_it_is_noticed(home: Home) -> None:
    async with logs_in(home) as (database, logs), ServiceLogs(database, clock=SystemClock()) as elsewhere:
        subscription = await logs.of(NAME).subscribe(asked(Latest()))
        assert isinstance(await frame(subscription), Opening)
        await append(database, elsewhere, 3)
        # Out of turn for this process: it reads what it has not seen first.
        await append(database, logs, 2)
        assert await read(subscription, 5) == [1, 2, 3, 4, 5]
        await append(database, elsewhere, 1, end=True)
        logs.notice(NAME)
        assert await read(subscription, 1) == [6]
        assert isinstance(await frame(subscription), End)


@pytest.mark.requirement("R-ST1", "R-OP6")
async def test_a_watcher_of_one_replica_is_woken_by_another(shared_home: Home) -> None:
    async with logs_in(shared_home) as (database, logs), logs_in(shared_home) as (other_database, others):
        subscription = await logs.of(NAME).subscribe(asked(Latest()))
        assert isinstance(await frame(subscription), Opening)
        for _ in range(5):
            await append(other_database, others, 2)
            await append(database, logs, 1)
        await append(other_database, others, 1, end=True)
        assert await read(subscription, 16) == list(range(1, 17))
        assert isinstance(await frame(subscription), End)
        doomed = await others.of(OTHER).subscribe(asked(Latest()))
        assert isinstance(await frame(doomed), Opening)
        async with database.transaction() as transaction:
            await logs.delete(transaction, OTHER)
        assert isinstance(await frame(doomed), End)


@pytest.mark.requirement("R-ST1", "R-OP6")
async def test_replicas_that_append_at_once_leave_one_order_without_holes(shared_home: Home) -> None:
    async with logs_in(shared_home, ring=64) as (database, logs), logs_in(shared_home) as (second, others):
        subscription = await logs.of(NAME).subscribe(asked(Earliest()))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(10):
                tasks.create_task(append(database, logs, 2))
                tasks.create_task(append(second, others, 2))
        assert await read(subscription, 40) == list(range(1, 41))


@pytest.mark.requirement("R-ST4")
async def test_a_log_that_was_deleted_ends_its_watchers_and_begins_with_a_new_epoch(home: Home) -> None:
    async with logs_in(home) as (database, logs):
        await append(database, logs, 2)
        subscription = await logs.of(NAME).subscribe(asked(Earliest()))
        assert await read(subscription, 2) == [1, 2]
        cursor = Cursor.parse(subscription.cursor)
        async with database.transaction() as transaction:
            await logs.delete(transaction, NAME)
        assert isinstance(await frame(subscription), End)
        logs.of(NAME).close(subscription)
        await append(database, logs)
        with pytest.raises(DomainError) as caught:
            await logs.of(NAME).subscribe(asked(AfterCursor(cursor)))
        assert caught.value.reason is Reason.CURSOR_EXPIRED


@pytest.mark.requirement("R-ST1")
async def test_writers_at_once_leave_one_order_without_holes(home: Home) -> None:
    async with logs_in(home, ring=64) as (database, logs):
        subscription = await logs.of(NAME).subscribe(asked(Earliest()))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(append(database, logs, 2))
        assert await read(subscription, 40) == list(range(1, 41))
