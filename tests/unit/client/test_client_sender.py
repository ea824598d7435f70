"""What sends for a publisher, against connections that play scripts."""

from __future__ import annotations

import asyncio
import random
from collections import deque

import pytest

from fakes.publishers import PATIENCE_S, QUICK, ScriptedConnection, ScriptedLine, opened
from vidence.event.v1 import event_service_pb2 as pb
from vidence.stream.v1.stream_control_pb2 import Heartbeat
from vidence_client import (
    ClientReason,
    make_event,
)
from vidence_client.publishing.buffer import Buffer
from vidence_client.publishing.encoding import naming
from vidence_client.publishing.sender import Sender

pytestmark = pytest.mark.requirement("R-ST9", "R-EV1")


TOO_MANY = pb.PublishStreamResponse(publish_results=pb.PublishResults(results=[pb.PublishResult()]))


class CoalescingConnection(ScriptedConnection):
    """Answers three requests of two events each by two messages that end in the middle of a request."""

    def __init__(self) -> None:
        super().__init__(None)
        self._asked = asyncio.Queue[bytes]()
        self._messages = deque([opened()])

    async def send(self, request: bytes) -> None:
        await self._asked.put(request)

    async def receive(self) -> bytes | None:
        if not self._messages:
            requests = [pb.PublishStreamRequest.FromString(await self._asked.get()) for _ in range(3)]
            results = [pb.PublishResult(id=event.id) for request in requests for event in request.events]
            for part in (results[:3], results[3:]):
                message = pb.PublishStreamResponse(publish_results=pb.PublishResults(results=part))
                self._messages.append(message)
        return self._messages.popleft().SerializeToString()


class CoalescingLine(ScriptedLine):
    async def connect(self) -> ScriptedConnection:
        return CoalescingConnection()


async def test_results_of_several_requests_may_come_together() -> None:
    buffer = make_buffer()
    for _ in range(3):
        buffer.inbox.extend([make_event("till.sold").SerializeToString()] * 2)
        buffer.take()
    buffer.connection_lost()
    sender = Sender(buffer, CoalescingLine(), on_error=None, retry=QUICK, randomness=random.Random(7))
    running = asyncio.create_task(sender.run(lambda: None))
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wrap_future(buffer.wait_for_answers())
    running.cancel()
    await asyncio.wait([running])
    numbers = buffer.statistics()
    assert (numbers.acknowledged, numbers.waiting, numbers.reconnects) == (6, 0, 0)


def make_buffer() -> Buffer:
    return Buffer(
        limit_events=10, limit_bytes=1 << 20, drop_oldest=False, name=naming("till/7", "abc"), durability=0
    )


@pytest.mark.requirement("R-ST1")
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([pb.PublishStreamResponse(heartbeat=Heartbeat())], ClientReason.STREAM_BROKEN),
        (
            [opened(), TOO_MANY],
            ClientReason.STREAM_BROKEN,
        ),
        ([opened(), pb.PublishStreamResponse(heartbeat=Heartbeat())], ""),
        ([], ""),
    ],
    ids=["no connected", "results without a request", "ends without a word", "ends at once"],
)
async def test_a_stream_that_breaks_its_promises_is_replaced(
    script: list[pb.PublishStreamResponse], reason: str
) -> None:
    line = ScriptedLine(script)
    buffer = make_buffer()
    sender = Sender(buffer, line, on_error=None, retry=QUICK, randomness=random.Random(7))
    running = asyncio.create_task(sender.run(lambda: None))
    async with asyncio.timeout(PATIENCE_S):
        while line.opened < 2:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait([running])
    assert sender.last_failure is not None
    assert sender.last_failure.reason == reason
    assert buffer.statistics().reconnects == 1
