"""Subscribers that read more slowly than events come: parked, disconnected, or holding others back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fakes.streams import FakeLog, Parity, Seen, broadcast_of, cursor_at, quiet, read_until, request
from vidence_server.streams.broadcast import Broadcast
from vidence_server.streams.cursor import Cursor
from vidence_server.streams.entry import GapReason
from vidence_server.streams.frames import Batch, Beat, End, EndReason, Gap, Opening
from vidence_server.streams.requests import (
    Earliest,
    OnOverflow,
)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
async def broadcast(log: FakeLog) -> AsyncIterator[Broadcast]:
    async with broadcast_of(log) as made:
        yield made


@pytest.mark.requirement("R-ST6")
@pytest.mark.parametrize("wanted", [None, Parity(1)])
async def test_a_parked_subscriber_goes_on_where_it_stopped(
    log: FakeLog, broadcast: Broadcast, wanted: Parity | None
) -> None:
    subscription = await broadcast.subscribe(request(filter=wanted))
    seen = Seen()
    seen.take(await subscription.next())
    for _ in range(50):
        broadcast.extend(log.append(10))
    expected = [n for n in range(1, 501) if wanted is None or wanted.matches(n)]
    assert subscription.lag == 500
    await read_until(subscription, seen, lambda s: len(s.offsets) >= len(expected))
    assert seen.offsets == expected
    assert await quiet(subscription)
    assert subscription.lag == 0 or not subscription.waiting


@pytest.mark.requirement("R-ST6")
async def test_what_retention_took_from_a_parked_subscriber_is_told(
    log: FakeLog, broadcast: Broadcast
) -> None:
    subscription = await broadcast.subscribe(request())
    seen = Seen()
    seen.take(await subscription.next())
    broadcast.extend(log.append(100))
    log.forget(40)
    await read_until(subscription, seen, lambda s: len(s.offsets) >= 60)
    assert seen.of(Gap) == [Gap(str(cursor_at(40)), str(cursor_at(0)), GapReason.EXPIRED, 40)]
    assert seen.offsets == list(range(41, 101))


@pytest.mark.requirement("R-ST6", "R-OP5")
@pytest.mark.parametrize("wanted", [None, Parity(1)])
async def test_what_is_forgotten_is_told_to_nobody_and_missed_by_those_who_are_behind(
    log: FakeLog, wanted: Parity | None
) -> None:
    async with broadcast_of(log, ring=100) as broadcast:
        behind, level = [await broadcast.subscribe(request(filter=wanted)) for _ in range(2)]
        told = Seen()
        broadcast.extend(log.append(10))
        await read_until(level, told, lambda seen: bool(seen.offsets) and seen.offsets[-1] >= 9)
        log.forget(10)
        broadcast.forget()
        broadcast.extend(log.append(5))
        late = await broadcast.subscribe(request(Earliest(), filter=wanted))
        new = [number for number in range(11, 16) if wanted is None or wanted.matches(number)]
        seen = await read_until(behind, Seen(), lambda seen: seen.offsets == new)
        assert seen.of(Gap) == [Gap(str(cursor_at(10)), str(cursor_at(0)), GapReason.EXPIRED, 10)]
        await read_until(level, told, lambda seen: seen.offsets[-len(new) :] == new)
        assert told.of(Gap) == []
        await read_until(late, Seen(), lambda seen: seen.offsets == new)


@pytest.mark.requirement("R-ST6")
async def test_retention_that_overtakes_a_reading_is_told_too(log: FakeLog, broadcast: Broadcast) -> None:
    broadcast.extend(log.append(300))
    subscription = await broadcast.subscribe(request(Earliest()))
    log.before_read = lambda: log.forget(50)
    seen = await read_until(subscription, Seen(), lambda s: bool(s.offsets) and s.offsets[-1] == 300)
    assert seen.offsets == list(range(51, 301))
    assert [gap.missed_count for gap in seen.of(Gap) if isinstance(gap, Gap)] == [50]


@pytest.mark.requirement("R-ST6")
async def test_an_impatient_subscriber_that_is_outrun_at_once_is_ended(
    log: FakeLog, broadcast: Broadcast
) -> None:
    subscription = await broadcast.subscribe(request(on_overflow=OnOverflow.DISCONNECT))
    assert isinstance(await subscription.next(), Opening)
    # Its transport still writes the opening.
    broadcast.extend(log.append(20))
    assert broadcast.statistics().too_slow == 1


@pytest.mark.requirement("R-ST6")
async def test_an_impatient_subscriber_is_ended_when_it_falls_behind(
    log: FakeLog, broadcast: Broadcast
) -> None:
    subscription = await broadcast.subscribe(request(on_overflow=OnOverflow.DISCONNECT))
    seen = Seen()
    broadcast.extend(log.append(2))
    await read_until(subscription, seen, lambda s: len(s.offsets) == 2)
    broadcast.extend(log.append(8))
    assert broadcast.statistics().too_slow == 0
    broadcast.extend(log.append(1))
    assert broadcast.statistics().too_slow == 1
    seen.take(await subscription.next())
    assert seen.frames[-1] == End(str(cursor_at(2)), EndReason.TOO_SLOW)


async def test_an_impatient_subscriber_may_begin_behind_the_ring(log: FakeLog, broadcast: Broadcast) -> None:
    broadcast.extend(log.append(300))
    asked = request(Earliest(), on_overflow=OnOverflow.DISCONNECT)
    subscription = await broadcast.subscribe(asked)
    seen = Seen()
    seen.take(await subscription.next())
    broadcast.extend(log.append(1))
    await read_until(subscription, seen, lambda s: len(s.offsets) >= 301)
    assert seen.offsets == list(range(1, 302))


@pytest.mark.requirement("R-ST6")
async def test_a_waiting_subscriber_is_not_slow_however_much_its_filter_hides(
    log: FakeLog, broadcast: Broadcast
) -> None:
    asked = request(filter=Parity(0, 1000), on_overflow=OnOverflow.DISCONNECT)
    subscription = await broadcast.subscribe(asked)
    seen = Seen()
    seen.take(await subscription.next())
    following = asyncio.create_task(subscription.next())
    await asyncio.sleep(0)
    for _ in range(999):
        broadcast.extend(log.append(1))
    assert not following.done()
    broadcast.extend(log.append(1))
    seen.take(await following)
    assert seen.offsets == [1000]
    assert log.reads == 0


@pytest.mark.requirement("R-ST6")
async def test_a_blocking_subscriber_holds_its_publisher_back_until_it_reads(
    log: FakeLog, broadcast: Broadcast
) -> None:
    subscription = await broadcast.subscribe(request(on_overflow=OnOverflow.BLOCK))
    seen = Seen()
    seen.take(await subscription.next())
    for _ in range(8):
        await broadcast.wait_for_room()
        broadcast.extend(log.append(1))
    blocked = asyncio.create_task(broadcast.wait_for_room())
    await asyncio.sleep(0)
    assert not blocked.done()
    await read_until(subscription, seen, lambda s: len(s.offsets) >= 8)
    reading = asyncio.create_task(subscription.next())
    await asyncio.wait_for(blocked, 5)
    broadcast.extend(log.append(1))
    seen.take(await reading)
    assert seen.offsets == list(range(1, 10))
    assert log.reads == 0


async def test_a_blocking_subscriber_that_leaves_lets_its_publisher_go(
    log: FakeLog, broadcast: Broadcast
) -> None:
    subscription = await broadcast.subscribe(request(on_overflow=OnOverflow.BLOCK))
    await subscription.next()
    broadcast.extend(log.append(8))
    blocked = asyncio.create_task(broadcast.wait_for_room())
    await asyncio.sleep(0)
    broadcast.close(subscription)
    await asyncio.wait_for(blocked, 5)


@pytest.mark.requirement("R-ST5")
async def test_a_long_replay_that_finds_nothing_still_sends_heartbeats(
    log: FakeLog, broadcast: Broadcast
) -> None:
    broadcast.extend(log.append(3000))
    asked = request(Earliest(), filter=Parity(5000, 10_000), heartbeat_period_s=1e-6)
    subscription = await broadcast.subscribe(asked)
    seen = await read_until(subscription, Seen(), lambda s: len(s.of(Beat)) >= 5)
    cursors = [Cursor.parse(frame.cursor).offset for frame in seen.frames if isinstance(frame, Beat)]
    assert cursors == sorted(cursors)
    assert cursors[0] < 3000


@pytest.mark.requirement("R-ST6")
async def test_readers_at_the_same_place_share_one_reading_and_one_that_leaves_hurts_nobody(
    log: FakeLog, broadcast: Broadcast
) -> None:
    broadcast.extend(log.append(90))
    subscriptions = [await broadcast.subscribe(request(Earliest())) for _ in range(20)]
    for subscription in subscriptions:
        await subscription.next()
    tasks = [asyncio.create_task(subscription.next()) for subscription in subscriptions]
    await asyncio.sleep(0)
    tasks[0].cancel()
    frames = await asyncio.gather(*tasks[1:])
    assert {frame.until for frame in frames if isinstance(frame, Batch)} == {90}
    assert len(frames) == 19
    assert log.reads == 1


async def test_a_replay_that_finds_nothing_lets_the_loop_go_on(log: FakeLog, broadcast: Broadcast) -> None:
    broadcast.extend(log.append(3000))
    nothing = Parity(5000, 10_000)
    for _ in range(2):  # the second one finds every page in memory
        subscription = await broadcast.subscribe(request(Earliest(), filter=nothing))
        await subscription.next()
        following = asyncio.create_task(subscription.next())
        steps = 0
        while not subscription.waiting:
            await asyncio.sleep(0)
            steps += 1
        following.cancel()
        await asyncio.wait({following})
        assert steps > 3000 // 100
