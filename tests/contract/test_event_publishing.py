"""Publishing over the wire: what is told of each event, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import grpc
import pytest

from fakes.event_bus import RunningBus, event, event_server
from fakes.event_calls import FAILED, collected, failure, publish, reason
from fakes.runtime import bad_request, error_info, retry_info, status_of
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence_server.streams.cursor import Cursor


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[RunningBus]:
    async with event_server(tmp_path, statistics_period_s=0.01) as running:
        yield running


async def requests(*batches: Iterable[event_pb2.Event]) -> AsyncIterator[pb.PublishStreamRequest]:
    for batch in batches:
        yield pb.PublishStreamRequest(events=batch)


@pytest.mark.requirement("R-EV1")
async def test_publish_tells_place_id_and_durability_of_each_event(bus: RunningBus) -> None:
    response = await bus.stub.Publish(
        pb.PublishRequest(events=[event("1"), event()], durability=event_pb2.DURABILITY_SYNCED)
    )
    first, second = response.results
    assert first.id == "1"
    assert second.id.startswith("evt_")
    assert first.durability == second.durability == event_pb2.DURABILITY_SYNCED
    assert [Cursor.parse(result.cursor).offset for result in response.results] == [1, 2]


@pytest.mark.requirement("R-EV1")
async def test_a_repeated_publish_is_told_and_stores_nothing(bus: RunningBus) -> None:
    (cursor,) = await publish(bus, "1")
    response = await bus.stub.Publish(pb.PublishRequest(events=[event("1"), event("2")]))
    assert [result.repeated for result in response.results] == [True, False]
    assert response.results[0].cursor == cursor
    listed = await bus.stub.ListEvents(pb.ListEventsRequest())
    assert [one.id for one in listed.events] == ["2", "1"]


@pytest.mark.requirement("R-EV1")
async def test_publish_refuses_all_when_one_event_breaks_a_rule(bus: RunningBus) -> None:
    error = await failure(bus.stub.Publish(pb.PublishRequest(events=[event("1"), event("2", type="")])))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason(error) == "REQUEST_INVALID"
    (violation,) = bad_request(status_of(error)).field_violations
    assert violation.field == "events[1].type"
    statistics = (await bus.stub.GetStatistics(pb.GetStatisticsRequest())).statistics
    assert statistics.total_published == 0
    assert statistics.errors_by_reason == {"REQUEST_INVALID": 2}


@pytest.mark.parametrize("count", [0, 1001])
async def test_publish_refuses_too_few_and_too_many_events(bus: RunningBus, count: int) -> None:
    error = await failure(bus.stub.Publish(pb.PublishRequest(events=[event()] * count)))
    assert reason(error) == "REQUEST_INVALID"


async def test_publish_refuses_bytes_that_are_no_request(bus: RunningBus) -> None:
    raw: Any = bus.running.channel.unary_unary("/vidence.event.v1.EventService/Publish")
    error = await failure(raw(b"\xff\xff"))
    assert reason(error) == "REQUEST_INVALID"


@pytest.mark.requirement("R-EV1")
async def test_publish_refuses_an_event_that_is_too_large(bus: RunningBus) -> None:
    large = event("1", opaque=event_pb2.OpaqueData(content_type="a/b", content=bytes(64_000)))
    error = await failure(bus.stub.Publish(pb.PublishRequest(events=[large])))
    assert reason(error) == "EVENT_TOO_LARGE"
    assert error_info(status_of(error)).metadata["limit"] == "64000"


@pytest.mark.requirement("R-EV1")
async def test_publish_checks_the_publishers_count(bus: RunningBus) -> None:
    await publish(bus, "1", sequence=1)
    error = await failure(bus.stub.Publish(pb.PublishRequest(events=[event("3", sequence=3)])))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason(error) == "SEQUENCE_MISMATCH"
    assert dict(error_info(status_of(error)).metadata) == {"expected": "2", "actual": "3"}


@pytest.mark.requirement("R-EV1")
async def test_publish_tells_when_too_much_waits(tmp_path: Path) -> None:
    async with event_server(tmp_path, queue_events=1) as bus:
        batch = [pb.PublishRequest(events=[event(), event()]) for _ in range(50)]
        answers = await asyncio.gather(*map(bus.stub.Publish, batch), return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, FAILED)]
        assert refused
        assert {reason(error) for error in refused} == {"QUEUE_FULL"}
        assert retry_info(status_of(refused[0])).HasField("retry_delay")
        numbers = (await bus.stub.GetStatistics(pb.GetStatisticsRequest())).statistics
        assert numbers.errors_by_reason == {"QUEUE_FULL": 2 * len(refused)}
        assert numbers.total_published == 2 * (50 - len(refused))


@pytest.mark.requirement("R-EV1")
@pytest.mark.requirement("R-ST3")
async def test_a_publish_stream_gives_a_result_per_event_in_order(bus: RunningBus) -> None:
    large = event("large", opaque=event_pb2.OpaqueData(content_type="a/b", content=bytes(64_000)))
    batches = [[event("1"), event("2")], [event("1"), event("bad", type=""), large], [event("3")]]
    seen = await collected(bus.stub.PublishStream(requests(*batches)))
    kinds = [message.WhichOneof("payload") for message in seen]
    assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("connected", "publish_complete", {"publish_results"})
    assert [message.sequence for message in seen] == list(range(1, len(seen) + 1))
    results = [result for message in seen[1:-1] for result in message.publish_results.results]
    assert [result.id for result in results] == ["1", "2", "1", "bad", "large", "3"]
    assert [result.repeated for result in results] == [False, False, True, False, False, False]
    reasons = [str(error_info(result.error).reason) for result in results if result.HasField("error")]
    assert reasons == ["REQUEST_INVALID", "EVENT_TOO_LARGE"]
    complete = seen[-1].publish_complete
    assert (complete.published_count, complete.repeated_count, complete.error_count) == (3, 1, 2)


@pytest.mark.requirement("R-EV1")
async def test_events_of_a_publish_stream_enter_the_log_in_the_order_sent(bus: RunningBus) -> None:
    batches = [[event(f"{batch}-{place}") for place in range(5)] for batch in range(100)]
    seen = await collected(bus.stub.PublishStream(requests(*batches)))
    results = [result for message in seen for result in message.publish_results.results]
    assert [result.id for result in results] == [one.id for batch in batches for one in batch]
    assert [Cursor.parse(result.cursor).offset for result in results] == list(range(1, 501))


@pytest.mark.requirement("R-ST3")
@pytest.mark.parametrize("count", [0, 1001])
async def test_a_publish_stream_fails_in_band_on_a_request_that_breaks_a_rule(
    bus: RunningBus, count: int
) -> None:
    call = bus.stub.PublishStream(requests([event("1")], [event()] * count))
    seen: list[pb.PublishStreamResponse] = []
    with pytest.raises(FAILED) as caught:
        while True:
            message = await call.read()
            assert isinstance(message, pb.PublishStreamResponse)
            seen.append(message)
    assert [message.WhichOneof("payload") for message in seen] == [
        "connected",
        "publish_results",
        "publish_failed",
    ]
    assert error_info(seen[-1].publish_failed.status).reason == reason(caught.value) == "REQUEST_INVALID"


async def test_a_message_of_more_than_a_mebibyte_fails_the_stream(bus: RunningBus) -> None:
    content = event_pb2.OpaqueData(content_type="a/b", content=bytes(60_000))
    call = bus.stub.PublishStream(requests([event(opaque=content)] * 18))
    with pytest.raises(FAILED) as caught:
        await collected(call)
    assert reason(caught.value) == "REQUEST_INVALID"


@pytest.mark.requirement("R-ST3")
async def test_a_draining_server_answers_what_a_publish_stream_sent_and_then_fails_it(
    bus: RunningBus,
) -> None:
    call: Any = bus.stub.PublishStream()
    await call.write(pb.PublishStreamRequest(events=[event("1")]))
    kinds = [(await call.read()).WhichOneof("payload") for _ in range(2)]
    assert kinds == ["connected", "publish_results"]
    async with asyncio.TaskGroup() as group:
        group.create_task(bus.running.server.drain(5))
        last = await call.read()
        assert isinstance(last, pb.PublishStreamResponse)
        assert error_info(last.publish_failed.status).reason == "DRAINING"
        assert await call.code() is grpc.StatusCode.UNAVAILABLE
