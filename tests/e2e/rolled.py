"""Services that are replaced while others call them behind Envoy, and what watchers saw of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from e2e.bridge_door import Door
from e2e.bus_process import free_port
from e2e_suite import LiveSuite, start_suite, stop_suite
from vidence_client import RetryPolicy
from vidence_client.conformance import Connection, Watcher, check_watch, from_responses

LIMIT_S = 100.0
PATIENT = RetryPolicy(attempts=1000, base_delay_s=0.05, maximum_delay_s=0.5)
"""A service that starts again loads its models: calls are repeated until it is there."""


class Rolled:
    """A service in a process of its own, that may be replaced by another at the same address."""

    def __init__(self, name: str, data: Path, **settings: str) -> None:
        self.name = name
        self.port = free_port()
        self._environ = {
            "VIDENCE_DATA_DIR": str(data),
            "VIDENCE_SERVER__PORT": str(self.port),
            **{f"VIDENCE_{key}": value for key, value in settings.items()},
        }
        self._live: LiveSuite | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self._live = start_suite(self.name, environ=self._environ)

    def stop(self) -> int:
        live, self._live = self._live, None
        return stop_suite(live) if live is not None else 0


@contextmanager
def running(services: Sequence[Rolled]) -> Iterator[Mapping[str, Rolled]]:
    """Starts them one after another; by name."""
    try:
        for service in services:
            service.start()
        yield {service.name: service for service in services}
    finally:
        for service in services:
            service.stop()


@contextmanager
def door_to(services: Mapping[str, Rolled], folder: Path, *, asks: str) -> Iterator[Door]:
    """The bridge and Envoy in front of them; open once the path is answered."""
    upstreams = ",".join(f'"{name}": "{one.address}"' for name, one in services.items())
    first = next(iter(services.values()))
    opened = Door(folder, first.address, BRIDGE__UPSTREAMS=f"{{{upstreams}}}")
    try:
        opened.start(asks=asks)
        yield opened
    finally:
        opened.close()


async def restart(services: Iterable[Rolled], rounds: int) -> None:
    """Each service once per round, while the others serve."""
    for _ in range(rounds):
        for service in services:
            assert await asyncio.to_thread(service.stop) == 0
            await asyncio.to_thread(service.start)


class Record:
    """All messages of a watch of the SDK, over its connections."""

    def __init__(self, *, in_memory: bool = False) -> None:
        self.connections: list[list[Any]] = []
        self._in_memory = in_memory

    async def follow(self, watch: Any) -> None:
        """Reads until the watch ends, or the task is cancelled."""
        async with watch:
            async for message in watch.messages():
                if message.control.HasField("connected"):
                    self.connections.append([])
                self.connections[-1].append(message)

    @property
    def messages(self) -> list[Any]:
        return [message for connection in self.connections for message in connection]

    @property
    def events(self) -> list[Any]:
        return [event for message in self.messages for event in message.events]

    @property
    def gaps(self) -> list[Any]:
        return [message.control.gap for message in self.messages if message.control.HasField("gap")]

    def violations(self) -> list[object]:
        """What the validators of the contract find: each connection goes on where the one before ended."""
        connections: list[Connection] = []
        for messages in self.connections:
            after = connections[-1].last_cursor if connections else ""
            connections.append(from_responses(messages, after_cursor=after, in_memory=self._in_memory))
        return list(check_watch(Watcher(tuple(connections))))

    def lives(self) -> list[list[int]]:
        """The events' `sequence`, a list for each life of a log: one that begins anew starts at 1."""
        found: list[list[int]] = []
        for event in self.events:
            if not found or event.sequence <= found[-1][-1]:
                found.append([])
            found[-1].append(event.sequence)
        return found
