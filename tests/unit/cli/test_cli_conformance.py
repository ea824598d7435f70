"""`vidence conformance`: what is tried where only a part is there, and how it is told."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from contextlib import suppress

import pytest
from rich.console import Console

from fakes import commands, extraction_servicer, scripted_bus
from vidence_cli.conformance.command import table_of_verdicts
from vidence_cli.conformance.relay import open_relay
from vidence_cli.conformance.verdicts import Verdicts
from vidence_cli.exit_codes import ExitCode
from vidence_client.conformance import Violation

pytestmark = pytest.mark.requirement("R-ST1")


@pytest.fixture
def readers() -> Iterator[extraction_servicer.Served]:
    scripts = {b"no picture": extraction_servicer.CORRUPT_SCRIPT}
    with extraction_servicer.serving_in_thread(
        extraction_servicer.ScriptedExtraction(scripts=scripts)
    ) as served:
        yield served


def test_a_server_without_a_bus_is_judged_by_its_readings(readers: extraction_servicer.Served) -> None:
    result = commands.invoke("conformance", readers.address)
    told = json.loads(result.stdout)
    assert result.exit_code == ExitCode.FINE, told
    assert told["services"] == ["extraction"]
    names = {found["guarantee"] for found in told["guarantees"] if found["checks"]}
    assert names == {"Ordered", "Unique", "Terminated", "Isolated", "Progress", "Complete"}


def test_a_reading_that_breaks_a_guarantee_fails_the_run(readers: extraction_servicer.Served) -> None:
    script = list(extraction_servicer.PASSPORT)
    readers.servicer.script = [*script[:3], *script[4:]]
    result = commands.invoke("conformance", readers.address)
    assert result.exit_code == ExitCode.FAILED
    broken = {found["guarantee"] for found in json.loads(result.stdout)["guarantees"] if found["violations"]}
    assert broken == {"Ordered", "Complete"}


def test_a_soak_goes_round_again(readers: extraction_servicer.Served) -> None:
    result = commands.invoke("conformance", readers.address, "--soak", 0.2)
    assert json.loads(result.stdout)["rounds"] > 1


def test_a_server_with_nothing_to_try_is_told() -> None:
    with scripted_bus.serving_bus_in_thread(scripted_bus.ScriptedBus()) as empty:
        result = commands.invoke("conformance", empty.address)
    assert result.exit_code == ExitCode.FAILED
    assert "none of the services" in result.stderr


def test_verdicts_are_counted_by_guarantee_and_drawn() -> None:
    verdicts = Verdicts()
    verdicts.judged("live", ["Ordered", "Unique"], [])
    verdicts.expect("quiet", "Alive", True, "no heartbeats")
    assert [verdict.violations for verdict in verdicts.all] == [[], [], []]
    verdicts.judged("live", ["Ordered"], [Violation("Ordered", "connected came again", 3)])
    verdicts.expect("quiet", "Alive", False, "no heartbeats")
    assert verdicts.broken
    console = Console(file=io.StringIO(), record=True, width=90, color_system=None)
    console.print(table_of_verdicts(verdicts.all))
    rows = [line.split() for line in console.export_text().splitlines()]
    assert rows[1:] == [
        ["Ordered", "2", "✗", "1", "violations"],
        ["live:", "connected", "came", "again", "(message", "3)"],
        ["Unique", "1", "✓", "holds"],
        ["Alive", "2", "✗", "1", "violations"],
        ["quiet:", "no", "heartbeats"],
    ]


@pytest.mark.requirement("R-ST4")
async def test_a_relay_carries_bytes_until_it_is_cut() -> None:
    ended = asyncio.Event()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(100):
                writer.write(chunk)
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()[:2]
        async with open_relay(host, port) as relay:
            for _ in range(2):
                ended.clear()
                reader, writer = await asyncio.open_connection(*relay.address.split(":"))
                writer.write(b"there and back")
                assert await reader.readexactly(14) == b"there and back"
                relay.cut()
                with pytest.raises(ConnectionResetError):
                    await reader.readexactly(1)
                await ended.wait()
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()
