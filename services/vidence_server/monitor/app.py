"""Puts a monitor together."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import cv2
import structlog

from vidence_server.access.principal import DEFAULT_TENANT
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.inference.engine import Engine
from vidence_server.monitor import convert
from vidence_server.monitor.domain.appearances import PersonChange
from vidence_server.monitor.gallery import Enroller, NobodyKnown, load_gallery
from vidence_server.monitor.library_gallery import LibraryGallery
from vidence_server.monitor.looking import ModelFaces
from vidence_server.monitor.matching import MatchRule
from vidence_server.monitor.ports import FaceSearch, Gallery, SnapshotStore
from vidence_server.monitor.service import Monitor, Source, Surroundings
from vidence_server.monitor.settings import MonitorSettings
from vidence_server.monitor.snapshots import BlobSnapshots, NoSnapshots
from vidence_server.monitor.sources import SourceAddress, open_source
from vidence_server.monitor.store import AppearanceJournal, JournalSettings
from vidence_server.runtime.metrics import Metrics
from vidence_server.storage.blob_format import BlobFormat
from vidence_server.storage.blob_subjects import BlobSubjects
from vidence_server.storage.blobs import FolderBlobs
from vidence_server.storage.database import Database
from vidence_server.storage.location import StateLocation
from vidence_server.storage.outbox import Outbox
from vidence_server.storage.relay import EventSink, Relay
from vidence_server.vision.decode import ImageDecoder, ImageLimits
from vidence_server.vision.faces.analyser import FaceAnalyser
from vidence_server.vision.faces.profile import DETECTOR, EMBEDDER, FaceProfile

MODELS = (DETECTOR, EMBEDDER)
"""Registry names of the models that a monitor runs."""
MIGRATIONS = Path(__file__).parent / "migrations"
IMAGES = "monitor_images"
"""Folder of the snapshots, in that of the data."""
_COUNTERS = (
    "source_failures",
    "frames_read",
    "frames_skipped",
    "frames_dropped",
    "frames_unreadable",
    "frames_analysed",
    "frames_failed",
    "analysis_s_sum",
    "appeared",
    "identified",
    "left",
)
"""Statistics of the monitor that only ever grow; the next ones are those of its journal and its relay."""
_JOURNAL_COUNTERS = ("written", "dropped", "failures", "interrupted")
_RELAY_COUNTERS = ("relayed", "refused", "failures")


@dataclass(frozen=True, slots=True)
class Watching:
    """A monitor that is ready to run, and what keeps what it tells."""

    monitor: Monitor
    journal: AppearanceJournal
    relay: Relay


class ToldJournal:
    """A `Journal` that also tells whoever started the monitor."""

    def __init__(self, journal: AppearanceJournal, told: Callable[[PersonChange], None]) -> None:
        self._journal = journal
        self._told = told
        self.seen = journal.seen

    def record(self, change: PersonChange) -> None:
        """Keeps a change, then tells it."""
        self._journal.record(change)
        self._told(change)


def make_analyser(settings: MonitorSettings, engine: Engine, embedder_version: str) -> FaceAnalyser:
    """What looks at faces.

    Args:
        settings: Least confidence of a face.
        engine: Runs the models.
        embedder_version: Of the weights in use; see `FaceAnalyser`.
    """
    # The engine's workers are the threads that compute; OpenCV's own would fight with them for the cores.
    cv2.setNumThreads(1)
    # OpenCV's words about a stream may hold its URL, and with it a password.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return FaceAnalyser(
        engine, FaceProfile(detection_threshold=settings.detection_threshold), embedder_version
    )


async def _gallery(
    settings: MonitorSettings,
    library: FaceSearch | None,
    engine: Engine,
    faces: ModelFaces,
    *,
    rule: MatchRule,
    clock: Clock,
) -> Gallery:
    if library is None or not settings.library:
        return await _of_folder(settings, engine, faces, rule)
    return await _of_library(settings, library, rule, clock)


def _match_rule(settings: MonitorSettings, published_threshold: float) -> MatchRule:
    own = settings.match_threshold
    return MatchRule(published_threshold if own is None else own, settings.match_margin)


def _journal(
    settings: MonitorSettings, database: Database, outbox: Outbox, clock: Clock
) -> AppearanceJournal:
    encode = partial(convert.to_outbox_event, tenant=settings.tenant)
    kept = JournalSettings(retention=timedelta(days=settings.retention_days))
    return AppearanceJournal(database, outbox, encode, clock=clock, settings=kept)


@asynccontextmanager
async def open_monitor(
    settings: MonitorSettings,
    address: SourceAddress,
    location: StateLocation,
    bus: EventSink,
    *,
    engine: Engine,
    analyser: FaceAnalyser,
    published_threshold: float,
    told: Callable[[PersonChange], None],
    clock: Clock,
    ids: IdFactory,
    random: Callable[[], float],
    library: FaceSearch | None = None,
    form: BlobFormat | None = None,
) -> AsyncIterator[Watching]:
    """Opens everything that a monitor needs; all of it ends with the context, what was told being kept first.

    Args:
        settings: What is watched for.
        address: What is watched.
        location: Of the database; the folder also holds snapshots.
        bus: Where events go; it may be away at any time.
        engine: Runs the models.
        analyser: Looks at faces.
        published_threshold: Similarity of a match where the settings name none.
        told: Called with each change, on the loop.
        clock: The time.
        ids: Names appearances and snapshots.
        random: Numbers in [0, 1), for jitter.
        library: Asks the library of the settings; None: they name none.
        form: How snapshots stand in files; None: as they are.

    Raises:
        DomainError: CONFIGURATION_INVALID, DATABASE_IN_USE, DATABASE_INCOMPATIBLE, STORAGE_FULL,
            STORAGE_FAILED.
    """
    faces = ModelFaces(analyser)
    async with AsyncExitStack() as stack:
        database = await _own_database(stack, settings, location)
        rule = _match_rule(settings, published_threshold)
        gallery = await _gallery(settings, library, engine, faces, rule=rule, clock=clock)
        outbox = Outbox(database)
        relay = await stack.enter_async_context(Relay(outbox, bus, clock=clock, random=random))
        folder = location.folder / images_of(settings.tenant)
        images = FolderBlobs(folder, clock=clock, ids=ids, form=form)
        snapshots = await _snapshots(
            stack, settings, engine, blobs=images, subjects=BlobSubjects(folder), clock=clock
        )
        journal = await stack.enter_async_context(_journal(settings, database, outbox, clock))
        heard = ToldJournal(journal, told)
        around = Surroundings(faces, gallery, snapshots, heard, clock, ids, random)
        source = Source(partial(open_source, address), address.live)
        yield Watching(Monitor(source, around, settings), journal, relay)


def export(metrics: Metrics, watching: Watching) -> None:
    """Exports the numbers of a monitor at every scrape."""
    metrics.export("monitor", watching.monitor.statistics, counters=_COUNTERS)
    metrics.export("monitor_journal", watching.journal.statistics, counters=_JOURNAL_COUNTERS)
    metrics.export("monitor_relay", watching.relay.statistics, counters=_RELAY_COUNTERS)


async def _own_database(
    stack: AsyncExitStack, settings: MonitorSettings, location: StateLocation
) -> Database:
    """That of the monitor's name, for this process alone."""
    database = await stack.enter_async_context(
        location.database(f"monitor_{settings.name}", migrations=MIGRATIONS)
    )
    if database.shared:
        structlog.get_logger(__name__).info("waiting for other monitors of this name to end")
    await stack.enter_async_context(database.exclusive("monitor"))
    return database


def images_of(tenant: str) -> str:
    """The folder of a tenant's snapshots: who knows an id in a folder gets the picture, so each has one."""
    if tenant == DEFAULT_TENANT:
        return IMAGES
    return f"{IMAGES}_{hashlib.sha256(tenant.encode()).hexdigest()[:16]}"


async def _snapshots(
    stack: AsyncExitStack,
    settings: MonitorSettings,
    engine: Engine,
    *,
    blobs: FolderBlobs,
    subjects: BlobSubjects,
    clock: Clock,
) -> SnapshotStore:
    if not settings.snapshots:
        return NoSnapshots()
    await stack.enter_async_context(blobs)
    keep_for = timedelta(hours=settings.snapshot_hours)
    return BlobSnapshots(blobs, subjects, engine, clock=clock, keep_for=keep_for, tenant=settings.tenant)


async def _of_folder(
    settings: MonitorSettings, engine: Engine, faces: ModelFaces, rule: MatchRule
) -> Gallery:
    if settings.people is None:
        return NobodyKnown()
    enroller = Enroller(engine, ImageDecoder(ImageLimits()), faces, settings.min_inter_eye_px)
    return await load_gallery(settings.people, rule, enroller)


async def _of_library(
    settings: MonitorSettings, library: FaceSearch, rule: MatchRule, clock: Clock
) -> Gallery:
    """The people of a library. One that is not there is a mistake; a service that is away may come back."""
    if settings.people is not None:
        raise DomainError(Reason.CONFIGURATION_INVALID, "People are known from a folder or from a library.")
    try:
        await library.check_library(settings.library)
    except DomainError as error:
        if error.reason is Reason.LIBRARY_NOT_FOUND:
            raise DomainError(Reason.CONFIGURATION_INVALID, "There is no such library of people.") from None
        structlog.get_logger(__name__).warning("the library of people is away", reason=error.reason)
    return LibraryGallery(library, settings.library, rule, clock=clock)
