"""The suite in one process: one gRPC server, one engine, the services asked for."""

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

import structlog

from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.event import app as event
from vidence_server.extraction import app as extraction
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.inference.registry import ModelOverride, load_registry
from vidence_server.inference.session import ModelSession, SessionSettings, open_session
from vidence_server.inference.store import ModelStore, default_folder
from vidence_server.runtime.bus_client import BusClient
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.metrics_server import MetricsServer
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.settings import LogSettings
from vidence_server.storage.relay import EventSink
from vidence_server.suite_settings import InferenceSettings, SuiteSettings, load_suite_settings

PORTS: Mapping[str, int] = {"event": 50051, "extraction": 50052}
"""Services that `vidence serve` can start, by name, and where each listens when it runs alone."""
SERVICES = tuple(PORTS)
"""Their names; `all` means each of them, at the port of the settings."""

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
"""Statistics of the engine that only ever grow; the next two are those of run records and relays."""
_RUN_COUNTERS = ("written", "dropped", "failures")
_RELAY_COUNTERS = ("relayed", "refused", "failures")


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


@dataclass(frozen=True, slots=True)
class _Process:
    """What all services of a process share."""

    settings: SuiteSettings
    server: RpcServer
    metrics: Metrics
    clock: Clock
    ids: IdFactory


@asynccontextmanager
async def open_suite(settings: SuiteSettings, services: Collection[str] = SERVICES) -> AsyncIterator[Suite]:
    """Opens what the services need and listens; all of it ends with the context, the server first.

    Raises:
        DomainError: MODEL_MISSING, MODEL_CORRUPT, CONFIGURATION_INVALID, DATABASE_IN_USE,
            DATABASE_INCOMPATIBLE.
    """
    if not set(services) <= set(SERVICES):
        raise ValueError(f"services are {SERVICES}")
    clock = SystemClock()
    ids = IdFactory(clock)
    metrics = Metrics(version=version("vidence"))
    server = RpcServer(settings.server, metrics=metrics, clock=clock, ids=ids)
    process = _Process(settings, server, metrics, clock, ids)
    _make_folder(settings.storage.folder)
    async with AsyncExitStack() as stack:
        metrics_server = await stack.enter_async_context(MetricsServer(settings.metrics, metrics))
        if metrics_server.port is not None:
            log = structlog.get_logger("vidence_server.suite")
            log.info("metrics", url=f"http://{settings.metrics.host}:{metrics_server.port}/metrics")
        light: list[str] = []
        bus: EventSink | None = None
        if "event" in services:
            name, bus = await _open_event(stack, process)
            light.append(name)
        engine: Engine | None = None
        heavy: list[str] = []
        if "extraction" in services:
            engine, name = await _open_extraction(stack, process, bus)
            heavy.append(name)
        await stack.enter_async_context(server)
        yield Suite(server, engine, metrics_server.port, tuple(light), tuple(heavy))


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
            "storage": settings.storage.model_copy(update={"data_dir": Path(folder)}),
            "event": settings.event.model_copy(update={"database": None}),
        }
        async with open_suite(settings.model_copy(update=own)) as suite:
            await suite.warm_up()
            yield suite.server.address


def load_sessions(settings: InferenceSettings, models: Iterable[str]) -> Mapping[str, ModelSession]:
    """Opens models by registry name; takes a second or so, not for the event loop.

    Raises:
        DomainError: MODEL_MISSING, MODEL_CORRUPT, MODEL_UNKNOWN, CONFIGURATION_INVALID.
    """
    own = {
        name: ModelOverride(sha256=override.sha256, path=override.path, url=override.url)
        for name, override in settings.models.items()
    }
    registry = load_registry().with_overrides(own)
    store = ModelStore(settings.models_dir or default_folder())
    log = structlog.get_logger("vidence_server.inference")
    session_settings = SessionSettings(providers=settings.providers)
    specs = [registry[name] for name in models]
    return {spec.name: open_session(spec, store.path(spec), session_settings, log) for spec in specs}


async def _open_event(stack: AsyncExitStack, process: _Process) -> tuple[str, EventSink]:
    """The event service on the server: its full name, and the bus for others in this process."""
    folder = process.settings.storage.folder
    tenants = await stack.enter_async_context(
        event.open_service(
            process.settings.event,
            folder,
            process.clock,
            process.ids,
            # The ping that ends a frozen peer may be on its way before the first write that waits.
            stale_after_s=process.settings.server.keepalive_timeout_s / 2,
        )
    )
    name = event.register(process.server, tenants)
    event.export(process.metrics, tenants)
    return name, event.InProcessSink(tenants, process.server.check_request)


async def _open_extraction(
    stack: AsyncExitStack, process: _Process, bus: EventSink | None
) -> tuple[Engine, str]:
    """The extraction service on the server, its engine and its records; `bus` None: it is elsewhere."""
    settings = process.settings
    sessions = await asyncio.to_thread(load_sessions, settings.inference, extraction.MODELS)
    records = None
    if settings.extraction.record_runs:
        if bus is None:
            bus = await stack.enter_async_context(BusClient(settings.bus.address))
        records = await stack.enter_async_context(
            extraction.open_records(
                settings.extraction,
                settings.storage.folder,
                bus,
                clock=process.clock,
                random=random.Random().random,
            )
        )
        process.metrics.export("extraction_runs", records.store.statistics, counters=_RUN_COUNTERS)
        process.metrics.export("extraction_relay", records.relay.statistics, counters=_RELAY_COUNTERS)
    engine = await stack.enter_async_context(
        Engine(sessions, _engine_settings(settings.inference), process.clock)
    )
    process.metrics.export("engine", engine.statistics, counters=_ENGINE_COUNTERS)
    service = extraction.build_service(
        settings.extraction,
        engine=engine,
        sessions=sessions,
        clock=process.clock,
        ids=process.ids,
        recorder=None if records is None else records.store,
    )
    return engine, extraction.register(process.server, service, process.clock)


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
