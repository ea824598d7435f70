"""Scenarios of looking events up, and of the numbers of the bus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidence.event.v1 import event_pb2, event_service_pb2, event_service_pb2_grpc, event_statistics_pb2
from vidence_cli.conformance.bench import PATIENCE_S, Bench
from vidence_cli.wire import open_connection

if TYPE_CHECKING:
    from vidence.event.v1.event_service_pb2_grpc import EventServiceAsyncStub

_PAGE = 7


async def look_up(bench: Bench) -> None:
    """Lists the run's events in pages and gets some of them by both their names."""
    async with open_connection(bench.address) as channel:
        stub = event_service_pb2_grpc.EventServiceStub(channel)
        listed = await _list_all(bench, stub)
        expected = [event.cursor for event in reversed(bench.published)]
        same = [event.cursor for event in listed] == expected
        bench.verdicts.expect("list", "Listed", same, "the pages are not what was published, newest first")
        for event in bench.published[::_PAGE]:
            key = event_service_pb2.EventKey(source=event.source, id=event.id)
            for request in (
                event_service_pb2.GetEventRequest(cursor=event.cursor),
                event_service_pb2.GetEventRequest(key=key),
            ):
                answer = await stub.GetEvent(request, timeout=PATIENCE_S)
                same = _without_time(answer.event) == event
                bench.verdicts.expect("get", "Listed", same, "the event is not what was published")


async def _list_all(bench: Bench, stub: EventServiceAsyncStub) -> list[event_pb2.Event]:
    events: list[event_pb2.Event] = []
    request = event_service_pb2.ListEventsRequest(filter=bench.own(), page_size=_PAGE)
    while True:
        page = await stub.ListEvents(request, timeout=PATIENCE_S)
        events += page.events
        if not page.next_page_token:
            return events
        request.page_token = page.next_page_token


def _without_time(event: event_pb2.Event) -> event_pb2.Event:
    bare = event_pb2.Event()
    bare.CopyFrom(event)
    bare.ClearField("emit_time")
    return bare


async def numbers(bench: Bench) -> event_statistics_pb2.Statistics:
    """The numbers of the bus."""
    async with open_connection(bench.address) as channel:
        stub = event_service_pb2_grpc.EventServiceStub(channel)
        request = event_service_pb2.GetStatisticsRequest()
        answer = await stub.GetStatistics(request, timeout=PATIENCE_S)
        return answer.statistics


def judge_numbers(
    bench: Bench, before: event_statistics_pb2.Statistics, after: event_statistics_pb2.Statistics
) -> None:
    """Compares what the bus counted during the run with what the run did; others may have added to it."""
    expect = bench.verdicts.expect
    expect("statistics", "Counted", after.running, "the bus says that it does not run")
    published = after.total_published - before.total_published
    expect("statistics", "Counted", published >= len(bench.published), "it counts fewer events than it took")
    repeated = after.total_repeated - before.total_repeated
    expect("statistics", "Counted", repeated >= 1, "it does not count repetitions")
    errors = after.total_errors - before.total_errors
    expect("statistics", "Counted", errors >= 1, "it does not count refused events")
    total = sum(after.errors_by_reason.values())
    expect("statistics", "Counted", total == after.total_errors, "its errors by reason do not add up")
    delivered = after.total_delivered - before.total_delivered
    expect("statistics", "Counted", delivered >= len(bench.published), "it counts too few deliveries")
    opened = after.total_subscriptions - before.total_subscriptions
    expect("statistics", "Counted", opened >= 1, "it does not count subscriptions")
