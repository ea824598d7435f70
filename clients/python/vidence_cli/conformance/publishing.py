"""Scenarios of publishing: acknowledgements, repetition, refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import grpc

from vidence.event.v1 import event_pb2, event_service_pb2, event_service_pb2_grpc
from vidence_cli.conformance.bench import PATIENCE_S, Bench
from vidence_cli.wire import open_connection
from vidence_client import VidenceError

if TYPE_CHECKING:
    from vidence.event.v1.event_service_pb2_grpc import EventServiceAsyncStub

_PER_CALL = 4
_LEVELS = (event_pb2.DURABILITY_MEMORY, event_pb2.DURABILITY_WRITTEN, event_pb2.DURABILITY_SYNCED)
_SEVERITIES = (event_pb2.SEVERITY_DEBUG, event_pb2.SEVERITY_INFO, event_pb2.SEVERITY_ERROR)


def make_event(source: str, number: int) -> event_pb2.Event:
    """Event `number` of a run; type, subject, severity and attribute differ in a fixed way."""
    return event_pb2.Event(
        source=source,
        id=str(number),
        sequence=number,
        type="conformance.even" if number % 2 == 0 else "conformance.odd",
        subject=f"runs/{number % 3}/events/{number}",
        severity=_SEVERITIES[number % 3],
        attributes={"third": str(number % 3)},
        opaque=event_pb2.OpaqueData(content_type="text/plain", content=b"conformance"),
    )


async def publish_all(bench: Bench, count: int) -> None:
    """Publishes events of the run: in calls of a few at each level of durability, then as a stream."""
    events = [make_event(bench.source, number) for number in range(1, count + 1)]
    half = count // 2 // _PER_CALL * _PER_CALL
    async with open_connection(bench.address) as channel:
        stub = event_service_pb2_grpc.EventServiceStub(channel)
        for call, start in enumerate(range(0, half, _PER_CALL)):
            await _publish_call(bench, stub, events[start : start + _PER_CALL], _LEVELS[call % len(_LEVELS)])
        await _publish_stream(bench, stub, events[half:])
        await _publish_again(bench, stub)
        await _publish_refused(bench, stub)
    cursors = [event.cursor for event in bench.published]
    rising = cursors == sorted(set(cursors))
    bench.verdicts.expect("publish", "Ordered", rising, "acknowledged cursors do not rise")


async def publish_more(bench: Bench, count: int) -> None:
    """Publishes the next events of the run in one call."""
    following = len(bench.published) + 1
    events = [make_event(bench.source, number) for number in range(following, following + count)]
    async with open_connection(bench.address) as channel:
        stub = event_service_pb2_grpc.EventServiceStub(channel)
        await _publish_call(bench, stub, events, event_pb2.DURABILITY_WRITTEN)


async def _publish_call(
    bench: Bench,
    stub: EventServiceAsyncStub,
    events: Sequence[event_pb2.Event],
    level: event_pb2.Durability.ValueType,
) -> None:
    request = event_service_pb2.PublishRequest(events=events, durability=level)
    answer = await stub.Publish(request, timeout=PATIENCE_S)
    _acknowledge(bench, "publish", events, answer.results, level)


async def _publish_stream(
    bench: Bench, stub: EventServiceAsyncStub, events: Sequence[event_pb2.Event]
) -> None:
    async def requests() -> AsyncIterator[event_service_pb2.PublishStreamRequest]:
        for start in range(0, len(events), _PER_CALL):
            yield event_service_pb2.PublishStreamRequest(events=events[start : start + _PER_CALL])

    messages = [message async for message in stub.PublishStream(requests(), timeout=PATIENCE_S)]
    results = [result for message in messages for result in message.publish_results.results]
    _acknowledge(bench, "publish stream", events, results, event_pb2.DURABILITY_WRITTEN)
    expect = bench.verdicts.expect
    kinds = [message.WhichOneof("payload") for message in messages]
    expect("publish stream", "Ordered", kinds[:1] == ["connected"], "it did not begin with connected")
    numbered = [message.sequence for message in messages] == list(range(1, len(messages) + 1))
    expect("publish stream", "Ordered", numbered, "its messages are not numbered 1, 2, 3, …")
    ends = [kind for kind in kinds if kind in {"publish_complete", "publish_failed"}]
    terminated = ends == ["publish_complete"] and kinds[-1:] == ends
    expect("publish stream", "Terminated", terminated, "it did not end with one publish_complete")
    counted = messages[-1].publish_complete.published_count == len(events) if messages else False
    expect("publish stream", "Counted", counted, "publish_complete counts otherwise than its results")


def _acknowledge(
    bench: Bench,
    scenario: str,
    events: Sequence[event_pb2.Event],
    results: Sequence[event_service_pb2.PublishResult],
    level: event_pb2.Durability.ValueType,
) -> None:
    """Judges the results of events that are new, and keeps what was acknowledged."""
    expect = bench.verdicts.expect
    expect(scenario, "Acknowledged", len(results) == len(events), "there is not one result per event")
    refused = sum(result.HasField("error") or result.repeated for result in results)
    expect(scenario, "Acknowledged", not refused, f"{refused} new events were refused or not new")
    reached = all(result.durability >= level for result in results if not result.HasField("error"))
    expect(scenario, "Durable", reached, "an event was acknowledged below the durability asked for")
    for event, result in zip(events, results, strict=False):
        if result.cursor and not result.repeated:
            kept = event_pb2.Event()
            kept.CopyFrom(event)
            kept.cursor = result.cursor
            bench.published.append(kept)


async def _publish_again(bench: Bench, stub: EventServiceAsyncStub) -> None:
    again = [make_event(bench.source, int(event.id)) for event in bench.published[:_PER_CALL]]
    answer = await stub.Publish(event_service_pb2.PublishRequest(events=again), timeout=PATIENCE_S)
    for first, result in zip(bench.published, answer.results, strict=False):
        recognised = result.repeated and result.cursor == first.cursor
        bench.verdicts.expect("publish again", "Idempotent", recognised, "a repetition was not recognised")


async def _publish_refused(bench: Bench, stub: EventServiceAsyncStub) -> None:
    """Calls that must be refused as a whole, each with its reason."""
    following = len(bench.published) + 1
    hole = make_event(bench.source, following + 7)
    untyped = make_event(bench.source, following)
    untyped.ClearField("type")
    large = make_event(bench.source, following)
    large.opaque.content = bytes(65_000)
    good = event_pb2.Event(source=bench.source, id="refused", type="conformance.refused")
    for wrong, reason in (
        (hole, "SEQUENCE_MISMATCH"),
        (untyped, "REQUEST_INVALID"),
        (large, "EVENT_TOO_LARGE"),
    ):
        request = event_service_pb2.PublishRequest(events=[good, wrong])
        told = await _reason_of(stub, request)
        bench.verdicts.expect(
            "publish refused", "Refused", told == reason, f"{told or 'OK'} instead of {reason}"
        )
    absent = event_service_pb2.GetEventRequest(
        key=event_service_pb2.EventKey(source=bench.source, id="refused")
    )
    try:
        await stub.GetEvent(absent, timeout=PATIENCE_S)
        reason = ""
    except grpc.aio.AioRpcError as error:
        reason = VidenceError.from_rpc_error(error).reason
    atomic = reason == "EVENT_NOT_FOUND"
    bench.verdicts.expect("publish refused", "Atomic", atomic, "a part of a refused call was published")


async def _reason_of(stub: EventServiceAsyncStub, request: event_service_pb2.PublishRequest) -> str:
    """The reason with which a call is refused; empty where it is not."""
    try:
        await stub.Publish(request, timeout=PATIENCE_S)
    except grpc.aio.AioRpcError as error:
        failure = VidenceError.from_rpc_error(error)
        return failure.reason or failure.code.name
    return ""
