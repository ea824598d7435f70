"""A broadcast and its subscribers: start, replay into live, filters, gaps, overflow, ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fakes.streams import FakeLog, Parity, Seen, broadcast_of, cursor_at, quiet, read_until, request
from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.broadcast import Broadcast
from vidence_server.streams.cursor import Cursor
from vidence_server.streams.entry import GapReason, Hole
from vidence_server.streams.frames import Batch, Beat, End, EndReason, Gap, Opening
from vidence_server.streams.requests import (
    AfterCursor,
    Earliest,
    OnExpired,
    SinceTime,
    Start,
)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
async def broadcast(log: FakeLog) -> AsyncIterator[Broadcast]:
    async with broadcast_of(log) as made:
        yield made


@pytest.mark.requirement("R-ST3")
async def test_what_is_published_once_the_opening_came_is_delivered(
    log: FakeLog, broadcast: Broadcast
) -> None:
    broadcast.extend(log.append(3))
    subscription = await broadcast.subscribe(request())
    seen = Seen()
    seen.take(await subscription.next())
    assert seen.frames == [Opening(str(cursor_at(3)))]
    broadcast.extend(log.append(2))
    await read_until(subscription, seen, lambda s: len(s.offsets) >= 2)
    assert seen.offsets == [4, 5]


@pytest.mark.requirement("R-ST4")
@pytest.mark.parametrize("after", range(21))
@pytest.mark.parametrize("wanted", [None, Parity(0), Parity(3, 7)])
async def test_resuming_after_any_place_gives_the_rest_from_log_and_ring(
    log: FakeLog, broadcast: Broadcast, after: int, wanted: Parity | None
) -> None:
    broadcast.extend(log.append(20))  # the ring holds the last 8 of them
    start = AfterCursor(cursor_at(after))
    subscription = await broadcast.subscribe(request(start, filter=wanted))
    expected = [n for n in range(after + 1, 23) if wanted is None or wanted.matches(n)]
    seen = Seen()
    seen.take(await subscription.next())
    broadcast.extend(log.append(2))
    if expected:
        await read_until(subscription, seen, lambda s: len(s.offsets) >= len(expected))
    assert await quiet(subscription)
    assert seen.offsets == expected
    assert not seen.of(Gap)


@pytest.mark.parametrize(
    ("start", "first"), [(Earliest(), 1), (SinceTime(5), 5), (SinceTime(0), 1), (SinceTime(20), 20)]
)
async def test_starts_by_position_and_time(
    log: FakeLog, broadcast: Broadcast, start: Start, first: int
) -> None:
    broadcast.extend(log.append(20))
    subscription = await broadcast.subscribe(request(start))
    seen = await read_until(subscription, Seen(), lambda s: len(s.offsets) >= 21 - first)
    assert seen.offsets == list(range(first, 21))


@pytest.mark.requirement("R-ST4")
@pytest.mark.parametrize("start", [AfterCursor(cursor_at(3)), SinceTime(2)])
async def test_a_start_that_expired_fails_with_the_usable_cursors(
    log: FakeLog, broadcast: Broadcast, start: Start
) -> None:
    broadcast.extend(log.append(20))
    log.forget(6)
    with pytest.raises(DomainError) as caught:
        await broadcast.subscribe(request(start))
    assert caught.value.reason is Reason.CURSOR_EXPIRED
    assert caught.value.metadata == {
        "oldest_cursor": str(cursor_at(6)),
        "newest_cursor": str(cursor_at(20)),
    }


@pytest.mark.requirement("R-ST4")
async def test_a_start_that_expired_is_told_as_a_gap_where_that_is_asked_for(
    log: FakeLog, broadcast: Broadcast
) -> None:
    broadcast.extend(log.append(20))
    log.forget(6)
    asked = request(AfterCursor(cursor_at(3)), on_expired=OnExpired.GAP)
    subscription = await broadcast.subscribe(asked)
    seen = await read_until(subscription, Seen(), lambda s: len(s.offsets) >= 14)
    assert seen.offsets == list(range(7, 21))
    assert seen.of(Gap) == [Gap(str(cursor_at(6)), str(cursor_at(3)), GapReason.EXPIRED, 3)]
    assert broadcast.statistics().dropped == {"EXPIRED": 3}
    assert broadcast.subscribers()[0].dropped == 3


@pytest.mark.requirement("R-ST4")
@pytest.mark.parametrize("cursor", [cursor_at(2, epoch=0xC), cursor_at(99)])
async def test_a_cursor_of_another_life_of_the_log_is_a_gap_or_an_error(
    log: FakeLog, broadcast: Broadcast, cursor: Cursor
) -> None:
    broadcast.extend(log.append(3))
    with pytest.raises(DomainError) as caught:
        await broadcast.subscribe(request(AfterCursor(cursor)))
    assert caught.value.reason is Reason.CURSOR_EXPIRED
    subscription = await broadcast.subscribe(request(AfterCursor(cursor), on_expired=OnExpired.GAP))
    seen = await read_until(subscription, Seen(), lambda s: len(s.offsets) >= 3)
    assert seen.of(Gap) == [Gap(str(cursor_at(0)), str(cursor), GapReason.EPOCH, None)]


@pytest.mark.requirement("R-ST8")
async def test_a_cursor_of_another_log_is_refused(log: FakeLog, broadcast: Broadcast) -> None:
    with pytest.raises(DomainError) as caught:
        await broadcast.subscribe(request(AfterCursor(Cursor(0xF, log.epoch, 0))))
    assert caught.value.reason is Reason.CURSOR_FOREIGN


@pytest.mark.requirement("R-EV3")
async def test_a_hole_in_the_log_is_told_to_those_who_follow_live_and_who_come_later(
    log: FakeLog, broadcast: Broadcast
) -> None:
    live = await broadcast.subscribe(request())
    seen = Seen()
    broadcast.extend(log.append(3))
    await read_until(live, seen, lambda s: len(s.offsets) >= 3)
    following = asyncio.create_task(live.next())
    await asyncio.sleep(0)
    hole = Hole(3, 1000, GapReason.UNCLEAN_STOP, None)
    broadcast.extend(log.skip(hole))
    broadcast.extend(log.append(2))
    seen.take(await following)
    await read_until(live, seen, lambda s: len(s.offsets) >= 5)
    late = await broadcast.subscribe(request(Earliest()))
    seen_late = await read_until(late, Seen(), lambda s: len(s.offsets) >= 5)
    inside = await broadcast.subscribe(request(AfterCursor(cursor_at(500))))
    seen_inside = await read_until(inside, Seen(), lambda s: len(s.offsets) >= 2)
    for got in (seen, seen_late):
        assert got.offsets == [1, 2, 3, 1001, 1002]
        assert got.of(Gap) == [Gap(str(cursor_at(1000)), str(cursor_at(3)), GapReason.UNCLEAN_STOP, None)]
    assert seen_inside.of(Gap) == [
        Gap(str(cursor_at(1000)), str(cursor_at(500)), GapReason.UNCLEAN_STOP, None)
    ]


@pytest.mark.requirement("R-ST5")
async def test_a_filter_does_not_starve_the_heartbeat_and_its_cursor_moves_on(
    log: FakeLog, broadcast: Broadcast
) -> None:
    asked = request(filter=Parity(0, 1000), heartbeat_period_s=0.05)
    subscription = await broadcast.subscribe(asked)
    seen = Seen()
    seen.take(await subscription.next())
    for count in (3, 4):
        following = asyncio.create_task(subscription.next())
        await asyncio.sleep(0)
        broadcast.extend(log.append(count))
        seen.take(await asyncio.wait_for(following, 5))
    beats = [frame.cursor for frame in seen.frames if isinstance(frame, Beat)]
    assert beats == [str(cursor_at(3)), str(cursor_at(7))]
    resumed = await broadcast.subscribe(request(AfterCursor(Cursor.parse(beats[-1]))))
    broadcast.extend(log.append(1))
    got = await read_until(resumed, Seen(), lambda s: bool(s.offsets))
    assert got.offsets == [8]


async def test_draining_ends_everybody_with_a_cursor_and_lets_nobody_in(
    log: FakeLog, broadcast: Broadcast
) -> None:
    waiting = await broadcast.subscribe(request())
    await waiting.next()
    following = asyncio.create_task(waiting.next())
    await asyncio.sleep(0)
    behind = await broadcast.subscribe(request())
    await behind.next()
    broadcast.extend(log.append(1))
    assert isinstance(await following, Batch)
    broadcast.end(EndReason.DRAINING)
    assert await waiting.next() == End(str(cursor_at(1)), EndReason.DRAINING)
    assert await behind.next() == End(str(cursor_at(0)), EndReason.DRAINING)
    with pytest.raises(DomainError) as caught:
        await broadcast.subscribe(request())
    assert caught.value.reason is Reason.DRAINING


@pytest.mark.requirement("R-ST3")
async def test_what_is_over_is_told_after_everything_else(log: FakeLog, broadcast: Broadcast) -> None:
    broadcast.extend(log.append(20))
    subscription = await broadcast.subscribe(request(Earliest(), filter=Parity(0)))
    broadcast.end(EndReason.ENDED)
    seen = await read_until(subscription, Seen(), lambda s: bool(s.of(End)))
    assert seen.offsets == list(range(2, 21, 2))


@pytest.mark.requirement("R-ST11")
async def test_statistics_count_what_happened(log: FakeLog) -> None:
    async with broadcast_of(log, stale_after_s=0.0) as broadcast:
        first = await broadcast.subscribe(request())
        second = await broadcast.subscribe(request(filter=Parity(0)))
        for subscription in (first, second):
            await subscription.next()
        broadcast.extend(log.append(4))
        for subscription in (first, second):
            await read_until(subscription, Seen(cursor=str(cursor_at(0))), lambda s: bool(s.offsets))
            assert await quiet(subscription)
        numbers = broadcast.statistics()
        assert (numbers.subscribers, numbers.subscriptions, numbers.filters) == (2, 2, 2)
        assert (numbers.broadcast, numbers.delivered, numbers.ring_events) == (4, 6, 4)
        broadcast.extend(log.append(3))
        assert [snapshot.lag for snapshot in broadcast.subscribers()] == [3, 3]
        await first.next()  # handed out and never taken
        broadcast.close(first)
        broadcast.close(first)
        broadcast.close(second)
        numbers = broadcast.statistics()
        assert (numbers.subscribers, numbers.filters, numbers.delivered) == (0, 0, 6)
        assert numbers.stale_removed == 1


@pytest.mark.requirement("R-ST7")
async def test_subscribers_that_come_and_go_leave_nothing_behind(log: FakeLog, broadcast: Broadcast) -> None:
    for number in range(300):
        subscription = await broadcast.subscribe(request(filter=Parity(0, 1 + number % 7)))
        await subscription.next()
        following = asyncio.create_task(subscription.next())
        await asyncio.sleep(0)
        following.cancel()
        await asyncio.wait({following})
        broadcast.close(subscription)
    assert broadcast.statistics().filters == 0
    broadcast.extend(log.append(1))
    assert broadcast.subscribers() == []


@pytest.mark.requirement("R-ST1")
@pytest.mark.parametrize("period_s", [30.0, 0.005])
async def test_a_waking_that_is_put_off_reaches_those_who_wait_though_others_looked_before(
    log: FakeLog, broadcast: Broadcast, period_s: float
) -> None:
    """Whoever is not waiting looks at new events by itself; that must not hide them from those who wait."""
    subscriptions = [await broadcast.subscribe(request(heartbeat_period_s=period_s)) for _ in range(3)]
    seen = [Seen() for _ in subscriptions]
    for subscription, got in zip(subscriptions, seen, strict=True):
        got.take(await subscription.next())

    def enough_and_busy(got: Seen) -> bool:
        until_s = asyncio.get_running_loop().time() + 0.003
        while asyncio.get_running_loop().time() < until_s:
            pass  # so that the next waking is put off
        return len(got.offsets) >= 60

    waiting = asyncio.create_task(read_until(subscriptions[0], seen[0], enough_and_busy))
    for _ in range(60):
        broadcast.extend(log.append(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await read_until(subscriptions[1], seen[1], lambda s: s.offsets[-1:] == [log.newest])
    await waiting
    await read_until(subscriptions[2], seen[2], lambda s: len(s.offsets) >= 60)
    for got in seen:
        assert got.offsets == list(range(1, 61))


async def test_how_much_a_start_by_time_missed_is_not_claimed(log: FakeLog, broadcast: Broadcast) -> None:
    """Some of what expired was older than the time that was asked for."""
    broadcast.extend(log.append(20))
    log.forget(6)
    asked = request(SinceTime(5), on_expired=OnExpired.GAP)
    subscription = await broadcast.subscribe(asked)
    seen = await read_until(subscription, Seen(), lambda s: len(s.offsets) >= 14)
    assert [gap.missed_count for gap in seen.of(Gap) if isinstance(gap, Gap)] == [None]
