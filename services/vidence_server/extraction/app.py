"""Puts the extraction service together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import cv2

from vidence.extraction.v1 import extraction_service_pb2_grpc as pb_grpc
from vidence_server.core.clock import Clock
from vidence_server.core.ids import IdFactory
from vidence_server.extraction import convert
from vidence_server.extraction.catalogues import CardCatalogues
from vidence_server.extraction.domain.provenance import Maker
from vidence_server.extraction.filing import DocumentFiling, Libraries
from vidence_server.extraction.profile_readers import ProfileReader, ProfileReaders
from vidence_server.extraction.profiles import OFFERED, PROFILES, models_of
from vidence_server.extraction.recording import NoRecorder, RunRecorder
from vidence_server.extraction.service import ExtractionService
from vidence_server.extraction.servicer import SERVICE_NAME, ExtractionServicer
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.extraction.store import RunStore, RunStoreSettings
from vidence_server.inference.engine import Engine
from vidence_server.inference.session import ModelSession
from vidence_server.runtime.server import RpcServer
from vidence_server.storage.location import StateLocation
from vidence_server.storage.outbox import Outbox
from vidence_server.storage.relay import EventSink, Relay
from vidence_server.vision.decode import ImageDecoder, ImageLimits
from vidence_server.vision.ocr.profile import ReadingProfile
from vidence_server.vision.ocr.reader import TextReader
from vidence_server.vision.ocr.recogniser import Vocabulary

MODELS = models_of(OFFERED)
"""Registry names of the models that the service runs with its default settings."""

_MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Records:
    """Where runs are recorded, and how they are told to the bus."""

    store: RunStore
    relay: Relay


@asynccontextmanager
async def open_records(
    settings: ExtractionSettings,
    location: StateLocation,
    bus: EventSink,
    *,
    clock: Clock,
    random: Callable[[], float],
) -> AsyncIterator[Records]:
    """The service's database and what works on it; open it before the server, so that it outlives all calls.

    Args:
        settings: `record_runs` is asked by the caller, who opens nothing where it is false.
        location: Of the database.
        bus: Where events go; it may be away at any time.
        clock: The service's time.
        random: Numbers in [0, 1), for jitter.

    Raises:
        DomainError: DATABASE_IN_USE, DATABASE_INCOMPATIBLE, STORAGE_FULL, STORAGE_FAILED.
    """
    kept = RunStoreSettings(retention=timedelta(days=settings.record_retention_days))
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(location.database("extraction", migrations=_MIGRATIONS))
        outbox = Outbox(database)
        relay = await stack.enter_async_context(Relay(outbox, bus, clock=clock, random=random))
        store = await stack.enter_async_context(
            RunStore(database, outbox, convert.to_outbox_event, clock=clock, settings=kept)
        )
        yield Records(store, relay)


def build_service(
    settings: ExtractionSettings,
    *,
    engine: Engine,
    sessions: Mapping[str, ModelSession],
    clock: Clock,
    ids: IdFactory,
    recorder: RunRecorder | None = None,
) -> ExtractionService:
    """The service without a transport: for the servicer, for benchmarks, for `--embedded`.

    Args:
        settings: What is accepted.
        engine: Runs the models.
        sessions: The models, by name.
        clock: The service's time.
        ids: Names readings.
        recorder: Keeps a record of each reading; None: nobody does.

    Raises:
        DomainError: CONFIGURATION_INVALID, when a card catalogue is missing.
    """
    # The engine's workers are the threads that compute; OpenCV's own would fight with them for the cores.
    cv2.setNumThreads(1)
    limits = ImageLimits(
        max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels, pdf_dpi=settings.pdf_dpi
    )
    return ExtractionService(
        engine=engine,
        decoder=ImageDecoder(limits),
        profiles=_readers(settings, engine, sessions),
        recorder=recorder or NoRecorder(),
        catalogues=CardCatalogues(settings.card_catalogues, settings.card_catalogue),
        clock=clock,
        ids=ids,
    )


def models(settings: ExtractionSettings) -> tuple[str, ...]:
    """Registry names of the models that the service runs; raises `DomainError` for an unknown profile."""
    return models_of(settings.profiles)


def _readers(
    settings: ExtractionSettings, engine: Engine, sessions: Mapping[str, ModelSession]
) -> ProfileReaders:
    models_of(settings.profiles)  # refuses names that are no profile's
    readers = {}
    for name in settings.profiles:
        profile = replace(PROFILES[name], detector_area_px=settings.detector_area_px)
        draft = sessions[profile.draft_model].metadata if profile.draft_model else None
        reader = TextReader(
            engine,
            profile,
            Vocabulary.from_metadata(sessions[profile.recogniser_model].metadata),
            Vocabulary.from_metadata(draft) if draft is not None else None,
        )
        readers[name] = ProfileReader(reader, _maker(settings, profile, sessions))
    return ProfileReaders(readers, settings.profile)


def _maker(
    settings: ExtractionSettings, profile: ReadingProfile, sessions: Mapping[str, ModelSession]
) -> Maker:
    """What readings are made by, for their provenance."""
    values = {f"reading.{name}": str(value) for name, value in asdict(profile).items()}
    values["max_image_pixels"] = str(settings.max_image_pixels)
    values["pdf_dpi"] = str(settings.pdf_dpi)
    models = {name: sessions[name].sha256 for name in models_of([profile.name])}
    return Maker(version=version("vidence"), models=models, configuration=values)


def register(
    server: RpcServer, service: ExtractionService, clock: Clock, libraries: Libraries | None = None
) -> str:
    """Offers the service on a server; gives its full name, for `RpcServer.mark_ready`.

    Args:
        server: Where.
        service: What reads.
        clock: The service's time.
        libraries: Where documents go that are to be found again; None: nowhere.
    """
    servicer = ExtractionServicer(service, server.result_streams, clock, DocumentFiling(libraries))
    server.register(
        SERVICE_NAME,
        lambda grpc_server: pb_grpc.add_ExtractionServiceServicer_to_server(servicer, grpc_server),
    )
    return SERVICE_NAME
