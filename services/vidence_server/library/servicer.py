"""Libraries over gRPC: translates requests, results and errors; decides nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any, TypeAlias

import grpc
from google.api.httpbody_pb2 import HttpBody

from vidence.library.v1 import library_service_pb2 as pb
from vidence_server.library import bodies
from vidence_server.library.answers import LibraryAnswers, idle_s_of
from vidence_server.library.convert_search import to_search
from vidence_server.library.dialogue import QueryDialogue
from vidence_server.library.domain.changes import ChangeFilter
from vidence_server.library.journal import log_name
from vidence_server.library.service import LibraryService
from vidence_server.library.sources import StreamSources
from vidence_server.runtime.rpc import tenant_of
from vidence_server.runtime.stream_servicer import Envelope, ResultStreams
from vidence_server.runtime.watch_requests import to_watch_request
from vidence_server.runtime.watch_streams import WatchRequest, WatchStreams
from vidence_server.streams.requests import Earliest, Latest

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
SERVICE_NAME = pb.DESCRIPTOR.services_by_name["LibraryService"].full_name
_NS = 1e9

_INGEST: Envelope[pb.IngestDocumentsResponse] = Envelope(
    connected=lambda connected: pb.IngestDocumentsResponse(connected=connected),
    heartbeat=lambda heartbeat: pb.IngestDocumentsResponse(heartbeat=heartbeat),
    failed=lambda status: pb.IngestDocumentsResponse(ingest_failed=pb.IngestFailed(status=status)),
    is_terminal=lambda response: response.WhichOneof("payload") in {"ingest_complete", "ingest_failed"},
)
_SEARCH: Envelope[pb.SearchDocumentsResponse] = Envelope(
    connected=lambda connected: pb.SearchDocumentsResponse(connected=connected),
    heartbeat=lambda heartbeat: pb.SearchDocumentsResponse(heartbeat=heartbeat),
    failed=lambda status: pb.SearchDocumentsResponse(search_failed=pb.SearchFailed(status=status)),
    is_terminal=lambda response: response.WhichOneof("payload") in {"search_complete", "search_failed"},
)
_IMPORT: Envelope[pb.ImportLibraryResponse] = Envelope(
    connected=lambda connected: pb.ImportLibraryResponse(connected=connected),
    heartbeat=lambda heartbeat: pb.ImportLibraryResponse(heartbeat=heartbeat),
    failed=lambda status: pb.ImportLibraryResponse(import_failed=pb.ImportFailed(status=status)),
    is_terminal=lambda response: response.WhichOneof("payload") in {"import_complete", "import_failed"},
)


class LibraryServicer(LibraryAnswers):
    """`vidence.library.v1.LibraryService`; its proto states what each RPC promises."""

    def __init__(
        self,
        service: LibraryService,
        sources: StreamSources,
        results: ResultStreams,
        watches: WatchStreams,
    ) -> None:
        """A servicer.

        Args:
            service: Does the work.
            sources: Make the messages of result streams and bodies.
            results: Answers result streams.
            watches: Answers watch streams.
        """
        super().__init__(service)
        self._sources = sources
        self._results = results
        self._watches = watches

    def IngestDocuments(  # noqa: N802 - the name of the RPC
        self, request_iterator: AsyncIterator[pb.IngestDocumentsRequest], context: Context
    ) -> AsyncIterator[pb.IngestDocumentsResponse]:
        """Takes documents."""
        source = self._sources.ingest(tenant_of(context), request_iterator)
        return self._results.serve(context, source, envelope=_INGEST)

    def IngestNdjson(  # noqa: N802 - the name of the RPC
        self, request_iterator: AsyncIterator[pb.IngestNdjsonRequest], context: Context
    ) -> AsyncIterator[HttpBody]:
        """Takes documents as lines."""
        lines = self._sources.ingest_lines(tenant_of(context), request_iterator)
        return bodies.served(lines, partial(bodies.failure_line, "ingest_failed"))

    def SearchDocuments(  # noqa: N802 - the name of the RPC
        self, request: pb.SearchDocumentsRequest, context: Context
    ) -> AsyncIterator[pb.SearchDocumentsResponse]:
        """Searches."""
        period_s = None
        if request.HasField("heartbeat_period"):
            period_s = request.heartbeat_period.ToNanoseconds() / _NS
        wanted = to_search(request.query, request.k, request.options)
        source = self._sources.search(tenant_of(context), request.library_id, wanted)
        return self._results.serve(context, source, envelope=_SEARCH, heartbeat_period_s=period_s)

    def ExportLibrary(  # noqa: N802 - the name of the RPC
        self, request: pb.ExportLibraryRequest, context: Context
    ) -> AsyncIterator[HttpBody]:
        """Exports."""
        lines = self._sources.export(tenant_of(context), request)
        return bodies.served(lines, partial(bodies.failure_line, "export_failed"))

    def ImportLibrary(  # noqa: N802 - the name of the RPC
        self, request_iterator: AsyncIterator[pb.ImportLibraryRequest], context: Context
    ) -> AsyncIterator[pb.ImportLibraryResponse]:
        """Imports."""
        source = self._sources.take_in(tenant_of(context), request_iterator)
        return self._results.serve(context, source, envelope=_IMPORT)

    async def WatchLibrary(  # type: ignore[override]  # noqa: N802 - it writes by itself; see `WatchStreams.serve`
        self, request: pb.WatchLibraryRequest, context: Context
    ) -> None:
        """Tells changes."""
        tenant, journal = tenant_of(context), self._service.journal
        revision = request.after_revision if request.WhichOneof("start") == "after_revision" else None
        after = await journal.place_after(tenant, request.library_id, revision)
        wanted = None
        if request.types or request.document_id_prefix:
            wanted = ChangeFilter(frozenset(request.types), request.document_id_prefix)
        asked = to_watch_request(request, default=after or Earliest(), wanted=wanted)
        with journal.followed(tenant, request.library_id):
            source = self._service.logs.of(log_name(tenant, request.library_id))
            await self._watches.serve(context, source, asked)

    async def WatchQuery(  # type: ignore[override]  # noqa: N802 - it writes by itself; see `WatchStreams.serve`
        self, request: pb.WatchQueryRequest, context: Context
    ) -> None:
        """Tells the results of a live query."""
        query = self._service.live.get(tenant_of(context), request.query_id)
        asked = to_watch_request(request, default=query.newest)
        if isinstance(asked.start, Latest):
            asked = to_watch_request(pb.WatchQueryRequest(), default=query.newest)
        await self._watches.serve(context, query.broadcast, asked)

    async def QuerySession(  # type: ignore[override]  # noqa: N802 - it writes by itself; see `WatchStreams.serve`
        self, request_iterator: AsyncIterator[pb.QuerySessionRequest], context: Context
    ) -> None:
        """Opens a live query and watches it."""
        tenant, live = tenant_of(context), self._service.live
        async with QueryDialogue(request_iterator) as dialogue:
            opening = await dialogue.opening()
            search = opening.search
            wanted = to_search(search.query, search.k, search.options)
            query = await live.open(tenant, opening.library_id, wanted, idle_s_of(opening))
            dialogue.refine_by(partial(live.refine, tenant, query.query_id))
            try:
                await self._watches.serve(context, query.broadcast, WatchRequest(query.newest), dialogue)
            finally:
                live.close(query)
