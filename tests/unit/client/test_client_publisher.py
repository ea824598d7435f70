"""A publisher against a bus that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from fakes.event_log import DRAINING
from fakes.event_servicer import Bus, Served, serving, serving_in_thread
from fakes.extraction_servicer import status
from fakes.publishers import (
    PATIENCE_S,
    check_books,
    make,
    set_event,
    subjects,
    taken_by,
)
from vidence.event.v1 import event_pb2
from vidence.extraction.v1 import extraction_service_pb2
from vidence_client import (
    VidenceError,
    make_event,
)

pytestmark = pytest.mark.requirement("R-ST9", "R-EV1")


FULL = status(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL", "full", retry_after_s=0.01)


@pytest.fixture
def served() -> Iterator[Served]:
    with serving_in_thread(Bus()) as served:
        yield served


def test_what_is_published_arrives_in_order_with_all_its_fields(served: Served) -> None:
    progress = extraction_service_pb2.ExtractionProgress(done=1, total=2)
    with make(served.address, durability=event_pb2.DURABILITY_SYNCED) as publisher:
        assert publisher.publish(
            "till.opened", subject="a", severity=event_pb2.SEVERITY_WARNING, attributes={"floor": "2"}
        )
        publisher.publish("till.counted", data=progress)
        publisher.publish("till.closed", content=b"{}", content_type="application/json", id="last")
        publisher.publish_event(make_event("till.audited", source="audit/1", id="7"))
        publisher.publish_event(make_event("till.moved", source="audit/2"))
        publisher.publish_encoded(make_event("till.sold", source="ignored").SerializeToString())
        assert publisher.flush(PATIENCE_S)
    first, second, third, fourth, fifth, sixth = served.bus.log
    assert (first.type, first.subject, first.source) == ("till.opened", "a", "till/7")
    assert (first.severity, first.attributes["floor"]) == (event_pb2.SEVERITY_WARNING, "2")
    assert second.data.Is(extraction_service_pb2.ExtractionProgress.DESCRIPTOR)
    assert (third.opaque.content, third.id, third.source) == (b"{}", "last", "till/7")
    assert (fourth.source, fourth.id) == ("audit/1", "7")
    assert (fifth.source, sixth.source) == ("audit/2", "till/7")
    assert len({event.id for event in served.bus.log}) == 6
    assert served.bus.publish_requests[0].durability == event_pb2.DURABILITY_SYNCED
    check_books(publisher)
    assert publisher.statistics().acknowledged == 6


def test_a_burst_travels_in_large_requests(served: Served) -> None:
    served.bus.faults.acks.clear()
    with make(served.address) as publisher:
        for number in range(5_000):
            publisher.publish("till.sold", subject=str(number))
        served.run(set_event(served.bus.faults.acks))
        assert publisher.flush(PATIENCE_S)
    assert subjects(served) == [str(number) for number in range(5_000)]
    assert len(served.bus.publish_requests) < 200
    assert max(len(request.events) for request in served.bus.publish_requests) <= 1_000


def test_events_of_eight_threads_each_keep_their_order(served: Served) -> None:
    with make(served.address) as publisher, ThreadPoolExecutor(8) as pool:

        def sell(till: int) -> None:
            for number in range(250):
                publisher.publish("till.sold", subject=f"{till}/{number}")

        list(pool.map(sell, range(8)))
        assert publisher.flush(PATIENCE_S)
    for till in range(8):
        mine = [subject for subject in subjects(served) if subject.startswith(f"{till}/")]
        assert mine == [f"{till}/{number}" for number in range(250)]


async def test_it_works_in_a_running_loop_and_does_not_hold_it_up() -> None:
    bus = Bus()
    async with serving(bus) as address:
        async with make(address) as publisher:
            assert publisher.publish("till.opened")
            assert await publisher.publish_async(make_event("till.sold"))
            assert await publisher.flush_async(PATIENCE_S)
            with pytest.raises(RuntimeError, match="flush_async"):
                publisher.flush()
            with pytest.raises(RuntimeError, match="aclose"):
                publisher.close()
            with pytest.raises(RuntimeError, match="async with"), publisher:
                pass
        assert [event.type for event in bus.log] == ["till.opened", "till.sold"]


def test_it_works_before_a_loop_runs_and_after_it_closed(served: Served) -> None:
    publisher = make(served.address)
    publisher.publish("till.opened", subject="before")

    async def inside() -> None:
        publisher.publish("till.sold", subject="inside")

    asyncio.run(inside())
    publisher.publish("till.closed", subject="after")
    assert publisher.close(PATIENCE_S)
    assert subjects(served) == ["before", "inside", "after"]


@pytest.mark.parametrize("fault", ["publish_cuts", "publish_silences"])
def test_what_had_no_answer_is_sent_again_and_stored_once(served: Served, fault: str) -> None:
    served.bus.heartbeat_period_s = 0.05
    getattr(served.bus.faults, fault).extend([1, 2, 1])
    with make(served.address) as publisher:
        for number in range(40):
            publisher.publish("till.sold", subject=str(number))
            if number % 10 == 9:
                assert publisher.flush(PATIENCE_S)
    assert subjects(served) == [str(number) for number in range(40)]
    numbers = publisher.statistics()
    assert numbers.acknowledged == 40
    assert numbers.reconnects == 3
    assert numbers.repeated >= 1
    assert numbers.sent >= numbers.acknowledged + numbers.repeated


def test_it_waits_for_a_server_that_is_not_there_yet(served: Served) -> None:
    served.bus.faults.openings.extend([DRAINING] * 3)
    with make(served.address) as publisher:
        publisher.publish("till.opened")
        assert publisher.flush(PATIENCE_S)
        assert publisher.statistics().reconnects == 3
        assert publisher.last_failure is not None
        assert publisher.last_failure.reason == "DRAINING"


def test_a_refused_event_is_reported_and_the_others_go_on(served: Served) -> None:
    heard: list[tuple[str, str]] = []
    served.bus.faults.refused_types = "bad.*"
    with make(
        served.address, on_error=lambda event, error: heard.append((event.subject, error.reason))
    ) as tills:
        for number, kind in enumerate(["till.opened", "bad.one", "till.sold", "bad.two"]):
            tills.publish(kind, subject=str(number))
        assert tills.flush(PATIENCE_S)
    assert heard == [("1", "REQUEST_INVALID"), ("3", "REQUEST_INVALID")]
    assert subjects(served) == ["0", "2"]
    assert tills.statistics().errors == 2
    check_books(tills)


def test_an_event_for_which_the_whole_stream_is_refused_is_found(served: Served) -> None:
    heard: list[str] = []
    served.bus.faults.poisonous_types = "poison.*"
    served.bus.faults.acks.clear()
    with make(served.address, on_error=lambda event, error: heard.append(event.subject)) as publisher:
        publisher.publish("till.opened", subject="0")
        for number in range(1, 7):
            publisher.publish("poison.found" if number == 4 else "till.sold", subject=str(number))
        served.run(set_event(served.bus.faults.acks))
        assert publisher.flush(PATIENCE_S)
    assert heard == ["4"]
    assert subjects(served) == ["0", "1", "2", "3", "5", "6"]
    assert publisher.statistics().errors == 1
    check_books(publisher)


def test_of_several_events_in_flight_only_the_refused_one_is_blamed(served: Served) -> None:
    heard: list[str] = []
    served.bus.faults.poisonous_types = "poison.*"
    served.bus.faults.publish_holds.append(100)  # the refusal comes before the results of the others
    with make(served.address, on_error=lambda event, error: heard.append(event.subject)) as publisher:
        publisher.publish("till.opened", subject="0")
        served.run(taken_by(served.bus, 1))
        for number in range(1, 7):
            publisher.publish("poison.found" if number == 4 else "till.sold", subject=str(number))
        assert publisher.flush(PATIENCE_S)
    assert heard == ["4"]
    assert subjects(served) == ["0", "1", "2", "3", "5", "6"]
    check_books(publisher)


def test_an_event_that_was_refused_for_now_is_sent_again(served: Served) -> None:
    served.bus.faults.postponed.extend([FULL] * 2)
    with make(served.address) as publisher:
        publisher.publish("till.opened")
        assert publisher.flush(PATIENCE_S)
    assert [event.type for event in served.bus.log] == ["till.opened"]
    assert publisher.statistics().errors == 0


def test_a_listener_that_fails_stops_nothing(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    served.bus.faults.refused_types = "bad.*"

    def fail(event: event_pb2.Event, error: VidenceError) -> None:
        raise RuntimeError("the caller's defect")

    with make(served.address, on_error=fail) as publisher:
        publisher.publish("bad.one")
        publisher.publish("till.opened")
        assert publisher.flush(PATIENCE_S)
    assert len(served.bus.log) == 1
    assert "on_error of a publisher failed" in caplog.text
