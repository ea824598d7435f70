"""Puts the library service together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from vidence.library.v1 import library_service_pb2_grpc as pb_grpc
from vidence_server.access.principal import DEFAULT_TENANT
from vidence_server.core.clock import Clock
from vidence_server.core.ids import IdFactory
from vidence_server.encryption.sealing import Sealing
from vidence_server.library.committer import Committer
from vidence_server.library.convert_changes import Changes, encode_results, key_of
from vidence_server.library.document_records import DocumentRecords
from vidence_server.library.erasing import SubjectErasing
from vidence_server.library.exporting import Exporting
from vidence_server.library.face_records import FaceRecords
from vidence_server.library.indexes import MakeIndex, VectorIndexes
from vidence_server.library.journal import Journal
from vidence_server.library.keeping import Keeper
from vidence_server.library.live import LiveQueries, LiveSettings
from vidence_server.library.ports import FaceEmbedder, TextEmbedder
from vidence_server.library.records import LibraryRecords
from vidence_server.library.reembedding import Reembedding
from vidence_server.library.search.lexical import LexicalIndex
from vidence_server.library.search.making import make_index
from vidence_server.library.searching import Searching
from vidence_server.library.service import LibraryService
from vidence_server.library.servicer import SERVICE_NAME, LibraryServicer
from vidence_server.library.settings import LibrarySettings
from vidence_server.library.shared_vectors import SharedVectors
from vidence_server.library.sources import StreamSources
from vidence_server.library.sweeping import Sweeper
from vidence_server.library.word_merging import WordMerging
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.service_logs import ServiceLogs
from vidence_server.storage.database import Database
from vidence_server.storage.location import StateLocation
from vidence_server.storage.outbox import Outbox
from vidence_server.storage.relay import EventSink, Relay

MIGRATIONS = Path(__file__).parent / "migrations"
_COUNTERS = ("committed", "commits", "refused", "loads", "searches")
_RELAY_COUNTERS = ("relayed", "refused", "failures")


@dataclass(frozen=True, slots=True)
class OpenedLibrary:
    """The service, and how its events are brought to the bus."""

    service: LibraryService
    relay: Relay


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the parts of the service share."""

    settings: LibrarySettings
    database: Database
    logs: ServiceLogs
    journal: Journal
    indexes: VectorIndexes
    lexical: LexicalIndex
    embedders: Mapping[str, TextEmbedder]
    clock: Clock
    ids: IdFactory
    sealing: Sealing | None


@asynccontextmanager
async def open_service(
    settings: LibrarySettings,
    location: StateLocation,
    bus: EventSink,
    *,
    embedders: Mapping[str, TextEmbedder],
    face_embedder: FaceEmbedder | None = None,
    clock: Clock,
    ids: IdFactory,
    random: Callable[[], float],
    make: MakeIndex = make_index,
    tenants: Sequence[str] = (DEFAULT_TENANT,),
    sealing: Sealing | None = None,
) -> AsyncIterator[OpenedLibrary]:
    """Opens the database and everything that works on it; all of it ends with the context.

    Args:
        settings: Of the service.
        location: Where its database is.
        bus: Where events go; it may be away at any time.
        embedders: Make vectors of texts, by model; the first is the one of libraries that name none.
        face_embedder: Makes templates of pictures; None: clients send templates.
        clock: The service's time.
        ids: Names libraries, documents, faces, exports and queries.
        random: Numbers in [0, 1), for jitter.
        make: Makes indexes of vectors.
        tenants: Whose libraries they are.
        sealing: How face templates are kept; None: as they are.

    Raises:
        DomainError: DATABASE_IN_USE, DATABASE_INCOMPATIBLE, STORAGE_FULL, STORAGE_FAILED.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(location.database("library", migrations=MIGRATIONS))
        outbox = Outbox(database)
        relay = await stack.enter_async_context(Relay(outbox, bus, clock=clock, random=random))
        logs = await stack.enter_async_context(ServiceLogs(database, clock=clock, key_of=key_of))
        journal = Journal(database, logs, outbox, Changes())
        shared = SharedVectors(database, least=settings.pgvector_from) if database.shared else None
        indexes = VectorIndexes(database, make, shared)
        journal.listen(indexes.took_place)
        async with database.snapshot() as snapshot:
            lexical = LexicalIndex(snapshot.dialect)
        parts = _Parts(settings, database, logs, journal, indexes, lexical, embedders, clock, ids, sealing)
        service = await _open_parts(stack, parts, make, face_embedder)
        await stack.enter_async_context(_sweeper(parts, outbox, service, tenants).rounds())
        yield OpenedLibrary(service, relay)


def register(server: RpcServer, service: LibraryService, clock: Clock) -> str:
    """Offers the service on a server; gives its full name, for `RpcServer.mark_ready`."""
    sources = StreamSources(service, clock, draining=server.result_streams.draining)
    servicer = LibraryServicer(service, sources, server.result_streams, server.watch_streams)
    server.register(
        SERVICE_NAME,
        lambda grpc_server: pb_grpc.add_LibraryServiceServicer_to_server(servicer, grpc_server),
    )
    return SERVICE_NAME


def export(metrics: Metrics, opened: OpenedLibrary) -> None:
    """Exports the service's numbers at every scrape."""
    metrics.export("library", opened.service.statistics, counters=_COUNTERS)
    metrics.export("library_relay", opened.relay.statistics, counters=_RELAY_COUNTERS)


async def _open_parts(
    stack: AsyncExitStack, parts: _Parts, make: MakeIndex, face_embedder: FaceEmbedder | None
) -> LibraryService:
    database, clock, ids = parts.database, parts.clock, parts.ids
    records = _records(parts)
    committer = await stack.enter_async_context(_committer(parts))
    keeper = Keeper(database, committer, parts.embedders)
    searching = Searching(database, parts.indexes, parts.lexical, parts.embedders, clock)
    live = await stack.enter_async_context(_live(parts, searching))
    reembedding = await stack.enter_async_context(
        Reembedding(database, parts.journal, parts.embedders, clock)
    )
    faces = _faces(parts, make, face_embedder)
    hold = timedelta(seconds=parts.settings.export_retention_s)
    words = WordMerging(database, parts.lexical)
    await stack.enter_async_context(words.rounds())
    return LibraryService(
        libraries=records,
        documents=DocumentRecords(database, keeper, records),
        keeper=keeper,
        committer=committer,
        searching=searching,
        exporting=Exporting(database, clock=clock, ids=ids, hold=hold),
        live=live,
        faces=faces,
        erasing=SubjectErasing(database, faces, keeper, words),
        reembedding=reembedding,
        journal=parts.journal,
        logs=parts.logs,
        indexes=parts.indexes,
        embedders=parts.embedders,
        ids=ids,
    )


def _records(parts: _Parts) -> LibraryRecords:
    return LibraryRecords(
        parts.database,
        parts.journal,
        parts.logs,
        parts.indexes,
        parts.lexical,
        embedders=parts.embedders,
        clock=parts.clock,
        ids=parts.ids,
    )


def _committer(parts: _Parts) -> Committer:
    return Committer(
        parts.database,
        parts.journal,
        parts.indexes,
        parts.lexical,
        parts.clock,
        limit=parts.settings.queue_documents,
        group=parts.settings.commit_documents,
    )


def _faces(parts: _Parts, make: MakeIndex, embedder: FaceEmbedder | None) -> FaceRecords:
    return FaceRecords(
        parts.database,
        parts.journal,
        make,
        embedder=embedder,
        sealing=parts.sealing,
        clock=parts.clock,
        ids=parts.ids,
    )


def _sweeper(parts: _Parts, outbox: Outbox, service: LibraryService, tenants: Sequence[str]) -> Sweeper:
    return Sweeper(
        parts.database,
        parts.logs,
        outbox,
        service.exporting,
        parts.clock,
        retention=timedelta(days=parts.settings.change_retention_days),
        tenants=tenants,
    )


def _live(parts: _Parts, searching: Searching) -> LiveQueries:
    settings = parts.settings
    return LiveQueries(
        parts.journal,
        searching,
        encode_results,
        clock=parts.clock,
        ids=parts.ids,
        settings=LiveSettings(settings.live_queries, settings.live_query_period_s),
    )
