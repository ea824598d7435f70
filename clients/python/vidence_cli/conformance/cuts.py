"""The scenario of a network that fails while events come."""

from __future__ import annotations

import asyncio

from vidence_cli.conformance.bench import Bench, Watched, reached
from vidence_cli.conformance.publishing import publish_more
from vidence_cli.conformance.relay import Relay, open_relay
from vidence_cli.recordings.requests import resumed

_CUTS = 5
_PER_CUT = 3
_ATTEMPTS = 200
_PAUSE_S = 0.05


async def cut_connections(bench: Bench) -> None:
    """Resets the watcher's connection again and again while the run goes on publishing."""
    host, _, port = bench.address.rpartition(":")
    if host in {"", "unix"} or not port.isdecimal():
        return  # a socket file cannot be relayed by address
    published = asyncio.Event()
    async with open_relay(host.strip("[]"), int(port)) as relay, asyncio.TaskGroup() as group:
        watching = group.create_task(_watch_through(bench, relay, bench.last_cursor, published))
        for _ in range(_CUTS):
            await publish_more(bench, _PER_CUT)
            await asyncio.sleep(_PAUSE_S)
            relay.cut()
        published.set()
    connections = watching.result()
    bench.judge("connection cut", *connections)
    came = [event.cursor for watched in connections for event in watched.events]
    expected = [event.cursor for event in bench.published[-_CUTS * _PER_CUT :]]
    bench.verdicts.expect(
        "connection cut", "Resumable", came == expected, "the join is not what was published"
    )


async def _watch_through(bench: Bench, relay: Relay, cursor: str, published: asyncio.Event) -> list[Watched]:
    """Watches through the relay, connecting again after the last cursor, until everything came."""
    connections: list[Watched] = []
    for _ in range(_ATTEMPTS):
        request = resumed(bench.request(bench.own()), cursor)
        watched = await bench.watch(
            request,
            lambda seen: published.is_set() and reached(bench.last_cursor)(seen),
            address=relay.address,
        )
        connections.append(watched)
        cursor = watched.record.last_cursor
        if watched.complete:
            break
        await asyncio.sleep(_PAUSE_S)
    return connections
