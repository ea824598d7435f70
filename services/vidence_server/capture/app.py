"""Puts the capture service together."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from vidence.capture.v1 import capture_service_pb2_grpc as pb_grpc
from vidence_server.access.principal import DEFAULT_TENANT
from vidence_server.capture import convert, event_messages
from vidence_server.capture.album import PictureAlbum
from vidence_server.capture.erasing import SubjectErasing
from vidence_server.capture.gate_file import DEFAULT_FILE, load_gates
from vidence_server.capture.group_commit import GroupCommit
from vidence_server.capture.guidance import GuidanceTexts
from vidence_server.capture.live import Surroundings
from vidence_server.capture.numbers import Encoders
from vidence_server.capture.ports import DocumentReader, Eyes, FaceComparer, Snapshots
from vidence_server.capture.processing import Processing
from vidence_server.capture.reading import ExtractDocument, ExtractionReader
from vidence_server.capture.seeing import CameraEyes, FacePairs
from vidence_server.capture.service import CaptureService, Outside
from vidence_server.capture.servicer import SELF_CHECKED, SERVICE_NAME, CaptureServicer
from vidence_server.capture.settings import CaptureSettings
from vidence_server.capture.store import SessionStore
from vidence_server.capture.teller import Telling
from vidence_server.capture.tenants import CaptureTenants
from vidence_server.core.clock import Clock
from vidence_server.core.ids import IdFactory
from vidence_server.inference.engine import Engine
from vidence_server.inference.session import ModelSession
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server import RpcServer
from vidence_server.storage.blobs import BlobStore
from vidence_server.storage.database import Database, sqlite_url
from vidence_server.storage.outbox import Outbox
from vidence_server.storage.relay import EventSink, Relay
from vidence_server.vision.decode import ImageDecoder, ImageLimits
from vidence_server.vision.faces.analyser import FaceAnalyser
from vidence_server.vision.faces.profile import (
    DETECTOR,
    EMBEDDER,
    EYE,
    FACE_MODELS,
    LANDMARKS,
    LIVENESS,
    POSE,
    FaceProfile,
)

MIGRATIONS = Path(__file__).parent / "migrations"
MODELS = FACE_MODELS
"""Registry names of the models that the service runs."""
_VERSION_DIGITS = 12
_TOKEN_BYTES = 32
_COUNTERS = (
    "created",
    "frames_received",
    "frames_processed",
    "frames_superseded",
    "frames_refused",
    "events",
    "delivered",
    "conflated",
)
"""Statistics of the service that only ever grow; the next one is that of its relay."""
_RELAY_COUNTERS = ("relayed", "refused", "failures")


@dataclass(frozen=True, slots=True)
class Helpers:
    """Who does what capture does not do itself."""

    eyes: Eyes
    """Looks at frames."""
    reader: DocumentReader | None = None
    """Reads documents; None: nobody does here."""
    comparer: FaceComparer | None = None
    """Compares faces; None: nobody does here."""
    snapshots: Snapshots | None = None
    """Pictures that a monitor keeps; None: there are none here."""


@dataclass(frozen=True, slots=True)
class Capture:
    """The service and what serves it."""

    tenants: CaptureTenants
    album: PictureAlbum
    texts: GuidanceTexts
    erasing: SubjectErasing
    relay: Relay

    @property
    def service(self) -> CaptureService:
        """The sessions of the first tenant: of the only one, unless the settings name more."""
        return next(iter(self.tenants.services.values()))


@asynccontextmanager
async def open_service(
    settings: CaptureSettings,
    data_dir: Path,
    helpers: Helpers,
    blobs: BlobStore,
    bus: EventSink,
    *,
    clock: Clock,
    ids: IdFactory,
    random: Callable[[], float],
    database: Database | None = None,
    tenants: Sequence[str] = (DEFAULT_TENANT,),
) -> AsyncIterator[Capture]:
    """Opens the service's database and takes up its sessions; all of it ends with the context.

    Args:
        settings: Of the service.
        data_dir: Holds `capture.db` where no database is given.
        helpers: Who does what it does not do itself.
        blobs: Keeps pictures.
        bus: Where domain events go; it may be away at any time.
        clock: The time.
        ids: Names sessions and pictures.
        random: Numbers in [0, 1), for jitter.
        database: Migrated with `MIGRATIONS`, not yet open; None: a file in `data_dir`.
        tenants: Whose sessions are kept apart.

    Raises:
        DomainError: CONFIGURATION_INVALID, DATABASE_IN_USE, DATABASE_INCOMPATIBLE, STORAGE_FULL,
            STORAGE_FAILED.
    """
    rules = settings.rules(load_gates(settings.gates_file or DEFAULT_FILE))
    texts = GuidanceTexts.load(settings.guidance_dir) if settings.guidance_dir else GuidanceTexts.load()
    encoders = _encoders(texts)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(
            database or Database(sqlite_url(data_dir / "capture.db"), migrations=MIGRATIONS)
        )
        outbox = Outbox(opened)
        relay = await stack.enter_async_context(Relay(outbox, bus, clock=clock, random=random))
        writer = await stack.enter_async_context(GroupCommit(opened))
        store = SessionStore(opened, writer, outbox, began=convert.began, ended=convert.ended)
        album = _album(settings, helpers, blobs, store, clock=clock, ids=ids)
        outside = Outside(clock, ids, partial(secrets.token_urlsafe, _TOKEN_BYTES), secrets.randbelow)
        surround = partial(_surroundings, helpers=helpers, album=album, encoders=encoders, clock=clock)
        services = {
            tenant: CaptureService(settings, rules, store, encoders, surround, outside=outside, tenant=tenant)
            for tenant in tenants
        }
        for service in services.values():
            await stack.enter_async_context(service)
        own = CaptureTenants(services, store)
        erasing = SubjectErasing(opened, own, store, blobs, helpers.snapshots)
        yield Capture(own, album, texts, erasing, relay)


def _album(
    settings: CaptureSettings,
    helpers: Helpers,
    blobs: BlobStore,
    store: SessionStore,
    *,
    clock: Clock,
    ids: IdFactory,
) -> PictureAlbum:
    return PictureAlbum(
        helpers.eyes,
        blobs,
        store,
        clock=clock,
        ids=ids,
        ttl_s=settings.image_ttl_s,
        snapshots=helpers.snapshots,
    )


def build_helpers(
    settings: CaptureSettings,
    *,
    engine: Engine,
    sessions: Mapping[str, ModelSession],
    extract: ExtractDocument | None = None,
    snapshots: Snapshots | None = None,
) -> Helpers:
    """Eyes and a comparer made of models, and a reader made of the extraction service.

    Args:
        settings: Limits of frames, threshold of the comparison.
        engine: Runs the models.
        sessions: The models, by name; `MODELS` among them.
        extract: The extraction service, in this process or behind gRPC; None: no document is read.
        snapshots: Pictures that a monitor keeps; None: there are none here.
    """
    # The engine's workers are the threads that compute; OpenCV's own would fight with them for the cores.
    cv2.setNumThreads(1)
    profile = FaceProfile(detection_threshold=settings.face_threshold)
    faces = FaceAnalyser(engine, profile, sessions[EMBEDDER].sha256[:_VERSION_DIGITS])
    limits = ImageLimits(max_bytes=settings.max_frame_bytes, max_pixels=settings.max_frame_pixels)
    decoder = ImageDecoder(limits)
    names = {name: f"{name}@{sessions[name].sha256[:_VERSION_DIGITS]}" for name in MODELS}
    looking = tuple(names[name] for name in (DETECTOR, LIVENESS, POSE, EYE, LANDMARKS))
    return Helpers(
        eyes=CameraEyes(engine, decoder, faces, looking),
        reader=None if extract is None else ExtractionReader(extract),
        comparer=FacePairs(engine, decoder, faces, threshold=settings.match_threshold, model=names[EMBEDDER]),
        snapshots=snapshots,
    )


def register(server: RpcServer, capture: Capture, clock: Clock) -> str:
    """Offers the service on a server; gives its full name, for `RpcServer.mark_ready`."""
    servicer = CaptureServicer(
        capture.tenants,
        album=capture.album,
        texts=capture.texts,
        erasing=capture.erasing,
        results=server.result_streams,
        watches=server.watch_streams,
        check=server.check_request,
        clock=clock,
    )
    server.register(
        SERVICE_NAME,
        lambda grpc_server: pb_grpc.add_CaptureServiceServicer_to_server(servicer, grpc_server),
        self_checked=SELF_CHECKED,
    )
    return SERVICE_NAME


def export(metrics: Metrics, capture: Capture) -> None:
    """Exports the numbers of the service at every scrape."""
    metrics.export("capture", capture.tenants.statistics, counters=_COUNTERS)
    metrics.export("capture_relay", capture.relay.statistics, counters=_RELAY_COUNTERS)


def _encoders(texts: GuidanceTexts) -> Encoders:
    return Encoders(
        event=event_messages.EventEncoder(texts).encode,
        snapshot=event_messages.encode_snapshot,
        snapshot_complete=event_messages.encode_snapshot_complete,
        changed=event_messages.encode_changed,
    )


def _surroundings(
    service: CaptureService,
    helpers: Helpers,
    album: PictureAlbum,
    encoders: Encoders,
    clock: Clock,
) -> Surroundings:
    processing = Processing(
        album,
        clock,
        reader=helpers.reader,
        comparer=helpers.comparer,
        models=helpers.eyes.models,
        encode_failure=event_messages.encode_failure,
    )
    return Surroundings(
        clock=clock,
        eyes=helpers.eyes,
        album=album,
        afterwards=processing,
        telling=Telling(clock, service.store.save, encoders.event, service.spawn),
        changed=service.changed,
        spawn=service.spawn,
        max_frame_bytes=service.settings.max_frame_bytes,
        max_frame_pixels=service.settings.max_frame_pixels,
    )
