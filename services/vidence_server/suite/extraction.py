"""Starts the extraction service."""

from __future__ import annotations

import random

from vidence_server.extraction import app
from vidence_server.extraction.recording import RunRecorder
from vidence_server.suite.libraries import libraries_of
from vidence_server.suite.process import Process
from vidence_server.suite_settings import SuiteSettings

_RUN_COUNTERS = ("written", "dropped", "failures")
"""Statistics of run records that only ever grow; the next ones are those of the relay."""
_RELAY_COUNTERS = ("relayed", "refused", "failures")


def models(settings: SuiteSettings) -> tuple[str, ...]:
    """Those that find and read text."""
    return app.models(settings.extraction)


async def open_service(process: Process) -> None:
    """Readings, and the records of them."""
    service = app.build_service(
        process.settings.extraction,
        engine=process.models,
        sessions=process.sessions,
        clock=process.clock,
        ids=process.ids,
        recorder=await _open_records(process),
    )
    libraries = await libraries_of(process)
    process.model_services.append(app.register(process.server, service, process.clock, libraries))


async def _open_records(process: Process) -> RunRecorder | None:
    settings = process.settings
    if not settings.extraction.record_runs:
        return None
    records = await process.stack.enter_async_context(
        app.open_records(
            settings.extraction,
            settings.storage.location,
            await process.bus_for_others(),
            clock=process.clock,
            random=random.Random().random,
        )
    )
    process.metrics.export("extraction_runs", records.store.statistics, counters=_RUN_COUNTERS)
    process.metrics.export("extraction_relay", records.relay.statistics, counters=_RELAY_COUNTERS)
    return records.store
