"""A publisher whose buffer is full, and one that is made or closed wrongly."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from fakes.event_servicer import Bus, Served, serving, serving_in_thread
from fakes.extraction_servicer import status
from fakes.publishers import PATIENCE_S, check_books, make, set_event, subjects
from vidence.event.v1 import event_pb2
from vidence_client import (
    OnFull,
    Publisher,
    VidenceError,
    make_event,
)

pytestmark = pytest.mark.requirement("R-ST9", "R-EV1")


@pytest.fixture
def served() -> Iterator[Served]:
    with serving_in_thread(Bus()) as served:
        yield served


def test_without_a_server_a_flush_ends_in_time_and_closing_drops() -> None:
    publisher = make("127.0.0.1:1")
    publisher.publish("till.opened")
    assert not publisher.flush(0.05)
    assert not publisher.close(0.0)
    assert publisher.statistics().dropped == {"CLOSED": 1}
    assert publisher.close(), "closing again does no harm"
    with pytest.raises(RuntimeError, match="closed"):
        publisher.publish("till.sold")
    check_books(publisher)


@pytest.mark.parametrize(
    ("policy", "kept", "dropped"),
    [
        (OnFull.DROP_OLDEST, ["2", "3", "4"], {"OLDEST": 2}),
        (OnFull.DROP_NEWEST, ["0", "1", "2"], {"NEWEST": 2}),
    ],
)
def test_a_full_buffer_drops_as_it_was_told(
    served: Served, policy: OnFull, kept: list[str], dropped: dict[str, int]
) -> None:
    served.bus.faults.openings.extend(
        [status(grpc.StatusCode.UNAVAILABLE, "NOT_READY", "", retry_after_s=0.2)]
    )
    with make(served.address, on_full=policy, buffer_events=3) as publisher:
        taken = [publisher.publish("till.sold", subject=str(number)) for number in range(5)]
        assert publisher.flush(PATIENCE_S)
    assert subjects(served) == kept
    assert taken == [True, True, True] + [policy is OnFull.DROP_OLDEST] * 2
    assert publisher.statistics().dropped == dropped
    check_books(publisher)


def test_a_full_buffer_raises_where_it_was_told() -> None:
    publisher = make("127.0.0.1:1", on_full=OnFull.RAISE, buffer_events=1)
    publisher.publish("till.opened")
    with pytest.raises(VidenceError, match="BUFFER_FULL"):
        publisher.publish("till.sold")
    assert publisher.statistics().published == 1
    publisher.close(0.0)


def test_a_full_buffer_holds_the_caller_until_there_is_room(served: Served) -> None:
    served.bus.faults.acks.clear()
    with make(served.address, buffer_events=2) as publisher, ThreadPoolExecutor(1) as pool:
        publisher.publish("till.sold")
        publisher.publish("till.sold")
        third = pool.submit(publisher.publish, "till.sold")
        assert not third.done()
        served.run(set_event(served.bus.faults.acks))
        assert third.result(PATIENCE_S)
        assert publisher.flush(PATIENCE_S)
    assert len(served.bus.log) == 3


def test_blocking_ends_after_the_time_that_was_set() -> None:
    publisher = make("127.0.0.1:1", buffer_events=1, block_timeout_s=0.02)
    publisher.publish("till.opened")
    with pytest.raises(VidenceError, match="BUFFER_FULL"):
        publisher.publish("till.sold")
    publisher.close(0.0)


async def test_a_full_buffer_never_blocks_a_running_loop() -> None:
    bus = Bus()
    bus.faults.acks.clear()
    async with serving(bus) as address, make(address, buffer_events=1) as publisher:
        publisher.publish("till.opened")
        with pytest.raises(VidenceError, match="publish_async"):
            publisher.publish("till.sold")
        waiting = asyncio.create_task(publisher.publish_async(make_event("till.sold")))
        await asyncio.sleep(0)
        assert not waiting.done()
        bus.faults.acks.set()
        assert await waiting
        assert await publisher.flush_async(PATIENCE_S)
    assert len(bus.log) == 2


async def test_waiting_for_room_in_a_loop_ends_after_the_time_that_was_set() -> None:
    publisher = make("127.0.0.1:1", buffer_events=1, block_timeout_s=0.02)
    await publisher.publish_async(make_event("till.opened").SerializeToString())
    with pytest.raises(VidenceError, match="BUFFER_FULL"):
        await publisher.publish_async(make_event("till.sold"))
    assert not await publisher.aclose(0.0)


def test_an_event_that_is_too_large_is_refused_at_once() -> None:
    publisher = make("127.0.0.1:1")
    with pytest.raises(VidenceError, match="EVENT_TOO_LARGE"):
        publisher.publish("till.opened", content=bytes(70_000), content_type="image/png")
    assert publisher.statistics().published == 0
    publisher.close(0.0)


@pytest.mark.parametrize(
    "wrong",
    [{"source": ""}, {"buffer_events": 0}, {"buffer_bytes": 1000}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_cannot_work_is_refused_when_it_is_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a publisher needs"):
        Publisher("127.0.0.1:1", **{"source": "till/7", **wrong})


def test_an_event_has_one_payload() -> None:
    with pytest.raises(ValueError, match="not both"):
        make_event("a.b", data=event_pb2.Event(), content=b"x", content_type="text/plain")
    with pytest.raises(ValueError, match="content_type"):
        make_event("a.b", content=b"x")


def test_closing_leaves_no_thread_behind(served: Served) -> None:
    before = threading.active_count()
    for _ in range(3):
        with make(served.address) as publisher:
            publisher.publish("till.opened")
    gc.collect()
    assert [thread for thread in threading.enumerate() if thread.name == "vidence-publisher"] == []
    assert threading.active_count() <= before + 1  # gRPC's own
    assert len(served.bus.log) == 3
