"""Starts the library service."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial

import numpy as np

from vidence.extraction.v1 import document_pb2
from vidence_server.face import app as face
from vidence_server.face.service import FaceService
from vidence_server.inference.engine import Priority, available_cores
from vidence_server.inference.store import ModelStore, default_folder
from vidence_server.library import app, convert
from vidence_server.library.domain.faces import FaceModel, FaceTemplate
from vidence_server.library.embedding.embedder import MODELS
from vidence_server.library.embedding.loading import open_embedder
from vidence_server.library.keeping import KeepPolicy
from vidence_server.library.search.making import make_index
from vidence_server.library.search.scan import ScanThreads
from vidence_server.library.service import LibraryService
from vidence_server.runtime.filed_document import to_library_document
from vidence_server.suite.at_rest import sealing_of
from vidence_server.suite.models import registry_of
from vidence_server.suite.process import Process
from vidence_server.suite_settings import SuiteSettings


class PictureTemplates:
    """Makes templates of pictures with the face service; fits `library.ports.FaceEmbedder`."""

    def __init__(self, service: FaceService) -> None:
        self._service = service

    async def template(self, image: bytes) -> FaceTemplate:
        """The template of the one face in a picture; raises `DomainError` as the face service does."""
        made = await self._service.embed_one(image)
        data = np.array(made.vector, "<f4").tobytes()
        return FaceTemplate(FaceModel(made.model, made.version), data)


class OwnLibraries:
    """The library service for services of the same process."""

    def __init__(self, service: LibraryService) -> None:
        self._service = service

    async def check(self, tenant: str, library_id: str) -> None:
        """Whether there is such a library; raises `DomainError`, LIBRARY_NOT_FOUND."""
        await self._service.libraries.get(tenant, library_id)

    async def put(
        self,
        tenant: str,
        library_id: str,
        document_id: str,
        result: bytes,
        properties: Mapping[str, str | float],
    ) -> None:
        """Makes a result a document of a library; as `runtime.library_client.LibraryClient.put`."""
        read = document_pb2.Document.FromString(result)
        draft = convert.to_draft(to_library_document(document_id, read, properties))
        await self._service.documents.keep(tenant, library_id, draft, KeepPolicy(priority=Priority.BATCH))


def models(settings: SuiteSettings) -> tuple[str, ...]:  # noqa: ARG001 - the signature of `ServiceModule`
    """Those that make vectors of texts and templates of faces."""
    return (*MODELS, *face.MODELS)


async def open_service(process: Process) -> None:
    """Libraries, and the records of them."""
    settings = process.settings
    store = ModelStore(settings.inference.models_dir or default_folder())
    embedder = await open_embedder(process.models, store, registry_of(settings.inference))
    faces = face.build_service(settings.face, engine=process.models, sessions=process.sessions)
    scan = process.stack.enter_context(ScanThreads(available_cores()))
    opened = await process.stack.enter_async_context(
        app.open_service(
            settings.library,
            settings.storage.location,
            await process.bus_for_others(),
            embedders={embedder.model_id: embedder},
            face_embedder=PictureTemplates(faces),
            clock=process.clock,
            ids=process.ids,
            random=random.Random().random,
            make=partial(make_index, scan=scan),
            tenants=process.tenants,
            sealing=await sealing_of(process),
        )
    )
    app.export(process.metrics, opened)
    process.libraries = OwnLibraries(opened.service)
    process.holders["library"] = opened.service.erasing
    process.model_services.append(app.register(process.server, opened.service, process.clock))
