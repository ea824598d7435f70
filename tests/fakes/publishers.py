"""Publishers of tests, and what a bus got of theirs."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from fakes.event_servicer import Bus, Served
from fakes.extraction_servicer import duration
from vidence.event.v1 import event_service_pb2 as pb
from vidence.stream.v1.stream_control_pb2 import Connected
from vidence_client import (
    Publisher,
    RetryPolicy,
)

QUICK = RetryPolicy(base_delay_s=0.01, maximum_delay_s=0.05)

PATIENCE_S = 60.0


def make(address: str, **options: Any) -> Publisher:
    return Publisher(address, source="till/7", **{"retry": QUICK, **options})


def check_books(publisher: Publisher) -> None:
    numbers = publisher.statistics()
    dropped = sum(numbers.dropped.values())
    assert numbers.published == numbers.acknowledged + numbers.errors + dropped + numbers.waiting


def subjects(served: Served) -> list[str]:
    return [event.subject for event in served.bus.log]


async def taken_by(bus: Bus, count: int) -> None:
    """Returns when a bus has taken so many events."""
    async with bus.changed, asyncio.timeout(PATIENCE_S):
        await bus.changed.wait_for(lambda: len(bus.log) >= count)


async def set_event(event: asyncio.Event) -> None:
    event.set()


class ScriptedLine:
    """Connections that give the answers of a script and then nothing more."""

    def __init__(self, *scripts: list[pb.PublishStreamResponse]) -> None:
        self._scripts = deque(scripts)
        self.opened = 0

    async def connect(self) -> ScriptedConnection:
        self.opened += 1
        return ScriptedConnection(self._scripts.popleft() if self._scripts else None)

    async def close(self) -> None: ...


class ScriptedConnection:
    def __init__(self, answers: list[pb.PublishStreamResponse] | None) -> None:
        self._answers = answers

    async def send(self, request: bytes) -> None: ...

    async def finish(self) -> None: ...

    async def receive(self) -> bytes | None:
        if self._answers is None:
            await asyncio.Event().wait()
        return self._answers.pop(0).SerializeToString() if self._answers else None

    async def close(self) -> None: ...


def opened(heartbeat_period_s: float = 30) -> pb.PublishStreamResponse:
    connected = Connected(heartbeat_period=duration(heartbeat_period_s), retry_delay=duration(0))
    return pb.PublishStreamResponse(connected=connected)
