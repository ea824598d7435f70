"""Services restart one after another behind Envoy, under load: no event is lost, no call fails for good."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from e2e.bridge_door import Door
from e2e.rolled import LIMIT_S, PATIENT, Rolled, door_to, restart, running
from eventually import eventually
from vidence.event.v1.event_pb2 import Event
from vidence_client import Client

ROUNDS, SOAK_ROUNDS = 1, 20


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Mapping[str, Rolled]]:
    """The bus, and the libraries that tell it what happens."""
    bus = Rolled("event", tmp_path / "event")
    library = Rolled("library", tmp_path / "library", BUS__ADDRESS=bus.address)
    with running([bus, library]) as started:
        yield started


@pytest.fixture
def door(services: Mapping[str, Rolled], tmp_path: Path) -> Iterator[Door]:
    with door_to(services, tmp_path, asks="/v1/libraries") as opened:
        yield opened


async def publish_until(client: Client, stop: asyncio.Event) -> list[str]:
    """Events, one call after another; each call is repeated until it is answered. Their ids."""
    published: list[str] = []
    while not stop.is_set() or not published:
        name = f"e{len(published):06d}"
        # The same id again is the same event: a repeated call publishes nothing twice.
        event = Event(source="rolling", type="rolling.told", id=name)
        [result] = await client.events.publish(event, timeout=LIMIT_S)
        assert result.cursor
        published.append(name)
    return published


async def ask_until(client: Client, stop: asyncio.Event) -> int:
    """Asks the library service, one call after another; how often it answered."""
    answered = 0
    while not stop.is_set() or not answered:
        await client.libraries.statistics(timeout=LIMIT_S)
        answered += 1
    return answered


async def watch(client: Client, seen: list[str]) -> None:
    """Watches until it is cancelled; reconnects by cursor as any client does."""
    async with client.events.subscribe(types=["rolling.*"], from_start=True) as events:
        async for event in events:
            seen.append(event.id)


async def roll(services: Mapping[str, Rolled], door: Door, rounds: int) -> None:
    stop, seen = asyncio.Event(), list[str]()
    async with (
        Client(f"127.0.0.1:{door.port}", retry=PATIENT) as writer,
        Client(f"127.0.0.1:{door.port}", retry=PATIENT) as reader,
        asyncio.TaskGroup() as group,
    ):
        watching = group.create_task(watch(reader, seen))
        publishing = group.create_task(publish_until(writer, stop))
        asking = group.create_task(ask_until(writer, stop))
        await restart(services.values(), rounds)
        stop.set()
        published = await publishing
        await asking
        await eventually(lambda: len(seen) >= len(published), within_s=LIMIT_S)
        watching.cancel()
    assert seen == published


@pytest.mark.requirement("R-ST3", "R-ST4", "R-OP2")
@pytest.mark.timeout(300)
async def test_no_event_is_lost_and_no_call_fails_while_services_are_restarted(
    services: Mapping[str, Rolled], door: Door
) -> None:
    await roll(services, door, ROUNDS)


@pytest.mark.soak
@pytest.mark.requirement("R-ST3", "R-ST4", "R-OP2")
@pytest.mark.timeout(7200)
async def test_services_are_restarted_again_and_again(services: Mapping[str, Rolled], door: Door) -> None:
    await roll(services, door, SOAK_ROUNDS)
