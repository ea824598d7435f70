"""Starts the capture service."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence_server.capture import app
from vidence_server.capture.reading import ExtractDocument
from vidence_server.capture.snapshots import MonitorFolder, MonitorSnapshots
from vidence_server.encryption.sealing import Sealing
from vidence_server.extraction import app as extraction
from vidence_server.extraction import convert
from vidence_server.extraction.service import ExtractionRequest, ExtractionService
from vidence_server.inference.engine import Priority
from vidence_server.monitor.app import images_of
from vidence_server.storage.blob_subjects import BlobSubjects
from vidence_server.storage.blobs import FolderBlobs
from vidence_server.suite.at_rest import sealing_of
from vidence_server.suite.process import Process
from vidence_server.suite_settings import SuiteSettings

IMAGES = "capture-images"
"""Folder of captured pictures."""


def models(settings: SuiteSettings) -> tuple[str, ...]:
    """Those that look at faces, and those that read what was captured."""
    return (*app.MODELS, *extraction.models(settings.extraction))


async def open_service(process: Process) -> None:
    """Sessions, their pictures, and a reader on the engine of the process."""
    settings = process.settings
    folder = settings.storage.folder
    reader = extraction.build_service(
        settings.extraction,
        engine=process.models,
        sessions=process.sessions,
        clock=process.clock,
        ids=process.ids,
    )
    form = await sealing_of(process)
    blobs = await process.stack.enter_async_context(
        FolderBlobs(folder / IMAGES, clock=process.clock, ids=process.ids, form=form)
    )
    of_monitors = {
        tenant: await _of_monitors(process, folder / images_of(tenant), form) for tenant in process.tenants
    }
    capture = await process.stack.enter_async_context(
        app.open_service(
            settings.capture,
            folder,
            app.build_helpers(
                settings.capture,
                engine=process.models,
                sessions=process.sessions,
                extract=_extracting(reader),
                snapshots=MonitorSnapshots(of_monitors),
            ),
            blobs,
            await process.bus_for_others(),
            clock=process.clock,
            ids=process.ids,
            random=random.Random().random,
            database=settings.storage.location.database("capture", migrations=app.MIGRATIONS),
            tenants=process.tenants,
        )
    )
    app.export(process.metrics, capture)
    process.holders["capture"] = capture.erasing
    process.model_services.append(app.register(process.server, capture, process.clock))


async def _of_monitors(process: Process, folder: Path, form: Sealing) -> MonitorFolder:
    """What the monitors of a tenant keep; swept here too, as a monitor sweeps only while it runs."""
    blobs = FolderBlobs(folder, clock=process.clock, ids=process.ids, form=form)
    return MonitorFolder(await process.stack.enter_async_context(blobs), BlobSubjects(folder))


def _extracting(reader: ExtractionService) -> ExtractDocument:
    """What a session asks the reader for, as it would over gRPC."""

    async def extract(
        request: pb.ExtractDocumentRequest,
    ) -> AsyncGenerator[pb.ExtractDocumentResponse, None]:
        reading = ExtractionRequest(
            request.content, document_type=request.document_type, priority=Priority.LIVE
        )
        async with aclosing(reader.extract(reading)) as events:
            async for event in events:
                yield convert.to_response(event)

    return extract
