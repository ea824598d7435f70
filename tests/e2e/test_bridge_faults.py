"""What browsers meet when something breaks behind the door, and what a stopped tab costs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest

from e2e.bridge_door import Door, EventSource, Sse, stopped_reader
from e2e.bus_process import BusProcess, left_behind
from eventually import eventually
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc

_NOISE_BYTES = 20_000


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[BusProcess]:
    process = BusProcess(tmp_path / "bus")
    try:
        await asyncio.to_thread(process.start)
        yield process
    finally:
        await asyncio.to_thread(process.close)


@pytest.fixture
async def own_door(bus: BusProcess, tmp_path: Path) -> AsyncIterator[Door]:
    door = Door(tmp_path / "door", bus.address)
    try:
        await asyncio.to_thread(door.start)
        yield door
    finally:
        await asyncio.to_thread(door.close)


async def publish(bus: BusProcess, numbers: range, *, size: int = 0) -> list[str]:
    """Publishes one after the other, each WRITTEN; their ids."""
    async with grpc.aio.insecure_channel(bus.address) as channel:
        stub = pb_grpc.EventServiceStub(channel)
        ids = [f"evt-{number}" for number in numbers]
        for name in ids:
            opaque = event_pb2.OpaqueData(content_type="x/y", content=bytes(size)) if size else None
            event = event_pb2.Event(source="till", type="till.closed", id=name, opaque=opaque)
            await stub.Publish(pb.PublishRequest(events=[event]))
    return ids


class Tab:
    """A browser's `EventSource`: comes back by itself until it has what it waits for."""

    def __init__(self, door: Door, path: str) -> None:
        self.source = EventSource(path)
        self.door = door
        self.told: list[Sse] = []
        self.statuses: list[int] = []
        self.connected = asyncio.Event()

    @property
    def ids(self) -> list[object]:
        return [event.data["data"]["id"] for event in self.told]  # type: ignore[index]  # JSON

    async def run(self, count: int) -> None:
        async with self.door.client() as client:
            while len(self.told) < count:
                try:
                    await self._once(client, count)
                except httpx.TransportError:
                    self.statuses.append(0)
                # The browser would wait for 3 s.
                await asyncio.sleep(0.05)

    async def _once(self, client: httpx.AsyncClient, count: int) -> None:
        async with self.source.connect(client) as events:
            self.statuses.append(self.source.status)
            async for event in events:
                self.connected.set()
                if event.is_told:
                    self.told.append(event)
                    if len(self.told) == count:
                        return


@pytest.mark.requirement("R-WE1", "R-ST4")
async def test_kill_9_of_the_server_loses_and_repeats_nothing_for_a_browser(
    bus: BusProcess, own_door: Door
) -> None:
    tab = Tab(own_door, "/v1/events/stream?position=START_POSITION_EARLIEST")
    running = asyncio.create_task(tab.run(60))
    ids = await publish(bus, range(20))
    for life in (1, 2):
        await eventually(lambda reached=20 * life: len(tab.told) >= reached - 10)  # type: ignore[misc]  # a default
        await asyncio.to_thread(bus.kill)
        await asyncio.to_thread(bus.start)
        ids += await publish(bus, range(20 * life, 20 * life + 20))
    async with asyncio.timeout(60):
        await running
    assert tab.ids == ids
    # An EventSource gives up for good on any status but 200.
    assert set(tab.statuses) <= {200, 0}


@pytest.mark.requirement("R-WE1")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_browser_comes_back_after_the_bridge_did(
    bus: BusProcess, own_door: Door, number: signal.Signals
) -> None:
    tab = Tab(own_door, "/v1/events/stream?position=START_POSITION_EARLIEST")
    running = asyncio.create_task(tab.run(10))
    ids = await publish(bus, range(5))
    await eventually(lambda: len(tab.told) == 5)
    await asyncio.to_thread(own_door.stop_bridge, number)
    await eventually(lambda: len(tab.statuses) > 3)
    await asyncio.to_thread(own_door.start_bridge)
    ids += await publish(bus, range(5, 10))
    async with asyncio.timeout(60):
        await running
    assert tab.ids == ids
    assert set(tab.statuses) <= {200, 0}


@pytest.mark.requirement("R-WE1", "R-ST7")
@pytest.mark.parametrize("path", ["/v1/events/stream", "/v1/events/statistics/stream"])
@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
async def test_a_client_that_leaves_frees_its_stream_in_the_service(
    bus: BusProcess, own_door: Door, path: str, accept: str
) -> None:
    async with own_door.client() as client:
        headers = {"accept": accept}
        async with client.stream("GET", path, headers=headers) as answer:
            await anext(answer.aiter_lines())
            await eventually(lambda: left_behind(bus).get("open streams") == 1)
    await eventually(lambda: not left_behind(bus))


def own_bytes(pid: int) -> int:
    """Memory of a process that is no file's: the bus maps its database, and the system lends it pages."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")) * 1024


@pytest.mark.requirement("R-WE1", "R-ST6")
@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
async def test_a_stopped_tab_costs_little_and_others_miss_nothing(
    bus: BusProcess, own_door: Door, accept: str
) -> None:
    """20 tabs that read nothing, while 60 MB go by."""
    assert own_door.bridge is not None
    assert own_door.envoy is not None
    pids = {"bus": bus.pid, "bridge": own_door.bridge.pid, "envoy": own_door.envoy.pid}
    stopped = [stopped_reader(own_door.port, "/v1/events/stream", accept=accept) for _ in range(20)]
    try:
        await eventually(lambda: left_behind(bus).get("open streams") == 20)
        tab = Tab(own_door, "/v1/events/stream?position=START_POSITION_EARLIEST")
        running = asyncio.create_task(tab.run(3000))
        ids = await publish(bus, range(1000), size=_NOISE_BYTES)
        await eventually(lambda: len(tab.told) == 1000)
        before = {name: own_bytes(pid) for name, pid in pids.items()}
        ids += await publish(bus, range(1000, 3000), size=_NOISE_BYTES)
        async with asyncio.timeout(60):
            await running
        grown = {name: own_bytes(pid) - before[name] for name, pid in pids.items()}
    finally:
        for peer in stopped:
            peer.close()
    assert tab.ids == ids
    # What the second and third 20 MB add; kept for each tab they would be 800 MB. The bus alone goes up and
    # down by 70 MB while anybody reads such events, stopped tabs or not.
    limits = {"bus": 100 * 2**20, "bridge": 16 * 2**20, "envoy": 16 * 2**20}
    assert all(grown[name] < limit for name, limit in limits.items()), grown
    await eventually(lambda: not left_behind(bus))
