"""Many events over one stream, a result for each in their order, whatever becomes of the connection."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest

from fakes.event_log import cursor
from fakes.event_servicer import Bus, serving, serving_in_thread
from fakes.extraction_servicer import status
from vidence.event.v1 import event_pb2, event_service_pb2
from vidence_client import Client, RetryPolicy, ServerUnreachable, VidenceError, make_event, sync

pytestmark = pytest.mark.requirement("R-EV1")

QUICK = RetryPolicy(base_delay_s=0.01)
BUSY = status(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "wait", retry_after_s=0.01)
DENIED = status(grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING", "events.publish is missing")
AWAY = status(grpc.StatusCode.UNAVAILABLE, "DRAINING", "the server stops")


@pytest.fixture
def bus() -> Bus:
    return Bus(retry_delay_s=0.01)


@pytest.fixture
async def client(bus: Bus) -> AsyncIterator[Client]:
    async with serving(bus) as address, Client(address, retry=QUICK) as client:
        yield client


def numbered(count: int, **types: str) -> list[event_pb2.Event]:
    """Events with their number as id; `types` by `e<number>` where it is not `page.read`."""
    return [
        make_event(types.get(f"e{number}", "page.read"), source="reader", id=str(number))
        for number in range(count)
    ]


async def published(client: Client, events: list[event_pb2.Event]) -> list[event_service_pb2.PublishResult]:
    return [result async for result in client.events.publish_in_order(events)]


def ids(results: list[event_service_pb2.PublishResult]) -> list[int]:
    return [int(result.id) for result in results]


def kept(bus: Bus) -> list[int]:
    return [int(event.id) for event in bus.log]


def reasons(results: list[event_service_pb2.PublishResult]) -> dict[int, str]:
    return {
        int(result.id): VidenceError.from_status(result.error).reason
        for result in results
        if result.HasField("error")
    }


async def test_every_event_has_its_result_in_its_place(client: Client, bus: Bus) -> None:
    results = await published(client, numbered(2500))
    assert ids(results) == list(range(2500)) == kept(bus)
    assert [results[0].cursor, results[-1].cursor] == [cursor(1), cursor(2500)]
    assert (bus.publish_streams, max(len(request.events) for request in bus.publish_requests)) == (1, 100)


async def test_events_without_an_id_get_one_and_stay_as_they_are(client: Client, bus: Bus) -> None:
    event = make_event("page.read", source="reader")
    (result,) = await published(client, [event])
    assert result.id == bus.log[0].id != ""
    assert event.id == ""


async def test_nothing_to_publish_needs_no_stream(client: Client, bus: Bus) -> None:
    assert await published(client, []) == []
    assert bus.publish_streams == 0


@pytest.mark.requirement("R-EV3")
@pytest.mark.parametrize("cuts", [[3, 1, 2], [1, 1, 1], [2, 5, 1], [4, 1, 3, 1]])
async def test_a_stream_that_breaks_is_taken_up_behind_the_last_result(
    client: Client, bus: Bus, cuts: list[int]
) -> None:
    # gRPC may go on asking a broken stream for requests: that must not take them from the next one.
    bus.faults.publish_cuts.extend(cuts)
    results = await published(client, numbered(1000))
    assert ids(results) == list(range(1000)) == kept(bus)
    # At each break at least one event was taken and its result did not arrive.
    assert sum(result.repeated for result in results) >= len(cuts)
    assert bus.publish_streams == len(cuts) + 1


async def test_a_stream_that_falls_silent_is_replaced(bus: Bus) -> None:
    bus.heartbeat_period_s = 0.1
    bus.faults.publish_silences.append(2)
    async with serving(bus) as address, Client(address, retry=QUICK) as client:
        assert ids(await published(client, numbered(500))) == list(range(500)) == kept(bus)


async def test_a_refused_event_stops_no_other(client: Client, bus: Bus) -> None:
    bus.faults.refused_types = "wrong"
    results = await published(client, numbered(250, e7="wrong", e120="wrong"))
    assert ids(results) == list(range(250))
    assert reasons(results) == {7: "REQUEST_INVALID", 120: "REQUEST_INVALID"}


async def test_the_events_for_which_the_stream_is_refused_are_found(client: Client, bus: Bus) -> None:
    bus.faults.poisonous_types = "poison"
    results = await published(client, numbered(420, e0="poison", e130="poison", e131="poison", e419="poison"))
    assert ids(results) == list(range(420))
    assert reasons(results) == dict.fromkeys((0, 130, 131, 419), "REQUEST_INVALID")
    assert kept(bus) == [number for number in range(420) if number not in {0, 130, 131, 419}]


async def test_an_event_that_is_refused_for_now_is_sent_again(client: Client, bus: Bus) -> None:
    bus.faults.postponed = [BUSY, BUSY]
    results = await published(client, numbered(5))
    assert ids(results) == list(range(5))
    assert reasons(results) == {}


async def test_an_event_that_is_refused_for_too_long_has_the_reason(client: Client, bus: Bus) -> None:
    bus.faults.postponed = [BUSY] * (QUICK.attempts + 2)
    results = await published(client, numbered(1))
    assert reasons(results) == {0: "QUEUE_FULL"}


async def test_a_refusal_of_the_stream_is_raised(client: Client, bus: Bus) -> None:
    bus.faults.openings = [DENIED]
    with pytest.raises(VidenceError, match="SCOPE_MISSING"):
        await published(client, numbered(3))
    assert bus.log == []


async def test_a_server_that_stays_away_is_given_up(client: Client, bus: Bus) -> None:
    bus.faults.openings = [AWAY] * 20
    with pytest.raises(VidenceError, match="DRAINING"):
        await published(client, numbered(3))
    assert bus.publish_streams == QUICK.attempts


async def test_a_server_that_is_gone_is_unreachable() -> None:
    async with serving(Bus()) as address:
        pass
    async with Client(address, retry=QUICK) as client:
        with pytest.raises(ServerUnreachable):
            await published(client, numbered(3))


async def test_whoever_leaves_ends_the_stream(client: Client, bus: Bus) -> None:
    results = client.events.publish_in_order(numbered(5000))
    assert (await anext(results)).id == "0"
    await results.aclose()
    assert len(bus.log) < 5000


def test_plain_code_publishes_in_order_too() -> None:
    bus = Bus(retry_delay_s=0.01)
    bus.faults.publish_cuts.append(1)
    with serving_in_thread(bus) as served, sync.Client(served.address, retry=QUICK) as client:
        results = list(client.events.publish_in_order(numbered(150)))
    assert ids(results) == list(range(150)) == kept(bus)
