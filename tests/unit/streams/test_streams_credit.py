"""Subscribers that say how much they can take."""

from __future__ import annotations

import asyncio

import pytest

from fakes.streams import FakeLog, Parity, Seen, broadcast_of, quiet, read_until, request
from vidence_server.streams.frames import Batch, Beat, End, EndReason
from vidence_server.streams.requests import Earliest


@pytest.mark.requirement("R-ST6")
@pytest.mark.parametrize("wanted", [None, Parity(0)])
async def test_no_more_is_given_than_there_is_credit_for(wanted: Parity | None) -> None:
    log = FakeLog()
    async with broadcast_of(log) as broadcast:
        broadcast.extend(log.append(200))  # most of them behind the ring
        subscription = await broadcast.subscribe(request(Earliest(), filter=wanted))
        subscription.limit(3)
        expected = [n for n in range(1, 201) if wanted is None or wanted.matches(n)]
        seen = await read_until(subscription, Seen(), lambda s: len(s.offsets) >= 3)
        granted = 3
        while len(seen.offsets) < len(expected):
            assert seen.offsets == expected[:granted]
            assert await quiet(subscription)
            subscription.grant(7)
            granted += 7
            wait_for = min(granted, len(expected))
            await read_until(subscription, seen, lambda s, n=wait_for: len(s.offsets) >= n)  # type: ignore[misc]  # bound now
        assert seen.offsets == expected


async def test_credit_wakes_a_reader_that_waits_for_it() -> None:
    log = FakeLog()
    async with broadcast_of(log) as broadcast:
        subscription = await broadcast.subscribe(request())
        subscription.limit(0)
        await subscription.next()
        following = asyncio.create_task(subscription.next())
        broadcast.extend(log.append(5))
        await asyncio.sleep(0)
        assert not following.done()
        assert subscription.lag == 5
        subscription.grant(2)
        frame = await asyncio.wait_for(following, 5)
        assert isinstance(frame, Batch)
        assert (frame.size, frame.until) == (2, 2)


@pytest.mark.requirement("R-ST5")
async def test_without_credit_heartbeats_go_on_and_skip_nothing() -> None:
    log = FakeLog()
    async with broadcast_of(log) as broadcast:
        subscription = await broadcast.subscribe(request(heartbeat_period_s=0.05))
        subscription.limit(0)
        seen = Seen()
        seen.take(await subscription.next())
        broadcast.extend(log.append(5))
        await read_until(subscription, seen, lambda s: len(s.of(Beat)) >= 2)
        subscription.grant(100)
        await read_until(subscription, seen, lambda s: len(s.offsets) >= 5)
        assert seen.offsets == [1, 2, 3, 4, 5]


async def test_a_reader_without_credit_is_told_of_the_end() -> None:
    log = FakeLog()
    async with broadcast_of(log) as broadcast:
        subscription = await broadcast.subscribe(request())
        subscription.limit(0)
        await subscription.next()
        following = asyncio.create_task(subscription.next())
        await asyncio.sleep(0)
        broadcast.end(EndReason.DRAINING)
        assert isinstance(await asyncio.wait_for(following, 5), End)


async def test_what_is_over_still_waits_for_credit() -> None:
    log = FakeLog()
    async with broadcast_of(log) as broadcast:
        broadcast.extend(log.append(2))
        subscription = await broadcast.subscribe(request(Earliest()))
        subscription.limit(1)
        broadcast.end(EndReason.ENDED)
        seen = await read_until(subscription, Seen(), lambda s: len(s.offsets) >= 1)
        assert await quiet(subscription)
        subscription.grant(1)
        await read_until(subscription, seen, lambda s: bool(s.of(End)))
        assert seen.offsets == [1, 2]
