"""Events in the transaction of their change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fakes.postgres import Home
from fakes.storage import NOW, add, event, outbox_in
from vidence_server.core.errors import Reason
from vidence_server.storage.outbox import Outbox


async def ids(outbox: Outbox, *, limit: int = 100, max_bytes: int = 1 << 20) -> list[str]:
    return [row.event.event_id for row in await outbox.read(limit=limit, max_bytes=max_bytes)]


@pytest.mark.requirement("R-EV5")
async def test_a_committed_change_has_its_event_once(home: Home) -> None:
    async with outbox_in(home) as (database, outbox):
        await add(database, outbox, event(1))
        [row] = await outbox.read(limit=100, max_bytes=1000)
        assert row.event == event(1)
        assert outbox.waiting == 1
        assert outbox.oldest == NOW


@pytest.mark.requirement("R-EV5")
async def test_a_change_that_is_rolled_back_has_no_event(home: Home) -> None:
    async with outbox_in(home) as (database, outbox):
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as transaction:
                await outbox.add(transaction, event(1))
                raise ZeroDivisionError
        assert await ids(outbox) == []
        assert outbox.waiting == 0
        assert outbox.oldest is None


@pytest.mark.requirement("R-EV6")
async def test_events_wait_for_the_next_process_in_their_order(home: Home) -> None:
    async with outbox_in(home) as (database, outbox):
        await add(database, outbox, event(1), event(2))
        await add(database, outbox, event(3))
    async with outbox_in(home) as (_, outbox):
        await outbox.open()
        assert (outbox.waiting, outbox.oldest) == (3, NOW)
        assert await ids(outbox) == ["event-1", "event-2", "event-3"]


async def test_positions_are_never_given_twice(home: Home) -> None:
    async with outbox_in(home) as (database, outbox):
        await add(database, outbox, event(1))
        [first] = await outbox.read(limit=1, max_bytes=100)
        await outbox.remove([first])
    async with outbox_in(home) as (database, outbox):
        await add(database, outbox, event(2))
        [second] = await outbox.read(limit=1, max_bytes=100)
        assert second.position > first.position


async def test_a_batch_is_bounded_by_count_and_by_bytes_but_never_empty(home: Home) -> None:
    async with outbox_in(home) as (database, outbox):
        await add(database, outbox, *(event(number, size=100) for number in range(5)))
        assert await ids(outbox, limit=2) == ["event-0", "event-1"]
        assert await ids(outbox, max_bytes=300) == ["event-0", "event-1", "event-2"]
        assert await ids(outbox, max_bytes=1) == ["event-0"]


async def test_a_refused_event_is_kept_apart_with_its_reason(home: Home) -> None:
    async with outbox_in(home) as (database, outbox):
        await add(database, outbox, event(1), event(2))
        first, _ = await outbox.read(limit=2, max_bytes=100)
        await outbox.set_aside(first, Reason.EVENT_TOO_LARGE)
        assert await ids(outbox) == ["event-2"]
        assert await outbox.refused() == [("vidence/test event-1", "EVENT_TOO_LARGE")]
        async with database.transaction() as transaction:
            await outbox.forget_refused(transaction, NOW)
        assert len(await outbox.refused()) == 1
        async with database.transaction() as transaction:
            await outbox.forget_refused(transaction, NOW.replace(year=2027))
        assert await outbox.refused() == []


async def test_an_event_added_while_the_outbox_is_counted_waits(
    shared_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with outbox_in(shared_home) as (database, outbox):
        snapshot = database.snapshot

        class Crossing:
            """Is slow to tell what it has counted."""

            def __init__(self, reading: Any) -> None:
                self._reading = reading

            async def execute(self, statement: Any) -> Any:
                found = await self._reading.execute(statement)
                await add(database, outbox, event(1))
                return found

        @asynccontextmanager
        async def crossed() -> AsyncIterator[Crossing]:
            async with snapshot() as reading:
                yield Crossing(reading)

        monkeypatch.setattr(database, "snapshot", crossed)
        async with outbox.leading():
            assert outbox.waiting == 1
