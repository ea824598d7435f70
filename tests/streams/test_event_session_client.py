"""Sessions of the bus as the SDK opens them: credit, acknowledgements, pings, broken connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from eventually import PATIENCE_S, eventually
from fakes.runtime import RunningServer, running_server
from vidence_client import Client, RetryPolicy, Selection, VidenceError, make_event, sync
from vidence_client.event_session import EventSession
from vidence_client.selection import WatchStart
from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.event.app import open_service, register
from vidence_server.event.servicer import SERVICE_NAME
from vidence_server.event.settings import EventSettings
from vidence_server.runtime.server import RpcServer

pytestmark = pytest.mark.requirement("R-EV1", "R-ST6")
QUICK = RetryPolicy(base_delay_s=0.01, maximum_delay_s=0.05)
EARLIEST = WatchStart(from_start=True)


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


async def publish(client: Client, *numbers: int) -> None:
    await client.events.publish(
        *(make_event("till.sold", source="till/7", id=str(number), subject=str(number)) for number in numbers)
    )


async def take(session: EventSession, count: int) -> list[int]:
    async with asyncio.timeout(PATIENCE_S):
        return [int((await anext(session)).id) for _ in range(count)]


async def test_no_more_comes_than_was_acknowledged(tmp_path: Path) -> None:
    async with (
        bus(tmp_path) as running,
        Client(running.server.address) as client,
        client.events.open_session(credit=3, start=EARLIEST) as session,
    ):
        await publish(client, *range(10))
        assert await take(session, 3) == [0, 1, 2]
        waiting = asyncio.create_task(take(session, 1))
        assert await session.ping() >= 0
        assert session.statistics().events == session.unacknowledged == 3
        await session.acknowledge()
        assert await waiting == [3]
        assert await take(session, 2) == [4, 5]
        assert session.unacknowledged == 3


async def test_the_server_knows_how_far_its_reader_has_come(tmp_path: Path) -> None:
    async with (
        bus(tmp_path) as running,
        Client(running.server.address) as client,
        client.events.open_session(Selection(subject="2"), start=EARLIEST) as session,
    ):
        await publish(client, 1, 2, 3)
        assert await take(session, 1) == [2]
        await session.acknowledge()
        waiting = asyncio.create_task(take(session, 1))
        await session.ping()  # heard after the acknowledgement
        statistics = await client.events.statistics()
        waiting.cancel()
        assert [one.acknowledged_cursor for one in statistics.subscribers] == [session.cursor]


@pytest.mark.requirement("R-ST4")
async def test_a_server_that_comes_back_goes_on_with_what_is_left_of_the_credit(tmp_path: Path) -> None:
    async with bus(tmp_path, drain_grace_s=0.1) as running:
        port = int(running.server.address.rpartition(":")[2])
        client = Client(running.server.address, retry=QUICK)
        session = client.events.open_session(credit=4, start=EARLIEST)
        await publish(client, *range(10))
        assert await take(session, 3) == [0, 1, 2]
    async with bus(tmp_path, port=port), client, session:
        waiting = asyncio.create_task(take(session, 1))
        assert await waiting == [3]
        await session.acknowledge()
        assert await take(session, 4) == [4, 5, 6, 7]
        assert session.statistics().events == 8
        assert session.statistics().reconnects >= 1
        await session.acknowledge()
        assert await take(session, 2) == [8, 9]


async def test_a_ping_without_a_connection_is_an_error(tmp_path: Path) -> None:
    async with (
        bus(tmp_path) as running,
        Client(running.server.address) as client,
        client.events.open_session(start=EARLIEST) as session,
    ):
        await session.acknowledge()
        with pytest.raises(VidenceError) as told:
            await session.ping()
        assert told.value.reason == "CANCELLED"
        waiting = asyncio.create_task(take(session, 1))
        await eventually(lambda: session.connected is not None)
        ping = asyncio.create_task(session.ping())
        await ping
        await session.aclose()
        with pytest.raises(StopAsyncIteration):
            await waiting


def test_a_credit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="credit"):
        sync.Client("127.0.0.1:1").events.open_session(credit=0)


async def test_plain_code_opens_one_too(tmp_path: Path) -> None:
    async with bus(tmp_path) as running, Client(running.server.address) as client:
        await publish(client, *range(5))

        def read() -> list[int]:
            with (
                sync.Client(running.server.address) as plain,
                plain.events.open_session(credit=2, start=EARLIEST) as session,
            ):
                seen = []
                for event in session:
                    seen.append(int(event.id))
                    session.acknowledge()
                    if len(seen) == 5:
                        break
                assert session.unacknowledged == 0
                return seen

        assert await asyncio.to_thread(read) == [0, 1, 2, 3, 4]
