"""The publisher of a load: numbered events at a steady rate."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc

from vidence.event.v1 import event_pb2, event_service_pb2, event_service_pb2_grpc
from vidence_cli.load.subscriber import SENT_AT
from vidence_client import VidenceError

if TYPE_CHECKING:
    from vidence.event.v1.event_service_pb2_grpc import EventServiceAsyncStub

_TICK_S = 0.01
_BATCH = 1000
_TIMEOUT_S = 10.0
_RETRY_S = 0.2


@dataclass(slots=True)
class Published:
    """What was published: number of the last event, failed and repeated calls by reason, time taken in s."""

    last_number: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    duration_s: float = 0.0


async def publish_steadily(
    channel: grpc.aio.Channel,
    published: Published,
    *,
    source: str,
    per_second: float,
    until_s: float,
    monotonic: Callable[[], float],
) -> None:
    """Publishes events `1, 2, 3, …` of `source` until a time; what is due at once goes in one call.

    Args:
        channel: The connection.
        published: Counts along.
        source: Nobody else's source.
        per_second: Events per second.
        until_s: When to end, on `monotonic`.
        monotonic: Seconds on a clock that never goes back; the events carry it.
    """
    stub = event_service_pb2_grpc.EventServiceStub(channel)
    began_s = monotonic()
    while (now_s := monotonic()) < until_s:
        due = int((now_s - began_s) * per_second) - published.last_number
        if due <= 0:
            await asyncio.sleep(max(_TICK_S, 1 / per_second - (now_s - began_s) % (1 / per_second)))
            continue
        await _publish_once(stub, published, source, min(due, _BATCH), monotonic)
        published.duration_s = monotonic() - began_s


async def _publish_once(
    stub: EventServiceAsyncStub,
    published: Published,
    source: str,
    count: int,
    monotonic: Callable[[], float],
) -> None:
    numbers = range(published.last_number + 1, published.last_number + count + 1)
    request = event_service_pb2.PublishRequest(
        events=[_event(source, number, monotonic()) for number in numbers]
    )
    try:
        await stub.Publish(request, timeout=_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        # the same source and ids again: what did arrive is recognised
        failure = VidenceError.from_rpc_error(error)
        published.failures[failure.reason or failure.code.name] += 1
        await asyncio.sleep(_RETRY_S)
        return
    published.last_number = numbers[-1]


def _event(source: str, number: int, now_s: float) -> event_pb2.Event:
    return event_pb2.Event(
        source=source,
        id=str(number),
        sequence=number,
        type="load.published",
        severity=event_pb2.SEVERITY_DEBUG,
        opaque=event_pb2.OpaqueData(content_type="application/octet-stream", content=SENT_AT.pack(now_s)),
    )
