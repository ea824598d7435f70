"""Watches against servers that break their promises, message by message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from fakes.event_log import cursor
from fakes.extraction_servicer import duration
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.stream.v1 import stream_control_pb2 as control
from vidence_client import (
    ClientReason,
    RetryPolicy,
    VidenceError,
)
from vidence_client.channel import Channel
from vidence_client.events import EventWatch
from vidence_client.watch import Watch

pytestmark = pytest.mark.requirement("R-ST4")

QUICK = RetryPolicy(base_delay_s=0.01, maximum_delay_s=0.05)


class ScriptedCall:
    """A call that gives the messages of a script, then ends."""

    def __init__(self, script: list[pb.SubscribeResponse]) -> None:
        self._script = list(script)

    async def read(self) -> object:
        return self._script.pop(0) if self._script else grpc.aio.EOF

    def cancel(self) -> bool:
        return True


def opened(at: int = 0) -> pb.SubscribeResponse:
    connected = control.Connected(heartbeat_period=duration(30), retry_delay=duration(0), cursor=cursor(at))
    return pb.SubscribeResponse(control=control.StreamControl(connected=connected), cursor=cursor(at))


def batch(previous: int, *offsets: int) -> pb.SubscribeResponse:
    events = [event_pb2.Event(cursor=cursor(offset), subject=str(offset)) for offset in offsets]
    return pb.SubscribeResponse(events=events, cursor=cursor(max(offsets)), previous_cursor=cursor(previous))


def disconnected(at: int, *, reason: Any, retry_delay_s: float | None = None) -> pb.SubscribeResponse:
    ending = control.Disconnected(reason=reason, cursor=cursor(at))
    if retry_delay_s is not None:
        ending.retry_delay.CopyFrom(duration(retry_delay_s))
    return pb.SubscribeResponse(
        control=control.StreamControl(disconnected=ending), cursor=cursor(at), previous_cursor=cursor(at)
    )


@asynccontextmanager
async def scripted(*scripts: list[pb.SubscribeResponse], after: str = "") -> AsyncIterator[EventWatch]:
    channel = Channel("127.0.0.1:1", retry=QUICK)
    waiting = list(scripts)
    yield Watch(
        lambda position: ScriptedCall(waiting.pop(0)), lambda response: response.events, channel, after=after
    )
    await channel.close()


@pytest.mark.requirement("R-ST1")
@pytest.mark.parametrize(
    "script",
    [
        [batch(0, 1)],
        [opened(), batch(1, 2)],
        [opened(), batch(0, 2, 1)],
        [opened(), batch(0, 1, 1)],
        [opened(), batch(0, 1), batch(1, 1)],
        [opened(), disconnected(0, reason=control.DISCONNECT_REASON_ENDED), batch(0, 1)],
    ],
    ids=["no connected", "hole", "out of order", "twice", "again", "after the end"],
)
async def test_a_guarantee_that_is_broken_ends_the_watch(script: list[pb.SubscribeResponse]) -> None:
    async with scripted(script) as watch:
        with pytest.raises(VidenceError) as raised:
            async for _ in watch:
                pass
    assert raised.value.reason == ClientReason.STREAM_BROKEN


async def test_a_stream_that_resumes_elsewhere_is_broken() -> None:
    async with scripted([opened(5)], after=cursor(3)) as watch:
        with pytest.raises(VidenceError, match="where it was asked to"):
            await anext(watch)


async def test_what_was_watched_may_come_to_its_end() -> None:
    ended = disconnected(1, reason=control.DISCONNECT_REASON_ENDED)
    async with scripted([opened(), batch(0, 1), ended]) as watch:
        assert [event.subject async for event in watch] == ["1"]


async def test_a_server_that_names_a_delay_is_asked_again() -> None:
    idle = disconnected(1, reason=control.DISCONNECT_REASON_IDLE, retry_delay_s=0.001)
    ended = disconnected(2, reason=control.DISCONNECT_REASON_ENDED)
    scripts = [opened(), batch(0, 1), idle], [opened(1), batch(1, 2), ended]
    async with scripted(*scripts) as watch:
        assert [event.subject async for event in watch] == ["1", "2"]
