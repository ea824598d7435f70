"""Starts the batch service, with workers beside it."""

from __future__ import annotations

import random
from contextlib import aclosing

from vidence_server.batch import app
from vidence_server.extraction import app as extraction
from vidence_server.extraction import convert
from vidence_server.extraction.domain.events import ExtractionComplete
from vidence_server.extraction.service import ExtractionRequest, ExtractionService
from vidence_server.inference.engine import Priority
from vidence_server.suite.at_rest import sealing_of
from vidence_server.suite.libraries import libraries_of
from vidence_server.suite.process import Process
from vidence_server.suite_settings import SuiteSettings


class ExtractionReader:
    """What workers read images with: the extraction service, behind everything that somebody waits for."""

    def __init__(self, service: ExtractionService) -> None:
        self._service = service

    async def read(self, content: bytes, *, document_type: str, pdf_page: int, ahead: bool) -> bytes:
        """Reads one image; see `batch.domain.work.DocumentReader`."""
        priority = Priority.BATCH if ahead else Priority.BULK
        request = ExtractionRequest(
            content, document_type=document_type, pdf_page=pdf_page, priority=priority
        )
        async with aclosing(self._service.extract(request)) as events:
            async for event in events:
                if isinstance(event, ExtractionComplete):
                    return convert.to_document(event.document).SerializeToString()
        raise AssertionError("a reading ended without a result")


def models(settings: SuiteSettings) -> tuple[str, ...]:
    """Those that find and read text, where workers run in this process."""
    return () if settings.batch.workers == 0 else extraction.models(settings.extraction)


def reader_of(process: Process) -> ExtractionReader:
    """A reader on the engine of the process; batches tell of their readings themselves."""
    service = extraction.build_service(
        process.settings.extraction,
        engine=process.models,
        sessions=process.sessions,
        clock=process.clock,
        ids=process.ids,
    )
    return ExtractionReader(service)


async def open_service(process: Process) -> None:
    """Batches, jobs and their queue; workers begin when the service listens and its models are loaded."""
    settings = process.settings
    randomness = random.Random().random
    opened = await process.stack.enter_async_context(
        app.open_service(
            settings.batch,
            settings.storage.location,
            await process.bus_for_others(),
            await libraries_of(process),
            clock=process.clock,
            ids=process.ids,
            random=randomness,
            draining=process.server.result_streams.draining,
            form=await sealing_of(process),
        )
    )
    app.export(process.metrics, opened)
    process.holders["batch"] = opened.service.erasing
    names = app.register(process.server, opened.service)
    if settings.batch.workers == 0:
        process.light_services.extend(names)
        return
    worker = app.local_worker(
        opened.service,
        reader_of(process),
        concurrency=settings.batch.workers or process.models.workers,
        clock=process.clock,
        random=randomness,
    )
    await process.stack.enter_async_context(worker)
    app.export_worker(process.metrics, worker)
    process.model_services.extend(names)
