"""The suite in one process: one gRPC server, one engine, the services asked for, and their settings."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import structlog
from pydantic import Field

from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.extraction import app as extraction
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.inference.registry import ModelOverride, load_registry
from vidence_server.inference.session import ModelSession, SessionSettings, open_session
from vidence_server.inference.store import ModelStore, default_folder
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.metrics_server import MetricsServer
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.settings import (
    LogSettings,
    MetricsSettings,
    Section,
    ServerSettings,
    load_settings,
)

SERVICES = ("extraction",)
"""Services that `vidence serve` can start, by name; `all` means each of them."""

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


class ModelOverrideSettings(Section):
    """A user's own weights in the place of a registered model."""

    path: Path | None = Field(None, description="File of the model.")
    url: str | None = Field(None, description="Where `vidence models pull` fetches it.")
    sha256: str = Field(description="Its SHA-256, 64 hex digits; always checked.")


class InferenceSettings(Section):
    """Models and the engine that runs them."""

    providers: Literal["auto"] | tuple[str, ...] = Field(
        "auto", description="`auto`: CUDA where there is one, else CPU; a list: exactly these, all required."
    )
    workers: int | None = Field(None, ge=1, description="Steps that run at once; unset: as many as cores.")
    queue_limit: int = Field(256, ge=1, description="Steps that may wait per model; the next is refused.")
    models_dir: Path | None = Field(None, description="Folder of the models; unset: the user's cache.")
    models: dict[str, ModelOverrideSettings] = Field({}, description="Own weights by model name.")


class SuiteSettings(Section):
    """All sections of a process."""

    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    inference: InferenceSettings = InferenceSettings()
    extraction: ExtractionSettings = ExtractionSettings()


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite that listens; its services are ready after `warm_up`."""

    server: RpcServer
    engine: Engine
    metrics_port: int | None
    services: tuple[str, ...]
    """Full names of the gRPC services."""

    async def warm_up(self) -> None:
        """Runs every model once, then tells that the services are ready."""
        await self.engine.warm_up()
        for service in self.services:
            await self.server.mark_ready(service)


@asynccontextmanager
async def open_suite(settings: SuiteSettings, services: Iterable[str] = SERVICES) -> AsyncIterator[Suite]:
    """Loads models, starts the engine and listens; all of it ends with the context.

    Raises:
        DomainError: MODEL_MISSING, MODEL_CORRUPT, CONFIGURATION_INVALID.
    """
    if not set(services) <= set(SERVICES):
        raise ValueError(f"services are {SERVICES}")
    clock = SystemClock()
    ids = IdFactory(clock)
    metrics = Metrics(version=version("vidence"))
    sessions = await asyncio.to_thread(load_sessions, settings.inference, extraction.MODELS)
    async with AsyncExitStack() as stack:
        metrics_server = await stack.enter_async_context(MetricsServer(settings.metrics, metrics))
        engine = await stack.enter_async_context(
            Engine(sessions, _engine_settings(settings.inference), clock)
        )
        metrics.export("engine", engine.statistics, counters=_ENGINE_COUNTERS)
        if metrics_server.port is not None:
            log = structlog.get_logger("vidence_server.suite")
            log.info("metrics", url=f"http://{settings.metrics.host}:{metrics_server.port}/metrics")
        server = RpcServer(settings.server, metrics=metrics, clock=clock, ids=ids)
        service = extraction.build_service(
            settings.extraction, engine=engine, sessions=sessions, clock=clock, ids=ids
        )
        names = (extraction.register(server, service, clock),)
        await stack.enter_async_context(server)
        yield Suite(server, engine, metrics_server.port, names)


@asynccontextmanager
async def embedded_suite(environ: Mapping[str, str]) -> AsyncIterator[str]:
    """The suite on a socket file of its own, ready for calls; yields the address.

    Raises:
        DomainError: as `open_suite`.
    """
    settings = load_settings(SuiteSettings, config=None, environ=environ)
    configure_logs(LogSettings(level="warning"), sys.stderr)
    with tempfile.TemporaryDirectory(prefix="vidence-") as folder:
        own = {
            "server": settings.server.model_copy(update={"host": f"unix:{folder}/suite.sock"}),
            "metrics": settings.metrics.model_copy(update={"enabled": False}),
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


def _engine_settings(settings: InferenceSettings) -> EngineSettings:
    return EngineSettings(
        workers=settings.workers, queue_limit=settings.queue_limit, call_queue_limit=settings.queue_limit
    )
