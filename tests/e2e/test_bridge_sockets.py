"""WebSockets through a real Envoy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from e2e.bridge_calls import publish
from e2e.bridge_door import Door
from e2e.bus_process import BusProcess, left_behind
from e2e_suite import LiveSuite
from eventually import eventually


@pytest.fixture
async def brisk(suite: LiveSuite, tmp_path: Path) -> AsyncIterator[Door]:
    """A door with short times and a small number of sockets."""
    times = {"BRIDGE__SOCKET_PING_S": "0.2", "BRIDGE__SOCKET_SILENCE_S": "1", "BRIDGE__MAX_SOCKETS": "2"}
    door = Door(tmp_path, suite.address, **times)
    try:
        await asyncio.to_thread(door.start)
        yield door
    finally:
        await asyncio.to_thread(door.close)


def opened(door: Door, path: str, **options: Any) -> connect:
    return connect(door.socket_url + path, proxy=None, open_timeout=60, **options)


async def receive(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(60):
        message: dict[str, Any] = json.loads(await socket.recv())
        return message


async def told(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    """So many events of the bus."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        message = await receive(socket)
        if message["type"] == "event" and message["data"]["data"].get("source"):
            found.append(message)
    return found


@pytest.mark.requirement("R-WE1")
async def test_a_socket_is_pinged_at_once_answers_pings_and_tells_events_one_by_one(
    door: Door, suite: LiveSuite
) -> None:
    async with opened(door, "/ws/events?filter.types=socket.*") as socket:
        first = [await receive(socket) for _ in range(2)]
        assert {message["type"] for message in first} == {"ping", "event"}
        assert all(message["timestamp"] for message in first)
        await socket.send('{"type": "ping"}')
        assert (await receive(socket))["type"] == "pong"
        cursors = publish(suite, "socket.first", "socket.second")
        events = await told(socket, 2)
        assert [message["cursor"] for message in events] == cursors
        assert [message["data"]["type"] for message in events] == ["socket.first", "socket.second"]
        assert {"session_id", "timestamp", "sequence", "type", "data"} <= set(events[0]["data"])
        await socket.send("nonsense")
        assert (await receive(socket))["type"] == "error"
    async with opened(door, f"/ws/events?filter.types=socket.*&after={cursors[0]}") as socket:
        assert [message["cursor"] for message in await told(socket, 1)] == cursors[1:]


@pytest.mark.requirement("R-WE1")
async def test_pings_go_on_and_who_is_silent_is_closed(brisk: Door) -> None:
    async def talk(socket: ClientConnection) -> None:
        while True:
            if (await receive(socket))["type"] == "ping":
                await socket.send('{"type": "pong"}')

    async with opened(brisk, "/ws/events") as talking, opened(brisk, "/ws/events") as silent:
        answering = asyncio.create_task(talk(talking))
        kinds = []
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                kinds.append((await receive(silent))["type"])
        assert kinds.count("ping") >= 3
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "silent for 1 s")
        assert not answering.done()
        answering.cancel()


@pytest.mark.requirement("R-WE1")
async def test_what_is_no_socket_of_ours_is_refused_before_it_opens(brisk: Door) -> None:
    async def refusal(path: str, **options: Any) -> int:
        with pytest.raises(InvalidStatus) as refused:
            async with opened(brisk, path, **options):
                pass
        return int(refused.value.response.status_code)

    assert await refusal("/ws/events", origin="https://elsewhere.example") == 403
    assert await refusal("/ws/nothing") in {403, 404}
    assert await refusal("/ws/events?colour=red") == 400
    async with opened(brisk, "/ws/events"), opened(brisk, "/ws/events", origin="http://localhost:5173"):
        assert await refusal("/ws/events") == 429


@pytest.mark.requirement("R-WE1")
async def test_a_stream_that_cannot_be_opened_is_an_error_and_a_close(door: Door) -> None:
    async with opened(door, "/ws/events?after=nonsense") as socket:
        while (message := await receive(socket))["type"] != "error":
            pass
        assert message["data"]["details"][0]["reason"] == "CURSOR_INVALID"
        await socket.wait_closed()
        assert socket.close_code == 1011


@pytest.mark.requirement("R-WE1")
async def test_a_message_over_the_limit_closes_the_socket(door: Door) -> None:
    async with opened(door, "/ws/events") as socket:
        await socket.send("x" * 100_000)
        await socket.wait_closed()
        assert socket.close_code == 1009


@pytest.mark.requirement("R-WE1", "R-ST7")
async def test_a_socket_that_closes_leaves_nothing_behind_in_the_service(tmp_path: Path) -> None:
    bus = BusProcess(tmp_path / "bus")
    door = Door(tmp_path / "door", bus.address)
    try:
        await asyncio.to_thread(bus.start)
        await asyncio.to_thread(door.start)
        async with opened(door, "/ws/events") as socket:
            await receive(socket)
            await eventually(lambda: left_behind(bus).get("open streams") == 1)
        await eventually(lambda: not left_behind(bus))
        async with opened(door, "/ws/events") as socket:
            await receive(socket)
            await asyncio.to_thread(door.stop_bridge)
            await socket.wait_closed()
            assert socket.close_code == 1012
        await eventually(lambda: not left_behind(bus))
    finally:
        await asyncio.to_thread(door.close)
        await asyncio.to_thread(bus.close)
