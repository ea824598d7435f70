"""Every RPC of the event service over a real connection: what it promises, refuses and limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from eventually import PATIENCE_S, eventually
from fakes.event_bus import RunningBus, event_server
from fakes.event_calls import collected, failure, publish, reason
from fakes.runtime import retry_info, status_of
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.stream.v1 import stream_control_pb2 as stream_pb
from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.cursor import Cursor, log_id

EARLIEST = stream_pb.START_POSITION_EARLIEST


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[RunningBus]:
    async with event_server(tmp_path, statistics_period_s=0.01) as running:
        yield running


async def read(call: Any, events: int) -> tuple[list[Any], list[Any]]:
    """Messages of a watch until it has given so many events: the messages, and the events."""
    messages: list[Any] = []
    got: list[Any] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(got) < events:
            messages.append(await call.read())
            got += messages[-1].events
    return messages, got


@pytest.mark.requirement("R-EV1")
@pytest.mark.requirement("R-ST2")
@pytest.mark.requirement("R-ST3")
async def test_a_subscription_begins_connected_and_chains_its_messages(bus: RunningBus) -> None:
    await publish(bus, "1", "2")
    call = bus.stub.Subscribe(pb.SubscribeRequest(position=EARLIEST))
    first, *messages = (await read(call, 2))[0]
    assert first.control.connected.connection_id.startswith("con_")
    await publish(bus, "3")
    messages += (await read(call, 1))[0]
    events = [one for message in messages for one in message.events]
    assert [one.id for one in events] == ["1", "2", "3"]
    cursors = [first.cursor, *(message.cursor for message in messages)]
    assert [message.previous_cursor for message in messages] == cursors[:-1]
    assert events[-1].cursor == cursors[-1]
    assert all(one.HasField("emit_time") for one in events)
    call.cancel()


@pytest.mark.requirement("R-EV1")
async def test_subscriptions_start_where_they_ask(bus: RunningBus) -> None:
    cursors = await publish(bus, "1", "2", "3")
    (middle,) = (await bus.stub.GetEvent(pb.GetEventRequest(cursor=cursors[1])),)
    starts: dict[str, tuple[dict[str, Any], list[str]]] = {
        "earliest": ({"position": EARLIEST}, ["1", "2", "3", "4"]),
        "cursor": ({"after_cursor": cursors[1]}, ["3", "4"]),
        "time": ({"since_time": middle.event.emit_time}, ["1", "2", "3", "4"]),
        "later": ({"since_time": Timestamp(seconds=2**33)}, ["4"]),
        "latest": ({"position": stream_pb.START_POSITION_LATEST}, ["4"]),
        "unset": ({}, ["4"]),
    }
    calls = {name: bus.stub.Subscribe(pb.SubscribeRequest(**fields)) for name, (fields, _) in starts.items()}
    for call in calls.values():
        await call.read()
    await publish(bus, "4")
    for name, call in calls.items():
        expected = starts[name][1]
        assert [one.id for one in (await read(call, len(expected)))[1]] == expected, name
        call.cancel()


@pytest.mark.requirement("R-EV1")
async def test_subscriptions_are_filtered(bus: RunningBus) -> None:
    await publish(bus, "a", type="library.created", subject="libraries/1", severity=event_pb2.SEVERITY_ERROR)
    await publish(bus, "b", source="elsewhere", attributes={"country": "PHL"})
    await publish(bus, "c")
    filters = {
        "a": event_pb2.EventFilter(types=["library.*"]),
        "b": event_pb2.EventFilter(attributes={"country": ""}),
    }
    for wanted, one in {
        **filters,
        "a ": event_pb2.EventFilter(subject_pattern="libraries/*"),
        "a  ": event_pb2.EventFilter(minimum_severity=event_pb2.SEVERITY_WARNING),
        "b ": event_pb2.EventFilter(sources=["else*"]),
    }.items():
        call = bus.stub.Subscribe(pb.SubscribeRequest(position=EARLIEST, filter=one))
        assert [got.id for got in (await read(call, 1))[1]] == [wanted.strip()]
        call.cancel()


@pytest.mark.requirement("R-ST3")
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"after_cursor": "not a cursor"}, "CURSOR_INVALID"),
        ({"after_cursor": str(Cursor(1, 2, 3))}, "CURSOR_FOREIGN"),
        ({"after_cursor": str(Cursor(log_id("default", "bus"), 2, 3))}, "CURSOR_EXPIRED"),
        ({"on_overflow": stream_pb.ON_OVERFLOW_BLOCK}, "REQUEST_INVALID"),
        ({"heartbeat_period": Duration(nanos=1)}, "REQUEST_INVALID"),
        ({"filter": event_pb2.EventFilter(types=[""])}, "REQUEST_INVALID"),
    ],
)
async def test_subscriptions_are_refused_with_a_reason(
    bus: RunningBus, fields: dict[str, Any], expected: str
) -> None:
    error = await failure(bus.stub.Subscribe(pb.SubscribeRequest(**fields)).read())
    assert reason(error) == expected


@pytest.mark.requirement("R-ST3")
async def test_a_draining_server_says_goodbye_to_subscribers(bus: RunningBus) -> None:
    call = bus.stub.Subscribe(pb.SubscribeRequest())
    await call.read()
    async with asyncio.TaskGroup() as group:
        group.create_task(bus.running.server.drain(5))
        (last,) = await collected(call)
    assert last.control.disconnected.reason == stream_pb.DISCONNECT_REASON_DRAINING
    assert await call.code() is grpc.StatusCode.OK


@pytest.mark.requirement("R-ST11")
async def test_streams_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    async with event_server(tmp_path, server={"max_streams": 1}) as bus:
        call = bus.stub.Subscribe(pb.SubscribeRequest())
        await call.read()
        error = await failure(bus.stub.Subscribe(pb.SubscribeRequest()).read())
        assert reason(error) == "STREAM_LIMIT"
        assert retry_info(status_of(error)).HasField("retry_delay")
        call.cancel()


@pytest.mark.requirement("R-EV1")
async def test_listings_come_in_pages(bus: RunningBus) -> None:
    await publish(bus, *(str(number) for number in range(7)), subject="a/b")
    await publish(bus, "other")
    listed: list[str] = []
    request = pb.ListEventsRequest(
        filter=event_pb2.EventFilter(subject_pattern="a/*"), query="Extracted", page_size=3
    )
    while True:
        page = await bus.stub.ListEvents(request)
        listed += [one.id for one in page.events]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert listed == ["6", "5", "4", "3", "2", "1", "0"]


@pytest.mark.requirement("R-EV1", "R-ST4")
@pytest.mark.parametrize("before", [(), ("0", "1")], ids=["an empty log", "events that do not match"])
async def test_what_comes_after_a_listing_is_heard_behind_its_cursor(
    bus: RunningBus, before: tuple[str, ...]
) -> None:
    if before:
        await publish(bus, *before)
    wanted = event_pb2.EventFilter(subject_pattern="a/*")
    listing = await bus.stub.ListEvents(pb.ListEventsRequest(filter=wanted))
    assert not listing.events
    await publish(bus, "2", "3", subject="a/b")
    call = bus.stub.Subscribe(pb.SubscribeRequest(filter=wanted, after_cursor=listing.cursor))
    assert [one.id for one in (await read(call, 2))[1]] == ["2", "3"]
    call.cancel()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"page_size": 1001}, "REQUEST_INVALID"),
        ({"page_size": -1}, "REQUEST_INVALID"),
        ({"page_token": "mine"}, "PAGE_TOKEN_INVALID"),
        ({"query": "q" * 257}, "REQUEST_INVALID"),
    ],
)
async def test_listings_are_refused_with_a_reason(
    bus: RunningBus, fields: dict[str, Any], expected: str
) -> None:
    assert reason(await failure(bus.stub.ListEvents(pb.ListEventsRequest(**fields)))) == expected


@pytest.mark.requirement("R-EV1")
async def test_one_event_is_given_by_cursor_and_by_name(bus: RunningBus) -> None:
    (cursor,) = await publish(bus, "1", subject="s", attributes={"k": "v"})
    by_cursor = await bus.stub.GetEvent(pb.GetEventRequest(cursor=cursor))
    key = pb.EventKey(source="vidence/tests", id="1")
    assert await bus.stub.GetEvent(pb.GetEventRequest(key=key)) == by_cursor
    assert by_cursor.event.cursor == cursor
    assert by_cursor.event.attributes == {"k": "v"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "REQUEST_INVALID"),
        ({"cursor": "mine"}, "CURSOR_INVALID"),
        ({"cursor": str(Cursor(1, 2, 3))}, "CURSOR_FOREIGN"),
        ({"cursor": str(Cursor(log_id("default", "bus"), 2, 3))}, "EVENT_NOT_FOUND"),
        ({"key": pb.EventKey(source="a", id="b")}, "EVENT_NOT_FOUND"),
    ],
)
async def test_what_cannot_be_given_has_a_reason(
    bus: RunningBus, fields: dict[str, Any], expected: str
) -> None:
    assert reason(await failure(bus.stub.GetEvent(pb.GetEventRequest(**fields)))) == expected


@pytest.mark.requirement("R-EV2")
@pytest.mark.requirement("R-ST11")
async def test_statistics_tell_of_streams_and_log(bus: RunningBus) -> None:
    call = bus.stub.Subscribe(pb.SubscribeRequest(position=EARLIEST))
    connected = await call.read()
    assert isinstance(connected, pb.SubscribeResponse)
    cursors = await publish(bus, "1", "2")
    await publish(bus, "2")
    await read(call, 2)
    await eventually(lambda: bus.service.statistics().total_delivered == 2)
    numbers = (await bus.stub.GetStatistics(pb.GetStatisticsRequest())).statistics
    assert (numbers.total_published, numbers.total_repeated, numbers.total_errors) == (2, 1, 0)
    assert (numbers.subscriber_count, numbers.running) == (1, True)
    assert numbers.log.newest_cursor == cursors[-1]
    assert numbers.log.HasField("oldest_time")
    (subscriber,) = numbers.subscribers
    assert subscriber.connection_id == connected.control.connected.connection_id
    assert (subscriber.delivered, subscriber.lag_events, subscriber.cursor) == (2, 0, cursors[-1])
    assert not subscriber.HasField("stalled_duration")
    call.cancel()


@pytest.mark.requirement("R-EV2")
@pytest.mark.requirement("R-ST2")
async def test_the_numbers_can_be_watched(bus: RunningBus) -> None:
    await publish(bus, "1")
    call = bus.stub.WatchStatistics(pb.WatchStatisticsRequest())
    messages, snapshots = await read(call, 3)
    assert messages[0].control.HasField("connected")
    assert [one.sequence for one in snapshots] == [1, 2, 3]
    assert {one.snapshot.total_published for one in snapshots} == {1}
    last = snapshots[-1].cursor
    call.cancel()
    again = bus.stub.WatchStatistics(pb.WatchStatisticsRequest(after_cursor=last))
    _, resumed = await read(again, 1)
    assert resumed[0].sequence == 4
    again.cancel()


async def test_the_numbers_do_not_resume_by_a_cursor_of_the_bus(bus: RunningBus) -> None:
    (cursor,) = await publish(bus, "1")
    call = bus.stub.WatchStatistics(pb.WatchStatisticsRequest(after_cursor=cursor))
    assert reason(await failure(call.read())) == "CURSOR_FOREIGN"


@pytest.mark.requirement("R-EV3")
async def test_one_database_has_one_owner(bus: RunningBus, tmp_path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        async with event_server(tmp_path):
            raise AssertionError("opened")
    assert caught.value.reason is Reason.DATABASE_IN_USE
