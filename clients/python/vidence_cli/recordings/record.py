"""`vidence record`: captures a stream as a file, which is a bug report that can be checked and replayed."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console
from rich.status import Status
from rich.text import Text

from vidence.batch.v1 import batch_service_pb2
from vidence.event.v1 import event_service_pb2
from vidence.job.v1 import job_service_pb2
from vidence_cli.events.selection import (
    chosen_events,
    chosen_start,
    filter_options,
    start_options,
    subscribe_request,
)
from vidence_cli.exit_codes import ExitCode
from vidence_cli.live import plain
from vidence_cli.recordings.format import Header, RecordingWriter
from vidence_cli.recordings.recorder import Captured, Recorder
from vidence_cli.recordings.requests import WatchRequest, like
from vidence_cli.wire import SUBSCRIBE, WATCH_BATCH, WATCH_JOB, WATCH_STATISTICS, WireStatus
from vidence_client import DEFAULT_ADDRESS

_ASKED_FOR = WireStatus("OK")  # the end that was asked for


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@filter_options
@start_options
@click.option("--stats", is_flag=True, help="Record the statistics of the bus instead of its events.")
@click.option("--batch", "batch_id", metavar="ID", help="Record what happens to a batch instead.")
@click.option("--job", "job_id", metavar="ID", help="Record what happens to a job instead.")
@click.option(
    "--heartbeat", type=click.FloatRange(1, 300), metavar="SECONDS", help="Heartbeat period to ask for."
)
@click.option("-n", "--count", type=click.IntRange(min=1), help="End after so many events.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="End after this time."
)
@click.option("--no-reconnect", is_flag=True, help="End with the first connection.")
@click.option(
    "--server",
    metavar="ADDR",
    default=DEFAULT_ADDRESS,
    show_default=True,
    envvar="VIDENCE_SERVER",
    show_envvar=True,
    help="Address of the server: host:port or unix:PATH.",
)
@click.pass_context
def record(
    context: click.Context,
    /,
    *,
    file: Path,
    stats: bool,
    batch_id: str | None,
    job_id: str | None,
    heartbeat: float | None,
    count: int | None,
    timeout: float | None,
    no_reconnect: bool,
    server: str,
    **_: object,
) -> None:
    """Capture a stream of the bus, or of a batch or job, in FILE, message by message, until Ctrl-C."""
    wanted = subscribe_request(
        chosen_start(context), chosen_events(context.params), heartbeat_period_s=heartbeat
    )
    others = {"--stats": stats, "--batch": batch_id, "--job": job_id}
    chosen = [option for option, given in others.items() if given]
    if len(chosen) > 1:
        raise click.UsageError(f"{' and '.join(chosen)} exclude each other", context)
    if chosen and wanted.HasField("filter"):
        raise click.UsageError(f"{chosen[0]} takes no filter", context)
    rpc, request = _stream(wanted, stats=stats, batch_id=batch_id, job_id=job_id)
    header = Header(rpc, server, version("vidence"), datetime.now(UTC))
    with _progress() as progress, _opened(file) as target:
        recorder = Recorder(
            server,
            header.rpc,
            RecordingWriter(target, header, monotonic=time.monotonic),
            reconnect=not no_reconnect,
            randomness=random.Random(),
            on_message=lambda captured: progress.update(_told(captured)),
        )
        status = asyncio.run(_record(recorder, request, count, timeout))
    click.echo(f"{file}: {_told(recorder.captured)}", err=True)
    context.exit(_exit_code(status))


def _stream(
    wanted: event_service_pb2.SubscribeRequest, *, stats: bool, batch_id: str | None, job_id: str | None
) -> tuple[str, WatchRequest]:
    """Which RPC is recorded, and its request."""
    if batch_id:
        batch = like(wanted, batch_service_pb2.WatchBatchRequest)
        batch.batch_id = batch_id
        return WATCH_BATCH, batch
    if job_id:
        job = like(wanted, job_service_pb2.WatchJobRequest)
        job.job_id = job_id
        return WATCH_JOB, job
    if stats:
        return WATCH_STATISTICS, like(wanted, event_service_pb2.WatchStatisticsRequest)
    return SUBSCRIBE, wanted


async def _record(
    recorder: Recorder, request: WatchRequest, count: int | None, timeout: float | None
) -> WireStatus:
    """Records until the stream ends, the time is over, or the process is asked to end (SIGTERM)."""
    recording = asyncio.create_task(recorder.record(request, count=count))
    with suppress(NotImplementedError):  # a platform without signals
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, recording.cancel)
    try:
        await asyncio.wait([recording], timeout=timeout)
    finally:
        recording.cancel()
        await asyncio.wait([recording])
    return _ASKED_FOR if recording.cancelled() else recording.result()


def _exit_code(status: WireStatus) -> ExitCode:
    if status.code in {"OK", "CANCELLED"}:
        return ExitCode.FINE
    click.echo(f"Error: {status.reason or status.code}: {plain(status.message)}", err=True)
    return ExitCode.FAILED


@contextmanager
def _progress() -> Iterator[Status]:
    """A line on stderr that counts along, where a person is watching."""
    with Console(stderr=True).status(Text("connecting …")) as status:
        yield status


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    """Opens the file; failures as a command tells them."""
    try:
        target = file.open("w", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{click.format_filename(file)}: {error.strerror}") from None
    with target:
        yield target


def _told(captured: Captured) -> str:
    return (
        f"{captured.events} event{'' if captured.events == 1 else 's'} in {captured.messages} messages,"
        f" {captured.connections} connection{'' if captured.connections == 1 else 's'}"
    )
