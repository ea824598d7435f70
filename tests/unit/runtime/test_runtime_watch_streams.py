"""Watch streams with a client that speaks: replies stand in the chain wherever they come."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import pytest

from fakes.streams import FakeLog, broadcast_of, cursor_at
from vidence.event.v1 import event_service_pb2 as pb
from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.settings import ServerSettings
from vidence_server.runtime.watch_streams import WatchRequest, WatchStreams
from vidence_server.streams.requests import AfterCursor, OnExpired
from vidence_server.streams.subscription import Subscription


class Call:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written: list[pb.OpenSessionResponse] = []

    async def send_initial_metadata(self, metadata: object) -> None:
        """Nobody looks at it."""

    async def write(self, message: bytes) -> None:
        self.written.append(pb.OpenSessionResponse.FromString(message))

    def time_remaining(self) -> None:
        """No deadline."""


class Pings:
    """A client that pings before anything else, and then leaves."""

    def __init__(self, count: int) -> None:
        self._count = count

    def begin(self, subscription: Subscription) -> None:
        """It has credit without end."""

    async def reply(self) -> bytes | None:
        self._count -= 1
        if self._count < 0:
            return None
        return pb.OpenSessionResponse(pong=pb.Pong(text="here")).SerializeToString()


@pytest.mark.requirement("R-ST1", "R-ST4")
async def test_replies_before_the_first_gap_keep_the_chain() -> None:
    clock = SystemClock()
    metrics = Metrics(version="0.0.0")
    streams = WatchStreams(ServerSettings(), metrics=metrics.streams, clock=clock, ids=IdFactory(clock))
    log, call = FakeLog(), Call()
    async with broadcast_of(log) as broadcast:
        broadcast.extend(log.append(3))
        expired = AfterCursor(cursor_at(2, epoch=0xC))
        await streams.serve(
            cast(Any, call),
            broadcast,
            WatchRequest(expired, on_expired=OnExpired.GAP),
            Pings(5),
        )
    assert sum(response.HasField("pong") for response in call.written) == 5
    assert call.written[0].cursor == str(cursor_at(2, epoch=0xC))
    for before, after in pairwise(call.written):
        assert after.previous_cursor == before.cursor
