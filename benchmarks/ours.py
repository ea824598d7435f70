"""Our own pipeline in this process, put together as the server puts it together."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.extraction.app import build_service, models
from vidence_server.extraction.domain.document import Document
from vidence_server.extraction.domain.events import ExtractionComplete
from vidence_server.extraction.service import ExtractionRequest, ExtractionService
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.settings import LogSettings
from vidence_server.suite.models import load_sessions
from vidence_server.suite_settings import InferenceSettings


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The extraction service without a transport."""

    service: ExtractionService
    engine: Engine

    async def read(self, content: bytes, document_type: str = "", profile: str = "") -> Document:
        """Reads one picture to the end; raises `DomainError`."""
        return (await self.complete(content, document_type, profile)).document

    async def complete(
        self, content: bytes, document_type: str = "", profile: str = ""
    ) -> ExtractionComplete:
        """The same, with where the time went."""
        request = ExtractionRequest(content, document_type, profile=profile)
        async with aclosing(self.service.extract(request)) as events:
            async for event in events:
                if isinstance(event, ExtractionComplete):
                    return event
        raise AssertionError("an extraction ends with ExtractionComplete or an error")

    def session_seconds(self) -> float:
        """Seconds that all model runs took so far, summed over the workers."""
        return sum(step.run_s_sum for step in self.engine.statistics().models.values())

    def call_seconds(self) -> float:
        """Seconds of everything else in the workers: decode, crops, decoding of outputs."""
        return sum(step.run_s_sum for step in self.engine.statistics().calls.values())


@asynccontextmanager
async def open_pipeline(settings: ExtractionSettings | None = None) -> AsyncIterator[Pipeline]:
    """Loads the models with their default settings and warms them up; raises `DomainError`.

    Args:
        settings: of the service; None: its defaults.
    """
    configure_logs(LogSettings(level="warning"), sys.stderr)
    clock = SystemClock()
    chosen = settings or ExtractionSettings()
    sessions = await asyncio.to_thread(load_sessions, InferenceSettings(), models(chosen))
    async with Engine(sessions, EngineSettings(), clock) as engine:
        await engine.warm_up()
        service = build_service(
            chosen,
            engine=engine,
            sessions=sessions,
            clock=clock,
            ids=IdFactory(clock),
        )
        yield Pipeline(service, engine)
