"""Opens the services of a process, and closes them again."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import structlog

from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.runtime.access_guard import AccessGuard
from vidence_server.runtime.access_opening import make_guard
from vidence_server.runtime.access_settings import AccessSettings, TlsSettings
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.metrics_server import MetricsServer
from vidence_server.runtime.own_calls import own_calls
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.settings import LogSettings
from vidence_server.runtime.tls import check_exposure, server_credentials
from vidence_server.runtime.tracing import open_tracing
from vidence_server.suite.models import load_sessions
from vidence_server.suite.process import Process
from vidence_server.suite.table import SERVICES, ServiceModule, module_of
from vidence_server.suite_settings import InferenceSettings, SuiteSettings, load_suite_settings

_ENGINE_COUNTERS = (
    "completed",
    "failed",
    "cancelled",
    "expired",
    "rejected",
    "queue_wait_s_sum",
    "runs",
    "run_s_sum",
    "batch_size_sum",
)
"""Statistics of the engine that only ever grow."""
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
        metrics_server = await stack.enter_async_context(MetricsServer(settings.metrics, process.metrics))
        if metrics_server.port is not None:
            log = structlog.get_logger("vidence_server.suite")
            log.info("metrics", url=f"http://{settings.metrics.host}:{metrics_server.port}/metrics")
        for module in modules:
            await module.open_service(process)
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
    sessions = await asyncio.to_thread(load_sessions, settings.inference, names)
    engine = None
    if sessions:
        engine = await stack.enter_async_context(
            Engine(sessions, _engine_settings(settings.inference), clock, tracing.steps)
        )
        metrics.export("engine", engine.statistics, counters=_ENGINE_COUNTERS)
    process = Process(settings, server, metrics, clock, ids, stack, sessions, engine)
    process.guard = guard
    process.tenants = settings.access.tenants
    process.own_calls = own_calls(settings.access, settings.tls)
    return process


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


def _engine_settings(settings: InferenceSettings) -> EngineSettings:
    return EngineSettings(
        workers=settings.workers, queue_limit=settings.queue_limit, call_queue_limit=settings.queue_limit
    )
