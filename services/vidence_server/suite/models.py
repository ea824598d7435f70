"""Opens the models that services ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog

from vidence_server.core.clock import Clock
from vidence_server.core.spans import Spans
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.inference.registry import ModelOverride, ModelRegistry, load_registry
from vidence_server.inference.session import ModelSession, SessionSettings, open_session
from vidence_server.inference.store import ModelStore, default_folder
from vidence_server.suite_settings import InferenceSettings

ENGINE_COUNTERS = (
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


def registry_of(settings: InferenceSettings) -> ModelRegistry:
    """The registry with the operator's own weights.

    Raises:
        DomainError: MODEL_UNKNOWN, CONFIGURATION_INVALID.
    """
    own = {
        name: ModelOverride(sha256=override.sha256, path=override.path, url=override.url)
        for name, override in settings.models.items()
    }
    return load_registry().with_overrides(own)


def load_sessions(settings: InferenceSettings, models: Iterable[str]) -> Mapping[str, ModelSession]:
    """Opens models by registry name; takes a second or so, not for the event loop.

    Raises:
        DomainError: MODEL_MISSING, MODEL_CORRUPT, MODEL_UNKNOWN, CONFIGURATION_INVALID.
    """
    registry = registry_of(settings)
    store = ModelStore(settings.models_dir or default_folder())
    log = structlog.get_logger("vidence_server.inference")
    session_settings = SessionSettings(providers=settings.providers)
    specs = [registry[name] for name in models]
    return {spec.name: open_session(spec, store.path(spec), session_settings, log) for spec in specs}


def make_engine(
    sessions: Mapping[str, ModelSession], settings: InferenceSettings, clock: Clock, steps: Spans
) -> Engine:
    """The engine of a process, at rest."""
    own = EngineSettings(
        workers=settings.workers, queue_limit=settings.queue_limit, call_queue_limit=settings.queue_limit
    )
    return Engine(sessions, own, clock, steps)
