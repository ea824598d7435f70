"""Sessions of the bus over a real server: credit, acknowledgements, pings, their ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest

from eventually import PATIENCE_S, eventually
from fakes.runtime import RunningServer, error_info, running_server, status_of
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence.stream.v1 import stream_control_pb2 as stream
from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.event.app import open_service, register
from vidence_server.event.servicer import SERVICE_NAME
from vidence_server.event.settings import EventSettings
from vidence_server.runtime.server import RpcServer

Call = grpc.aio.StreamStreamCall[pb.OpenSessionRequest, pb.OpenSessionResponse]


class Session:
    """A client's end of a session."""

    def __init__(self, call: Any) -> None:
        self.call = call

    async def say(self, **message: Any) -> None:
        await self.call.write(pb.OpenSessionRequest(**message))

    async def hear(self) -> pb.OpenSessionResponse:
        async with asyncio.timeout(PATIENCE_S):
            response = await self.call.read()
        assert isinstance(response, pb.OpenSessionResponse)
        return response

    async def hear_events(self, count: int) -> list[pb.OpenSessionResponse]:
        heard: list[pb.OpenSessionResponse] = []
        while sum(len(response.events) for response in heard) < count:
            heard.append(await self.hear())
        return heard

    async def fails(self) -> grpc.aio.AioRpcError:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            while await self.call.read() is not grpc.aio.EOF:
                pass
        return caught.value


@asynccontextmanager
async def bus(folder: Path, **settings: Any) -> AsyncIterator[RunningServer]:
    clock = SystemClock()
    async with open_service(EventSettings(), folder, clock, IdFactory(clock)) as tenants:

        def services(server: RpcServer) -> dict[str, Any]:
            register(server, tenants)
            return {}

        async with running_server(services, **settings) as running:
            await running.server.mark_ready(SERVICE_NAME)
            yield running


def open_session(running: RunningServer) -> Session:
    return Session(pb_grpc.EventServiceStub(running.channel).OpenSession())


async def publish(running: RunningServer, count: int, *, first: int = 1) -> None:
    events = [event_pb2.Event(source="s", id=str(n), type="t") for n in range(first, first + count)]
    await pb_grpc.EventServiceStub(running.channel).Publish(pb.PublishRequest(events=events))


@pytest.mark.requirement("R-ST6", "R-EV1")
async def test_a_session_gets_what_it_has_credit_for_in_a_chain(tmp_path: Path) -> None:
    async with bus(tmp_path) as running:
        session = open_session(running)
        await session.say(opening={"initial_credit": 2, "subscription": {}})
        connected = await session.hear()
        assert connected.control.connected.connection_id.startswith("con_")
        await publish(running, 5)
        heard = await session.hear_events(2)
        await session.say(ping={"text": "between"})
        pong = await session.hear()
        assert (pong.pong.text, pong.cursor, pong.previous_cursor) == ("between", *[heard[-1].cursor] * 2)
        await session.say(credit={"event_count": 10})
        rest = await session.hear_events(3)
        everything = [connected, *heard, pong, *rest]
        assert [event.id for response in everything for event in response.events] == list("12345")
        for before, after in pairwise(everything):
            assert after.previous_cursor == before.cursor
        await session.call.done_writing()
        assert await session.call.read() is grpc.aio.EOF


async def test_pings_are_answered_in_order_and_before_the_end(tmp_path: Path) -> None:
    async with bus(tmp_path) as running:
        session = open_session(running)
        await session.say(opening={"subscription": {}})
        for number in range(50):
            await session.say(ping={"text": str(number)})
        await session.call.done_writing()
        await session.hear()
        assert [(await session.hear()).pong.text for _ in range(50)] == [str(n) for n in range(50)]
        assert await session.call.read() is grpc.aio.EOF


@pytest.mark.requirement("R-EV2")
async def test_an_acknowledgement_shows_in_the_statistics(tmp_path: Path) -> None:
    async with bus(tmp_path) as running:
        session = open_session(running)
        await session.say(opening={"initial_credit": 10, "subscription": {}})
        await session.hear()
        await publish(running, 3)
        heard = await session.hear_events(3)
        first = heard[0].events[0].cursor
        await session.say(acknowledgement={"cursor": first})
        await session.say(ping={})
        await session.hear()
        stub = pb_grpc.EventServiceStub(running.channel)
        answer = await stub.GetStatistics(pb.GetStatisticsRequest())
        assert [one.acknowledged_cursor for one in answer.statistics.subscribers] == [first]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([{"ping": {}}], "REQUEST_INVALID"),
        ([{}], "REQUEST_INVALID"),
        ([{"opening": {"subscription": {"on_overflow": stream.ON_OVERFLOW_BLOCK}}}], "REQUEST_INVALID"),
        ([{"opening": {"subscription": {}}}, {"opening": {}}], "REQUEST_INVALID"),
        ([{"opening": {"subscription": {}}}, {"credit": {"event_count": 0}}], "REQUEST_INVALID"),
        ([{"opening": {"subscription": {}}}, {"acknowledgement": {"cursor": "x"}}], "CURSOR_INVALID"),
        (
            [
                {"opening": {"subscription": {}}},
                {"acknowledgement": {"cursor": "00000000.00000000.0000000000000000"}},
            ],
            "REQUEST_INVALID",
        ),
    ],
)
async def test_a_wrong_word_ends_the_session_with_its_reason(
    tmp_path: Path, messages: list[dict[str, Any]], reason: str
) -> None:
    async with bus(tmp_path) as running:
        session = open_session(running)
        for message in messages:
            await session.say(**message)
        assert error_info(status_of(await session.fails())).reason == reason


async def test_an_empty_session_is_refused(tmp_path: Path) -> None:
    async with bus(tmp_path) as running:
        session = open_session(running)
        await session.call.done_writing()
        assert error_info(status_of(await session.fails())).reason == "REQUEST_INVALID"


@pytest.mark.requirement("R-ST3")
async def test_a_draining_server_ends_sessions_with_a_cursor(tmp_path: Path) -> None:
    async with bus(tmp_path) as running:
        session = open_session(running)
        await session.say(opening={"initial_credit": 10, "subscription": {}})
        await session.hear()
        await publish(running, 1)
        heard = await session.hear_events(1)
        draining = asyncio.create_task(running.server.drain(5))
        end = await session.hear()
        assert end.control.disconnected.cursor == heard[-1].cursor
        assert await session.call.read() is grpc.aio.EOF
        await draining


@pytest.mark.requirement("R-ST7")
async def test_a_client_that_vanishes_leaves_nothing_behind(tmp_path: Path) -> None:
    async with bus(tmp_path) as running:
        session = open_session(running)
        await session.say(opening={"subscription": {}})
        await session.hear()
        session.call.cancel()
        await eventually(lambda: running.server.watch_streams.statistics().open == 0)
        left = [
            t.get_name() for t in asyncio.all_tasks() if t.get_name() in {"session dialogue", "next frame"}
        ]
        assert left == []
