"""Watching a log over connections that break."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from fakes.event_log import DRAINING, Faults, cursor
from fakes.event_servicer import Bus, serving
from fakes.extraction_servicer import status
from vidence.event.v1 import event_pb2
from vidence.stream.v1 import stream_control_pb2 as control
from vidence_client import (
    Client,
    ClientReason,
    RetryPolicy,
    ServerUnreachable,
    VidenceError,
    is_after,
    make_event,
)
from vidence_client.events import EventWatch

pytestmark = pytest.mark.requirement("R-ST4")

QUICK = RetryPolicy(base_delay_s=0.01, maximum_delay_s=0.05)

PATIENCE_S = 20.0


async def filled(count: int, **options: Any) -> Bus:
    bus = Bus(**options)
    await bus.add(*(make_event("till.sold", source="till/7", subject=str(place)) for place in range(count)))
    return bus


@asynccontextmanager
async def client_of(bus: Bus) -> AsyncIterator[Client]:
    async with serving(bus) as address, Client(address, retry=QUICK, randomness=random.Random(7)) as client:
        yield client


async def take(watch: EventWatch, count: int) -> list[str]:
    async with asyncio.timeout(PATIENCE_S):
        return [(await anext(watch)).subject for _ in range(count)]


def numbers(count: int, start: int = 0) -> list[str]:
    return [str(place) for place in range(start, start + count)]


@pytest.mark.requirement("R-EV1", "R-ST1")
async def test_what_was_kept_comes_first_and_then_what_is_new() -> None:
    bus = await filled(7)
    async with client_of(bus) as client, client.events.subscribe(from_start=True) as watch:
        assert await take(watch, 7) == numbers(7)
        assert watch.cursor == cursor(7)
        await bus.add(make_event("till.closed", source="till/7", subject="new"))
        assert await take(watch, 1) == ["new"]
        assert watch.connected is not None
        assert watch.statistics().events == 8


async def test_without_a_start_only_what_is_new_comes() -> None:
    bus = await filled(3)
    async with client_of(bus) as client, client.events.subscribe() as watch:
        first = asyncio.create_task(take(watch, 1))
        async with asyncio.timeout(PATIENCE_S):
            while watch.connected is None:  # noqa: ASYNC110 - the fake does not tell
                await asyncio.sleep(0.001)
        await bus.add(make_event("till.sold", source="till/7", subject="new"))
        assert await first == ["new"]


@pytest.mark.parametrize("cut", [Faults().cut_status, None, status(grpc.StatusCode.UNKNOWN, "", "?")])
async def test_every_event_comes_once_whatever_is_cut(cut: Any) -> None:
    bus = await filled(40)
    bus.faults.cuts.extend([0, 1, 2, 1, 3, 0, 5])
    bus.faults.cut_status = cut
    told: list[VidenceError] = []
    async with (
        client_of(bus) as client,
        client.events.subscribe(from_start=True, on_reconnect=told.append) as watch,
    ):
        assert await take(watch, 40) == numbers(40)
        counted = watch.statistics()
    # two of the eight connections were cut before `connected`
    assert counted.reconnects == len(told) == 5
    assert counted.events == 40
    asked = [request.after_cursor for request in bus.subscribe_requests]
    assert asked[:2] == ["", ""], "nothing was read yet: the start that was asked for"
    assert all(asked[2:])


async def test_a_stored_cursor_goes_on_in_the_middle_of_a_message() -> None:
    bus = await filled(12, per_message=5)
    async with client_of(bus) as client:
        async with client.events.subscribe(from_start=True) as watch:
            assert await take(watch, 7) == numbers(7)
            stored = watch.cursor
        assert stored == cursor(7)
        async with client.events.subscribe(after=stored) as watch:
            assert await take(watch, 5) == numbers(5, start=7)


async def test_a_cursor_covers_what_the_filter_left_out() -> None:
    bus = await filled(9, per_message=9)
    async with client_of(bus) as client, client.events.subscribe(from_start=True, subject="3") as watch:
        assert await take(watch, 1) == ["3"]
        assert watch.cursor == cursor(9)


async def test_a_silent_stream_is_dead_and_replaced() -> None:
    bus = await filled(6, heartbeat_period_s=0.04)
    bus.faults.silences.append(2)
    told: list[VidenceError] = []
    async with (
        client_of(bus) as client,
        client.events.subscribe(from_start=True, on_reconnect=told.append) as watch,
    ):
        assert await take(watch, 6) == numbers(6)
    assert [error.reason for error in told] == [ClientReason.STREAM_SILENT]


async def test_heartbeats_keep_a_quiet_stream_and_move_its_cursor() -> None:
    bus = await filled(4, heartbeat_period_s=0.02)
    async with client_of(bus) as client, client.events.subscribe(from_start=True, types=["none"]) as watch:
        async with asyncio.timeout(PATIENCE_S):
            messages = watch.messages()
            while watch.statistics().heartbeats < 4:
                message = await anext(messages)
                assert not message.events
        assert watch.cursor == cursor(4)
        assert watch.statistics().reconnects == 0


async def test_a_drained_server_is_left_and_asked_again() -> None:
    bus = await filled(3)

    async def come_back(error: VidenceError) -> None:
        told.append(error.reason)

    told: list[str] = []
    async with (
        client_of(bus) as client,
        client.events.subscribe(from_start=True, on_reconnect=come_back) as watch,
    ):
        assert await take(watch, 3) == numbers(3)
        bus.draining.set()
        await bus.tell()
        following = asyncio.create_task(take(watch, 1))
        async with asyncio.timeout(PATIENCE_S):
            while len(bus.subscribe_requests) < 2:  # noqa: ASYNC110 - the fake does not tell
                await asyncio.sleep(0.001)
        bus.draining.clear()
        await bus.add(make_event("till.sold", source="till/7", subject="after"))
        assert await following == ["after"]
    assert told[0] == "DRAINING"


async def test_a_refused_opening_is_tried_again_where_the_server_says_so() -> None:
    bus = await filled(1)
    bus.faults.openings.extend([DRAINING] * 2)
    async with client_of(bus) as client, client.events.subscribe(from_start=True) as watch:
        assert await take(watch, 1) == ["0"]


async def test_a_server_that_never_answered_is_given_up() -> None:
    async with Client("127.0.0.1:1", retry=QUICK) as client:
        with pytest.raises(ServerUnreachable):
            await anext(client.events.subscribe())


async def test_an_error_that_lasts_is_raised_and_ends_the_watch() -> None:
    bus = await filled(1)
    bus.faults.openings.append(status(grpc.StatusCode.INVALID_ARGUMENT, "CURSOR_FOREIGN", "another log"))
    async with client_of(bus) as client:
        watch = client.events.subscribe(after=cursor(1))
        with pytest.raises(VidenceError, match="CURSOR_FOREIGN"):
            await anext(watch)
        with pytest.raises(StopAsyncIteration):
            await anext(watch)
    assert len(bus.subscribe_requests) == 1


async def test_a_cursor_that_is_too_old_is_an_error() -> None:
    bus = await filled(9, oldest=5)
    async with client_of(bus) as client:
        with pytest.raises(VidenceError) as raised:
            await anext(client.events.subscribe(after=cursor(2)))
    assert raised.value.reason == "CURSOR_EXPIRED"
    assert raised.value.metadata["oldest_cursor"] == cursor(5)


async def test_a_cursor_that_is_too_old_is_a_gap_for_whoever_listens() -> None:
    bus = await filled(9, oldest=5)
    gaps: list[control.Gap] = []
    async with (
        client_of(bus) as client,
        client.events.subscribe(after=cursor(2), on_gap=gaps.append) as watch,
    ):
        assert await take(watch, 4) == numbers(4, start=5)
        assert watch.statistics().gaps == 1
    assert [(gap.from_cursor, gap.to_cursor, gap.missed_count) for gap in gaps] == [(cursor(2), cursor(5), 3)]


async def test_a_gap_that_nobody_listens_for_is_raised_and_can_be_passed() -> None:
    bus = await filled(6)
    bus.gaps[3] = control.Gap(
        from_cursor=cursor(3), to_cursor=cursor(4), missed_count=1, reason=control.GAP_REASON_CORRUPT
    )
    async with client_of(bus) as client, client.events.subscribe(from_start=True) as watch:
        assert await take(watch, 3) == numbers(3)
        with pytest.raises(VidenceError) as raised:
            await take(watch, 1)
        assert raised.value.reason == ClientReason.STREAM_GAP
        assert raised.value.metadata["gap_reason"] == "CORRUPT"
        assert watch.cursor == cursor(4)
        assert await take(watch, 2) == numbers(2, start=4)


@pytest.mark.requirement("R-ST1")
@pytest.mark.parametrize("fault", ["duplicate", "skip"])
async def test_a_broken_chain_is_noticed(fault: str) -> None:
    bus = await filled(9)
    setattr(bus.faults, fault, True)
    async with client_of(bus) as client:
        with pytest.raises(VidenceError) as raised:
            await take(client.events.subscribe(from_start=True), 9)
    assert raised.value.reason == ClientReason.STREAM_BROKEN


async def test_a_task_that_is_cancelled_while_it_waits_loses_nothing() -> None:
    bus = await filled(2)
    async with client_of(bus) as client, client.events.subscribe(from_start=True) as watch:
        assert await take(watch, 2) == numbers(2)
        for place in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(watch), 0.01)
            await bus.add(make_event("till.sold", source="till/7", subject=f"later {place}"))
            assert await take(watch, 1) == [f"later {place}"]


async def test_closing_from_another_task_ends_the_iteration() -> None:
    bus = await filled(1)
    async with client_of(bus) as client:
        watch = client.events.subscribe(from_start=True)
        assert await take(watch, 1) == ["0"]

        async def read() -> list[event_pb2.Event]:
            return [event async for event in watch]

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        await watch.aclose()
        async with asyncio.timeout(PATIENCE_S):
            assert await reading == []
            while bus.open_streams:  # noqa: ASYNC110 - the fake does not tell
                await asyncio.sleep(0.001)


async def test_the_start_may_be_a_time() -> None:
    bus = await filled(5)
    since = datetime.fromtimestamp(1_760_000_003, UTC)
    async with client_of(bus) as client, client.events.subscribe(since=since) as watch:
        assert await take(watch, 2) == numbers(2, start=3)


async def test_only_one_start_may_be_given() -> None:
    async with Client("127.0.0.1:1") as client:
        with pytest.raises(ValueError, match="one of"):
            client.events.subscribe(after=cursor(1), from_start=True)


def test_cursors_of_one_log_have_an_order() -> None:
    assert is_after(cursor(10), cursor(9))
    assert not is_after(cursor(9), cursor(9))
    assert is_after(cursor(1, epoch=2), cursor(9, epoch=1))
    with pytest.raises(ValueError, match="two cursors"):
        is_after(cursor(1), "ffffffff.00000001.0000000000000001")
    with pytest.raises(ValueError, match="two cursors"):
        is_after(cursor(1), "yesterday")


@pytest.mark.parametrize(("failures", "bound_s"), [(1, 0.1), (2, 0.2), (20, 10.0)])
def test_pauses_grow_to_a_bound_with_full_jitter(failures: int, bound_s: float) -> None:
    policy = RetryPolicy(base_delay_s=0.1, maximum_delay_s=10)
    gone = ServerUnreachable("gone")
    pause = policy.reconnect_delay_s(gone, failures=failures, server_delay_s=0.05, jitter=0.5)
    assert pause == pytest.approx(bound_s / 2)
    asked = VidenceError.from_status(status(grpc.StatusCode.UNAVAILABLE, "X", "", retry_after_s=7))
    assert policy.reconnect_delay_s(asked, failures=failures, server_delay_s=0, jitter=0) == 7
