"""`vidence monitor`: a process that watches a camera or a video."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import assert_never

import click
import structlog
import uvloop

from vidence_server.core.errors import DomainError, Reason
from vidence_server.face.app import load_thresholds, version_of
from vidence_server.monitor import app, convert
from vidence_server.monitor.domain.appearances import (
    PersonAppeared,
    PersonChange,
    PersonIdentified,
    PersonLeft,
)
from vidence_server.monitor.service import Monitor
from vidence_server.monitor.sources import SourceAddress, parse_source
from vidence_server.runtime.heap import settled_heap
from vidence_server.runtime.library_client import LibraryClient
from vidence_server.runtime.lifecycle import until_signal
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.metrics_server import MetricsServer
from vidence_server.suite.at_rest import sealing_of
from vidence_server.suite.opening import open_process
from vidence_server.suite.process import Process
from vidence_server.suite_settings import SuiteSettings, load_suite_settings
from vidence_server.vision.faces.profile import EMBEDDER

_USAGE = 2
_METRICS_PORT = 9465
"""Beside that of `vidence serve` on the same machine."""
_ANSWER_S = 1.0
"""Longest wait for the library: frames wait meanwhile."""


class _Models:
    """Names what a monitor needs of `open_process`; it serves no calls."""

    def models(self, settings: SuiteSettings) -> tuple[str, ...]:  # noqa: ARG002 - the signature of `ServiceModule`
        """Those that find and compare faces."""
        return app.MODELS

    async def open_service(self, process: Process) -> None:
        """Nothing."""


@click.command()
@click.argument("source")
@click.option(
    "--people",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of known people, NAME/*.jpg; without it nobody is named.",
)
@click.option("--library", help="Library whose enrolled faces name people; in the place of --people.")
@click.option("--library-address", help="Address of the library service: host:port or unix:PATH.")
@click.option("--name", help="Names this monitor in its events; a process and a database each.")
@click.option("--tenant", help="Whose bus, pictures and library of people these are; one of access.tenants.")
@click.option("--fast", is_flag=True, help="Watch a file as fast as the models go, without dropping frames.")
@click.option("--bus", help="Address of the event service: host:port or unix:PATH.")
@click.option("--json", "as_json", is_flag=True, help="Tell events as JSON lines.")
@click.option(
    "--config",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="VIDENCE_CONFIG",
    help="TOML file with one table per section; `vidence config show` prints one.",
)
def monitor(
    *,
    source: str,
    people: Path | None,
    library: str | None,
    library_address: str | None,
    name: str | None,
    tenant: str | None,
    fast: bool,
    bus: str | None,
    as_json: bool,
    path: Path | None,
) -> None:
    """Watches SOURCE: people who appear, are recognised and leave become events on the bus.

    SOURCE is a video file, camera:N, or an rtsp:// or http:// URL. Ends with the file, else at SIGTERM or
    Ctrl-C. A camera that breaks is opened again and again; events wait on disk while the bus is away.
    """
    asked = {
        "people": people,
        "library": library,
        "name": name,
        "tenant": tenant,
        "file_speed": "fast" if fast else None,
    }
    overrides = {"monitor": {key: value for key, value in asked.items() if value is not None}}
    if bus is not None:
        overrides["bus"] = {"address": bus}
    if library_address is not None:
        overrides["filing"] = {"library_address": library_address}
    try:
        settings = _with_metrics_port(load_suite_settings(path, os.environ, overrides))
        _check_tenant(settings)
        configure_logs(settings.log, sys.stderr)
        logging.captureWarnings(capture=True)
        uvloop.run(_watch(settings, parse_source(source), _print_json if as_json else _print_line))
    except DomainError as error:
        click.echo(f"vidence: {error.message}", err=True)
        raise SystemExit(_USAGE if error.reason is Reason.CONFIGURATION_INVALID else 1) from None


def _check_tenant(settings: SuiteSettings) -> None:
    """Events of a tenant that the suite lacks would wait for ever.

    Raises:
        DomainError: CONFIGURATION_INVALID.
    """
    tenant = settings.monitor.tenant
    if tenant not in settings.access.tenants:
        raise DomainError(
            Reason.CONFIGURATION_INVALID,
            f"monitor.tenant is {tenant!r}, but access.tenants are {', '.join(settings.access.tenants)}.",
        )


def _with_metrics_port(settings: SuiteSettings) -> SuiteSettings:
    if "port" in settings.metrics.model_fields_set:
        return settings
    own = settings.metrics.model_copy(update={"port": _METRICS_PORT})
    return settings.model_copy(update={"metrics": own})


async def _watch(
    settings: SuiteSettings, address: SourceAddress, told: Callable[[PersonChange], None]
) -> None:
    log = structlog.get_logger("vidence_server.monitor")
    async with AsyncExitStack() as stack:
        process = await open_process(stack, settings, [_Models()])
        served = await stack.enter_async_context(MetricsServer(settings.metrics, process.metrics))
        if served.port is not None:
            log.info("metrics", url=f"http://{settings.metrics.host}:{served.port}/metrics")
        await process.models.warm_up()
        watching = await stack.enter_async_context(
            app.open_monitor(
                settings.monitor,
                address,
                settings.storage.location,
                await process.bus_for_others(),
                engine=process.models,
                analyser=app.make_analyser(
                    settings.monitor, process.models, version_of(process.sessions[EMBEDDER])
                ),
                published_threshold=load_thresholds().default,
                told=told,
                clock=process.clock,
                ids=process.ids,
                random=random.Random().random,
                library=await _people_of(process),
                form=await sealing_of(process),
            )
        )
        app.export(process.metrics, watching)
        log.info("ready", monitor=settings.monitor.name, source=address.kind)
        await _until_end_or_signal(watching.monitor)
        numbers = watching.monitor.statistics()
        log.info(
            "stopping",
            frames=numbers.frames_analysed,
            dropped=numbers.frames_dropped,
            people=numbers.appeared,
        )


class _LibraryOfPeople:
    """Asks the library service for faces; fits `monitor.ports.FaceSearch`."""

    def __init__(self, client: LibraryClient, tenant: str) -> None:
        self._client = client
        self._tenant = tenant

    async def check_library(self, library_id: str) -> None:
        """Whether there is such a library; raises `DomainError`."""
        await self._client.check(self._tenant, library_id)

    async def search_faces(
        self, library_id: str, model: tuple[str, str], data: bytes, k: int
    ) -> Sequence[tuple[str, float]]:
        """The subjects that a face is most like; raises `DomainError`."""
        return await self._client.search_faces(self._tenant, library_id, model, data, k)


async def _people_of(process: Process) -> _LibraryOfPeople | None:
    """What names people, where the settings name a library."""
    if not process.settings.monitor.library:
        return None
    client = LibraryClient(
        process.settings.filing.library_address,
        process.own_calls,
        deadline_s=_ANSWER_S,
        connect_s=_ANSWER_S,
    )
    return _LibraryOfPeople(await process.stack.enter_async_context(client), process.settings.monitor.tenant)


async def _until_end_or_signal(running: Monitor) -> None:
    """Runs to the end of the source or to a signal; raises what the monitor raises."""
    watching = asyncio.create_task(running.run(), name="monitor")
    signalled = asyncio.create_task(until_signal(), name="signals")
    try:
        with settled_heap():
            await asyncio.wait({watching, signalled}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (watching, signalled):
            task.cancel()
        await asyncio.wait({watching, signalled})
    with suppress(asyncio.CancelledError):
        watching.result()


def _print_json(change: PersonChange) -> None:
    click.echo(convert.to_json(change))


def _print_line(change: PersonChange) -> None:
    time = change.time.astimezone().strftime("%H:%M:%S")
    match change:
        case PersonAppeared():
            what = "appeared"
        case PersonIdentified():
            what = (
                f"is {''.join(c if c.isprintable() else '?' for c in change.name)} ({change.similarity:.2f})"
            )
        case PersonLeft():
            seconds = (change.last_seen - change.first_seen).total_seconds()
            what = f"left after {seconds:.1f} s ({change.reason.value.lower()})"
        case _:
            assert_never(change)
    click.echo(f"{time}  {change.appearance_id}  {what}")
