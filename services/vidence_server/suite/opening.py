"""Opens the services of a process, and closes them again."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.core.spans import Spans
from vidence_server.runtime.access_guard import AccessGuard
from vidence_server.runtime.access_opening import make_guard
from vidence_server.runtime.access_settings import AccessSettings, TlsSettings
from vidence_server.runtime.audit_events import AuditEvents, AuditRules
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.metrics_server import MetricsServer
from vidence_server.runtime.own_calls import own_calls
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.settings import LogSettings
from vidence_server.runtime.tls import check_exposure, server_credentials
from vidence_server.runtime.tracing import open_tracing
from vidence_server.suite.process import Process
from vidence_server.suite.table import SERVICES, ServiceModule, module_of
from vidence_server.suite_settings import SuiteSettings, load_suite_settings

if TYPE_CHECKING:  # a process without models pays for no runtime of models
    from vidence_server.inference.engine import Engine

_AUDIT_COUNTERS = ("published", "dropped", "failures")
_ACCESS_COUNTERS = ("ended_streams", "refused", "rate_limited", "call_limited")


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite that listens; its services are ready after `warm_up`."""

    server: RpcServer
    engine: Engine | None
    """None where no service runs models."""
    metrics_port: int | None
    light_services: tuple[str, ...]
    """Full names of the gRPC services that need no models."""
    model_services: tuple[str, ...]
    """Full names of those that do."""

    async def warm_up(self) -> None:
        """Tells that the services are ready; those with models once every model has run."""
        for service in self.light_services:
            await self.server.mark_ready(service)
        if self.engine is not None:
            await self.engine.warm_up()
        for service in self.model_services:
            await self.server.mark_ready(service)


@asynccontextmanager
async def open_suite(settings: SuiteSettings, services: Collection[str] = SERVICES) -> AsyncIterator[Suite]:
    """Opens what the services need and listens; all of it ends with the context, the server first.

    Raises:
        DomainError: MODEL_MISSING, MODEL_CORRUPT, CONFIGURATION_INVALID, DATABASE_IN_USE,
            DATABASE_INCOMPATIBLE.
    """
    if not set(services) <= set(SERVICES):
        raise ValueError(f"services are {SERVICES}")
    check_exposure(settings.server, settings.access, settings.tls)
    modules = [module_of(name) for name in SERVICES if name in services]
    async with AsyncExitStack() as stack:
        process = await open_process(stack, settings, modules, listens=True)
        metrics_server = await stack.enter_async_context(
            MetricsServer(settings.metrics, process.metrics, lambda: process.server.serving)
        )
        if metrics_server.port is not None:
            log = structlog.get_logger("vidence_server.suite")
            log.info("metrics", url=f"http://{settings.metrics.host}:{metrics_server.port}/metrics")
        for module in modules:
            await module.open_service(process)
        await _tell_bus(process)
        await stack.enter_async_context(process.server)
        yield Suite(
            process.server,
            process.engine,
            metrics_server.port,
            tuple(process.light_services),
            tuple(process.model_services),
        )


@asynccontextmanager
async def embedded_suite(environ: Mapping[str, str]) -> AsyncIterator[str]:
    """The suite on a socket file and with data of its own, ready for calls; yields the address.

    Raises:
        DomainError: as `open_suite`.
    """
    settings = load_suite_settings(None, environ)
    configure_logs(LogSettings(level="warning"), sys.stderr)
    with tempfile.TemporaryDirectory(prefix="vidence-") as folder:
        own = {
            "server": settings.server.model_copy(update={"host": f"unix:{folder}/suite.sock"}),
            "metrics": settings.metrics.model_copy(update={"enabled": False}),
            # Only the command reaches the socket, in a folder of its own.
            "access": AccessSettings(),
            "tls": TlsSettings(),
            "storage": settings.storage.model_copy(
                update={"data_dir": Path(folder), "database_url": None, "database_urls": {}}
            ),
            "event": settings.event.model_copy(update={"database": None}),
        }
        async with open_suite(settings.model_copy(update=own)) as suite:
            await suite.warm_up()
            yield suite.server.address


async def open_process(
    stack: AsyncExitStack,
    settings: SuiteSettings,
    modules: Collection[ServiceModule],
    *,
    listens: bool = False,
) -> Process:
    """What all services share; one engine for all their models.

    Args:
        stack: Ends it.
        settings: Of the process.
        modules: Its services.
        listens: Whether its server will be entered; then it gets a guard and a certificate.
    """
    clock = SystemClock()
    ids = IdFactory(clock)
    metrics = Metrics(version=version("vidence"))
    tracing = await stack.enter_async_context(
        open_tracing(settings.tracing, metrics, version=version("vidence"))
    )
    guard = await open_guard(stack, settings, metrics, clock) if listens else None
    server = RpcServer(
        settings.server,
        metrics=metrics,
        clock=clock,
        ids=ids,
        guard=guard,
        credentials=server_credentials(settings.tls) if listens else None,
        tracing=tracing,
    )
    _make_folder(settings.storage.folder)
    # By name once: several services may run the same model.
    names = dict.fromkeys(name for module in modules for name in module.models(settings))
    process = Process(settings, server, metrics, clock, ids, stack)
    if names:
        await _open_models(process, names, tracing.steps)
    process.guard = guard
    process.tenants = settings.access.tenants
    process.own_calls = own_calls(settings.access, settings.tls)
    return process


async def _open_models(process: Process, names: Iterable[str], steps: Spans) -> None:
    """Opens the models of these names and one engine that runs them all.

    Raises:
        DomainError: as `load_sessions`.
    """
    # Only now: their runtime and the arrays it works on take half a second to import.
    from vidence_server.suite import models  # noqa: PLC0415  # see above

    process.sessions = await asyncio.to_thread(models.load_sessions, process.settings.inference, names)
    process.engine = await process.stack.enter_async_context(
        models.make_engine(process.sessions, process.settings.inference, process.clock, steps)
    )
    process.metrics.export("engine", process.engine.statistics, counters=models.ENGINE_COUNTERS)


async def _tell_bus(process: Process) -> None:
    """Audit events, where the settings ask for them; they end after the server."""
    tenant = process.settings.access.audit_tenant
    if process.guard is None or tenant is None:
        return
    events = AuditEvents(
        await process.bus_for_others(),
        AuditRules(tenant),
        clock=process.clock,
        ids=process.ids,
        random=random.Random().random,
    )
    await process.stack.enter_async_context(events)
    process.guard.tells(events)
    process.metrics.export("audit", events.statistics, counters=_AUDIT_COUNTERS)


async def open_guard(
    stack: AsyncExitStack,
    settings: SuiteSettings,
    metrics: Metrics,
    clock: Clock,
) -> AccessGuard | None:
    """Who stands at the door, until the stack closes; None: anybody may come in.

    Raises:
        DomainError: CONFIGURATION_INVALID.
    """
    guard = make_guard(settings.access, clock)
    if guard is not None:
        await stack.enter_async_context(guard)
        metrics.export("access", guard.statistics, counters=_ACCESS_COUNTERS)
    return guard


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"Cannot make the data folder {folder}: {error.strerror}."
        ) from error
