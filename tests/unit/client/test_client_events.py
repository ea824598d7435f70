"""The client of the bus, asynchronous and for plain code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import grpc
import pytest

from fakes.event_log import cursor
from fakes.event_servicer import Bus, Served, serving, serving_in_thread
from fakes.extraction_servicer import status
from vidence.event.v1 import event_pb2
from vidence_client import Client, RetryPolicy, Selection, VidenceError, make_event, sync

pytestmark = pytest.mark.requirement("R-EV1")

QUICK = RetryPolicy(base_delay_s=0.01)
BUSY = status(grpc.StatusCode.UNAVAILABLE, "STORAGE_FAILED", "the disk failed", retry_after_s=0.01)


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
async def client(bus: Bus) -> AsyncIterator[Client]:
    async with serving(bus) as address, Client(address, retry=QUICK) as client:
        yield client


@pytest.fixture
def served() -> Iterator[Served]:
    with serving_in_thread(Bus()) as served:
        yield served


async def test_publishing_answers_with_cursor_and_durability(client: Client) -> None:
    first, second = await client.events.publish(
        make_event("till.opened", source="till/7", id="a"),
        make_event("till.opened", source="till/7", id="a"),
        durability=event_pb2.DURABILITY_SYNCED,
    )
    assert (first.cursor, first.id, first.durability) == (cursor(1), "a", event_pb2.DURABILITY_SYNCED)
    assert (second.cursor, second.repeated) == (cursor(1), True)


async def test_a_call_that_is_tried_again_publishes_once(client: Client, bus: Bus) -> None:
    bus.faults.unary.append(BUSY)
    event = make_event("till.opened", source="till/7")
    (result,) = await client.events.publish(event)
    assert result.id
    assert event.id == "", "the caller's event stays as it is"
    assert len(bus.log) == 1


async def test_a_refusal_is_raised(client: Client, bus: Bus) -> None:
    bus.faults.unary.append(status(grpc.StatusCode.INVALID_ARGUMENT, "EVENT_TOO_LARGE", "too large"))
    with pytest.raises(VidenceError, match="EVENT_TOO_LARGE"):
        await client.events.publish(make_event("till.opened", source="till/7"))


async def test_kept_events_are_listed_over_all_pages(client: Client, bus: Bus) -> None:
    await bus.add(*(make_event("till.sold", source="till/7", subject=str(place)) for place in range(25)))
    listed = [event.subject async for event in client.events.list(page_size=10)]
    assert listed == [str(place) for place in reversed(range(25))]
    assert [request.page_size for request in bus.list_requests] == [10, 10, 10]


async def test_a_page_is_asked_for_with_all_conditions(client: Client, bus: Bus) -> None:
    wanted = Selection(
        types=["till.*"],
        sources=["till/7"],
        subject="7/*",
        attributes={"floor": "2"},
        minimum_severity=event_pb2.SEVERITY_ERROR,
    )
    since, until = datetime.fromtimestamp(1, UTC), datetime.fromtimestamp(2, UTC)
    await client.events.list_page(wanted, query="sold", since=since, until=until, page_size=3)
    (request,) = bus.list_requests
    assert request.filter == event_pb2.EventFilter(
        types=["till.*"],
        sources=["till/7"],
        subject_pattern="7/*",
        attributes={"floor": "2"},
        minimum_severity=event_pb2.SEVERITY_ERROR,
    )
    assert (request.query, request.page_size) == ("sold", 3)
    assert (request.since_time.seconds, request.until_time.seconds) == (1, 2)


async def test_one_event_is_given_by_cursor_or_name(client: Client, bus: Bus) -> None:
    await bus.add(make_event("till.sold", source="till/7", id="a", subject="found"))
    assert (await client.events.get(cursor(1))).subject == "found"
    assert (await client.events.get(source="till/7", id="a")).subject == "found"
    with pytest.raises(VidenceError, match="EVENT_NOT_FOUND"):
        await client.events.get(cursor(2))
    with pytest.raises(ValueError, match="by its cursor"):
        await client.events.get()


async def test_a_subscription_asks_for_what_it_was_told(client: Client, bus: Bus) -> None:
    await bus.add(make_event("till.sold", source="till/7"))
    async with client.events.subscribe(
        types=["till.*"], from_start=True, on_gap=print, heartbeat_period_s=2.5
    ) as watch:
        await anext(watch)
    (request,) = bus.subscribe_requests
    assert list(request.filter.types) == ["till.*"]
    assert request.heartbeat_period.ToMilliseconds() == 2500
    assert request.on_expired == 2, "whoever listens for gaps gets one instead of CURSOR_EXPIRED"


async def test_statistics_are_given_once_and_again_and_again(client: Client, bus: Bus) -> None:
    await bus.add(make_event("till.sold", source="till/7"))
    assert (await client.events.statistics()).total_published == 1
    async with client.events.watch_statistics(heartbeat_period_s=30) as watch:
        numbers = [(await anext(watch)).snapshot.total_published for _ in range(2)]
    assert numbers == [1, 1]


async def test_a_client_makes_publishers_to_its_server(client: Client, bus: Bus) -> None:
    async with client.events.publisher("till/7") as publisher:
        publisher.publish("till.opened")
    assert [event.source for event in bus.log] == ["till/7"]


def test_plain_code_does_all_the_same(served: Served) -> None:
    with sync.Client(served.address) as client:
        results = client.events.publish(
            *(make_event("till.sold", source="till/7", id=str(place)) for place in range(4))
        )
        assert [result.cursor for result in results] == [cursor(place) for place in range(1, 5)]
        with client.events.subscribe(from_start=True) as watch:
            assert [next(watch).id for _ in range(4)] == ["0", "1", "2", "3"]
            assert watch.cursor == cursor(4)
            assert watch.statistics().events == 4
        assert list(watch) == []
        with client.events.subscribe(from_start=True) as watch:
            assert next(iter(watch.messages())).control.HasField("connected")
        assert [event.id for event in client.events.list(page_size=3)] == ["3", "2", "1", "0"]
        assert len(client.events.list_page(page_size=3).events) == 3
        assert client.events.get(cursor(2)).id == "1"
        assert client.events.statistics().total_published == 4
        with client.events.watch_statistics() as numbers:
            assert next(numbers).snapshot.total_published == 4
        with client.events.publisher("till/8") as publisher:
            publisher.publish("till.opened")
        assert client.events.statistics().total_published == 5
