"""The bridge is replaced under load behind Envoy: streams resume, running calls end, none fails for good."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from e2e.bridge_door import Door, EventSource
from e2e.bus_process import BusProcess
from e2e.rolled import LIMIT_S
from eventually import eventually
from vidence.extraction.v1 import extraction_service_pb2 as extraction

AGAIN = {"NOT_READY", "DRAINING"}
"""Reasons of a 503 after which a client asks again."""
GRACE_S = 90
HELD_S = 4.0
"""How long a call outlasts the signal; without a grace, none outlasted it by more than 2 s."""
HELD = b"held"
BRIDGE_PATHS = ("/health", "/", "/openapi.json", "/asyncapi.json", "/v1/events?page_size=1")
"""What the bridge answers itself."""


class Reader:
    """Stands for the extraction service: answers at once, and one picture when the test says so."""

    def __init__(self) -> None:
        self.pictures: list[bytes] = []
        self.go_on = asyncio.Event()

    async def read(self, request: extraction.ReadDocumentRequest, _context: Any) -> Any:
        self.pictures.append(request.content)
        if request.content == HELD:
            await self.go_on.wait()
        answer = extraction.ReadDocumentResponse()
        answer.document.document_type = request.content.decode()
        return answer

    async def check(self, _request: Any, _context: Any) -> health_pb2.HealthCheckResponse:
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


@asynccontextmanager
async def served(reader: Reader) -> AsyncIterator[str]:
    """Where it answers."""
    server = grpc.aio.server()
    read = grpc.unary_unary_rpc_method_handler(
        reader.read,
        extraction.ReadDocumentRequest.FromString,
        extraction.ReadDocumentResponse.SerializeToString,
    )
    check = grpc.unary_unary_rpc_method_handler(
        reader.check,
        health_pb2.HealthCheckRequest.FromString,
        health_pb2.HealthCheckResponse.SerializeToString,
    )
    for service, methods in (
        ("vidence.extraction.v1.ExtractionService", {"ReadDocument": read}),
        ("grpc.health.v1.Health", {"Check": check}),
    ):
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


class Caller:
    """Asks again and again while the bridge is replaced; notes what each answer was."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.stop = asyncio.Event()
        self.answered: dict[str, int] = {}
        self.repeated: list[str] = []

    async def until_stopped(self, name: str, ask: Callable[[httpx.AsyncClient, int], Any]) -> int:
        """One call after another, each repeated until it is answered; once more at the end. How many."""
        number = 0
        async with httpx.AsyncClient(base_url=self._door.url, timeout=LIMIT_S) as client:
            while True:
                last = self.stop.is_set()
                await self._once(client, name, ask, number)
                number += 1
                self.answered[name] = number
                if last:
                    return number
                await asyncio.sleep(0.02)

    async def _once(
        self, client: httpx.AsyncClient, name: str, ask: Callable[[httpx.AsyncClient, int], Any], number: int
    ) -> None:
        while True:
            answer: httpx.Response = await ask(client, number)
            if answer.status_code == 200:
                return
            told = (answer.status_code, answer.json()["details"][0]["reason"])
            assert told[0] == 503, (name, told)
            assert told[1] in AGAIN, (name, told)
            self.repeated.append(name)
            await asyncio.sleep(0.1)


class SseTab:
    """A browser's `EventSource`."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._source = EventSource("/v1/events/stream?position=START_POSITION_EARLIEST&filter.types=roll.*")
        self.ids: list[str] = []
        self.farewells: list[dict[str, Any]] = []
        self.statuses: set[int] = set()

    async def run(self) -> None:
        async with self._door.client() as client:
            while True:
                with suppress(httpx.TransportError):
                    async with self._source.connect(client) as events:
                        self.statuses.add(self._source.status)
                        async for event in events:
                            if event.is_told:
                                self.ids.append(event.data["data"]["id"])  # type: ignore[index]  # JSON
                            elif event.event == "disconnected":
                                self.farewells.append({"id": event.id, **event.data})
                await asyncio.sleep(0.05)


class SocketTab:
    """A page with a WebSocket, which comes back after the cursor that it saw last."""

    def __init__(self, door: Door) -> None:
        self._url = f"{door.socket_url}/ws/events?filter.types=roll.*"
        self._after = ""
        self.ids: list[str] = []
        self.codes: list[int | None] = []

    async def run(self) -> None:
        while True:
            where = f"&after={self._after}" if self._after else "&position=START_POSITION_EARLIEST"
            # While nobody is there, Envoy refuses the handshake.
            with suppress(OSError, InvalidStatus, ConnectionClosed):
                async with connect(self._url + where, proxy=None, open_timeout=60) as socket:
                    try:
                        while True:
                            self._note(json.loads(await socket.recv()))
                    finally:
                        self.codes.append(socket.close_code)
            await asyncio.sleep(0.05)

    def _note(self, message: dict[str, Any]) -> None:
        if message["type"] == "event":
            self._after = message["cursor"] or self._after
            if message["data"]["data"].get("source"):
                self.ids.append(message["data"]["data"]["id"])


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[BusProcess]:
    process = BusProcess(tmp_path / "bus")
    try:
        await asyncio.to_thread(process.start)
        yield process
    finally:
        await asyncio.to_thread(process.close)


@pytest.fixture
async def reader() -> Reader:
    return Reader()


@pytest.fixture
async def door(bus: BusProcess, reader: Reader, tmp_path: Path) -> AsyncIterator[Door]:
    async with served(reader) as address:
        opened = Door(
            tmp_path / "door",
            bus.address,
            BRIDGE__UPSTREAMS=json.dumps({"extraction": address}),
            SERVER__DRAIN_GRACE_S=str(GRACE_S),
        )
        try:
            await asyncio.to_thread(opened.start)
            yield opened
        finally:
            reader.go_on.set()
            await asyncio.to_thread(opened.close)


async def publish(client: httpx.AsyncClient, number: int) -> httpx.Response:
    """Envoy transcodes it. The same id again is the same event: a repeated call publishes nothing twice."""
    event = {"source": "roll", "type": "roll.told", "id": f"e{number:05d}"}
    return await client.post("/v1/events:publish", json={"events": [event]})


async def upload(client: httpx.AsyncClient, number: int) -> httpx.Response:
    content = b"picture %d" % number
    answer = await client.post("/v1/documents:read", files={"file": ("a.jpg", content)})
    if answer.status_code == 200:
        assert answer.json()["document"]["document_type"] == content.decode()
    return answer


async def look(client: httpx.AsyncClient, number: int) -> httpx.Response:
    return await client.get(BRIDGE_PATHS[number % len(BRIDGE_PATHS)])


async def replace(door: Door, reader: Reader) -> httpx.Response:
    """The bridge is told to stop while it waits for an answer, and replaced; that answer."""
    async with httpx.AsyncClient(base_url=door.url, timeout=LIMIT_S) as client:
        held = asyncio.create_task(client.post("/v1/documents:read", files={"file": ("a.jpg", HELD)}))
        await eventually(lambda: HELD in reader.pictures, within_s=LIMIT_S)
        stopping = asyncio.create_task(asyncio.to_thread(door.stop_bridge))
        await asyncio.sleep(HELD_S)
        assert not stopping.done()
        reader.go_on.set()
        answer = await held
    assert await stopping == 0
    await asyncio.to_thread(door.start_bridge)
    return answer


@pytest.mark.requirement("R-ST4", "R-WE1", "R-OP2")
@pytest.mark.timeout(300)
async def test_nothing_is_lost_and_every_call_is_answered_while_the_bridge_is_replaced(
    door: Door, reader: Reader
) -> None:
    until = partial(eventually, within_s=LIMIT_S)
    sse, socket, caller = SseTab(door), SocketTab(door), Caller(door)
    asks = {"publish": publish, "upload": upload, "look": look}
    async with asyncio.TaskGroup() as group:
        watching = [group.create_task(sse.run()), group.create_task(socket.run())]
        calls = {name: group.create_task(caller.until_stopped(name, ask)) for name, ask in asks.items()}
        await until(lambda: len(sse.ids) > 2 and len(socket.ids) > 2 and len(caller.answered) == 3)
        held = await replace(door, reader)
        # All are back, with the bridge that is there now.
        before = dict(caller.answered)
        await until(lambda: all(caller.answered[name] > before[name] + 5 for name in asks))
        caller.stop.set()
        published = [f"e{number:05d}" for number in range(await calls["publish"])]
        await until(lambda: len(sse.ids) >= len(published) and len(socket.ids) >= len(published))
        for task in watching:
            task.cancel()
    assert sse.ids == published
    assert socket.ids == published
    assert (held.status_code, held.json()["document"]["document_type"]) == (200, HELD.decode())
    # What was told before the end: come back, and where to go on. One that came back at once was told again.
    assert sse.farewells
    for farewell in sse.farewells:
        assert farewell["data"]["reason"] == "DISCONNECT_REASON_DRAINING"
        assert farewell["id"] == farewell["data"]["cursor"] != ""
    assert sse.statuses == {200}
    assert socket.codes[0] == 1012
    # The bridge has no part in what Envoy transcodes.
    assert "publish" not in caller.repeated
