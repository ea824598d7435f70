"""A thousand logs watched at once: nobody sees an event of another."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.broadcast import Broadcast
from vidence_server.streams.cursor import Cursor, log_id
from vidence_server.streams.frames import Batch, End, EndReason
from vidence_server.streams.memory_log import MemoryLog
from vidence_server.streams.requests import AfterCursor, Latest, SubscriptionRequest
from vidence_server.streams.ring import RingLimits

SESSIONS = 1000
EVENTS = 20_000


class Session:
    """One log, its broadcast and one watcher."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log = MemoryLog(log=log_id("default", name), epoch=1, capacity=100)
        self.broadcast = Broadcast(self.log, RingLimits(max_events=100), SystemClock())
        self.sent: list[str] = []
        self.seen: list[tuple[str, str]] = []

    def publish(self, text: str) -> None:
        body = event_pb2.Event(source=self.name, type="t", id=text).SerializeToString()
        self.broadcast.extend([self.log.append(body, time_ns=1, key=None)])
        self.sent.append(text)

    async def watch(self, opened: asyncio.Event) -> None:
        subscription = await self.broadcast.subscribe(SubscriptionRequest(Latest(), f"con_{self.name}", 30.0))
        opened.set()
        while not isinstance(frame := await subscription.next(), End):
            if isinstance(frame, Batch):
                response = pb.SubscribeResponse.FromString(frame.message)
                self.seen += [(event.source, event.id) for event in response.events]
        self.broadcast.close(subscription)


@pytest.mark.requirement("R-ST8")
async def test_a_thousand_watched_sessions_see_their_own_events_only_and_all_of_them() -> None:
    draw = random.Random(8)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        sessions = [Session(f"sessions/{number}") for number in range(SESSIONS)]
        for session in sessions:
            await stack.enter_async_context(session.broadcast)
            opened = asyncio.Event()
            group.create_task(session.watch(opened))
            await opened.wait()
        for number in range(EVENTS):
            draw.choice(sessions).publish(str(number))
            if number % 100 == 0:
                await asyncio.sleep(0)
        for session in sessions:
            session.broadcast.end(EndReason.ENDED)
    assert all(session.seen == [(session.name, text) for text in session.sent] for session in sessions)
    assert sum(len(session.seen) for session in sessions) == EVENTS


@pytest.mark.requirement("R-ST8")
async def test_a_cursor_of_another_tenants_log_of_the_same_name_opens_nothing() -> None:
    theirs = MemoryLog(log=log_id("other", "bus"), epoch=1, capacity=10)
    ours = MemoryLog(log=log_id("default", "bus"), epoch=1, capacity=10)
    async with Broadcast(ours, RingLimits(), SystemClock()) as broadcast:
        stolen = AfterCursor(Cursor(theirs.log, theirs.epoch, 0))
        with pytest.raises(DomainError) as caught:
            await broadcast.subscribe(SubscriptionRequest(stolen, "con_1", 30.0))
        assert caught.value.reason is Reason.CURSOR_FOREIGN
