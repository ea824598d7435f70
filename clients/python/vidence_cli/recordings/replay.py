"""`vidence replay`: tells a recorded stream again, or publishes its events again."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import click
from google.protobuf.message import Message
from rich.console import Console

from vidence.batch.v1 import batch_service_pb2
from vidence.event.v1 import event_pb2, event_service_pb2
from vidence_cli.batch.telling import PersonTelling as BatchTelling
from vidence_cli.events.publish import result_teller
from vidence_cli.events.publishing import Outcome, publish_each
from vidence_cli.events.telling import JsonTelling, PersonTelling, WatchResponse
from vidence_cli.exit_codes import ExitCode
from vidence_cli.live import LiveReport
from vidence_cli.output import JsonReport, Write, write_line
from vidence_cli.recordings.files import load_recording
from vidence_cli.recordings.format import Recording
from vidence_cli.wire import EXTRACT_DOCUMENT, SUBSCRIBE, WATCH_BATCH, WATCH_STATISTICS
from vidence_client import DEFAULT_ADDRESS, Client


class Speed(click.ParamType[float]):
    """An option that takes a factor, or `max`: its value is then infinite."""

    name = "FACTOR"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Reads the factor; usage error where it is none."""
        try:
            factor = math.inf if value == "max" else float(value)
        except ValueError:
            factor = 0.0
        if not factor > 0:
            self.fail(f"{value!r} is neither a factor above 0 nor `max`", param, ctx)
        return factor


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--speed", type=Speed(), default="1", show_default=True, help="Times as fast as it was; `max`: at once."
)
@click.option("-v", "--verbose", is_flag=True, help="Tell also what events carry.")
@click.option("--publish", is_flag=True, help="Publish the recorded events to a bus instead.")
@click.option(
    "--server",
    metavar="ADDR",
    default=DEFAULT_ADDRESS,
    show_default=True,
    envvar="VIDENCE_SERVER",
    show_envvar=True,
    help="Where to publish: host:port or unix:PATH.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines; the default where stdout is no terminal.")
@click.pass_context
def replay(
    context: click.Context,
    /,
    *,
    file: Path,
    speed: float,
    verbose: bool,
    publish: bool,
    server: str,
    as_json: bool,
) -> None:
    """Tell a recorded stream again with its timing, or publish its events again."""
    recording = load_recording(file)
    as_json = as_json or not sys.stdout.isatty()
    if publish and recording.header.rpc != SUBSCRIBE:
        raise click.UsageError("--publish takes a recording of events", context)
    messages = paced(recording, speed=speed, sleep=asyncio.sleep)
    if publish:
        outcome = Outcome(result_teller(None if as_json else Console()))
        asyncio.run(_publish(messages, server, outcome))
        context.exit(ExitCode.FAILED if outcome.refused else ExitCode.FINE)
    with _telling(recording, file.name, as_json=as_json, verbose=verbose) as tell:
        asyncio.run(_tell(messages, tell))


async def paced(
    recording: Recording, *, speed: float, sleep: Callable[[float], Awaitable[None]]
) -> AsyncIterator[Message]:
    """Gives every message when its time has come.

    Args:
        recording: What was recorded.
        speed: Factor; infinite: without waiting.
        sleep: Waits for so many seconds.
    """
    before_s = None
    for arrival in recording.arrivals:
        if before_s is not None and arrival.at_s > before_s and not math.isinf(speed):
            await sleep((arrival.at_s - before_s) / speed)
        before_s = arrival.at_s
        yield arrival.message


@contextmanager
def _telling(recording: Recording, name: str, *, as_json: bool, verbose: bool) -> Iterator[Write]:
    """Opens what tells the messages, to a program or to a person."""
    if not recording.header.kind.watch:
        live = not as_json and recording.header.rpc == EXTRACT_DOCUMENT
        with (_live_report() if live else JsonReport(name_files=False)).reading(name) as write:
            yield write
        return
    if recording.header.rpc == WATCH_BATCH and not as_json:
        with BatchTelling(Console()) as batch:
            yield lambda message: _tell_batch(batch, message)
        return
    if recording.header.rpc not in {SUBSCRIBE, WATCH_STATISTICS}:
        yield write_line
        return
    telling = JsonTelling() if as_json else PersonTelling(Console(), Console(stderr=True), verbose=verbose)
    yield lambda message: telling.take(cast(WatchResponse, message))


def _tell_batch(telling: BatchTelling, message: Message) -> None:
    for event in cast(batch_service_pb2.WatchBatchResponse, message).events:
        telling.take(event)


def _live_report() -> LiveReport:
    return LiveReport(Console(), Console(stderr=True))


async def _tell(messages: AsyncIterator[Message], tell: Write) -> None:
    async for message in messages:
        tell(message)


async def _publish(messages: AsyncIterator[Message], address: str, outcome: Outcome) -> None:
    """Publishes the recorded events with their timing.

    They keep source and id, so that a bus that has them takes them for repetitions; the count of their
    publisher is left out, because a recording may begin anywhere in it.
    """
    async with Client(address) as client:
        async for message in messages:
            events = cast(event_service_pb2.SubscribeResponse, message).events
            for event in events:
                for name in ("cursor", "emit_time", "sequence"):
                    event.ClearField(name)
            await publish_each(client, events, event_pb2.DURABILITY_WRITTEN, outcome)
