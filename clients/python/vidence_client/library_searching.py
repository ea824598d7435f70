"""Searches of a library: answered as a stream, at once, or again and again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from vidence.library.v1 import library_service_pb2, search_pb2
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.library_calls import LibraryCalls
from vidence_client.library_session import QuerySession
from vidence_client.selection import WatchStart
from vidence_client.stream import Envelope, Stream, StreamCall, envelope_of
from vidence_client.watch import Watch
from vidence_client.watch_shape import ReconnectListener

SearchResponse = library_service_pb2.SearchDocumentsResponse
QueryWatch = Watch[library_service_pb2.WatchQueryResponse, library_service_pb2.QueryEvent]


_SEARCH: Envelope[SearchResponse] = envelope_of("search_complete", "search_failed")


class LibrarySearching(LibraryCalls):
    """Searches; a part of `LibraryClient`."""

    def search(
        self,
        library_id: str,
        search: search_pb2.Search,
        *,
        heartbeat_period_s: float | None = None,
        timeout: float | None = None,
    ) -> Stream[SearchResponse]:
        """Searches, and streams the hits; nothing happens until the first message is asked for.

        Args:
            library_id: Where to look.
            search: What for; `make_search` makes it.
            heartbeat_period_s: How often the server shows that it is alive, 1–300 s; None: its default.
            timeout: Seconds for the whole search; None: no limit.
        """
        request = library_service_pb2.SearchDocumentsRequest(
            library_id=library_id, query=search.query, k=search.k, options=search.options
        )
        if heartbeat_period_s is not None:
            request.heartbeat_period.FromTimedelta(timedelta(seconds=heartbeat_period_s))

        async def start(remaining_s: float | None) -> StreamCall:
            return self._stub.SearchDocuments(request, timeout=remaining_s)

        return Stream(start, _SEARCH, self._channel, timeout=timeout)

    async def find(
        self, library_id: str, search: search_pb2.Search, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> Sequence[search_pb2.Hit]:
        """Searches and answers at once, up to 1,000 hits, best first; raises `VidenceError`."""
        request = library_service_pb2.FindDocumentsRequest(
            library_id=library_id, query=search.query, k=search.k, options=search.options
        )
        response = await self._channel.call(self._stub.FindDocuments, request, timeout=timeout)
        return response.hits

    async def open_query(
        self,
        library_id: str,
        search: search_pb2.Search,
        *,
        idle_s: float | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> str:
        """Opens a live query and gives its id; it stays `idle_s` seconds without watchers, by default 60.

        Raises:
            VidenceError: QUERY_LIMIT, LIBRARY_NOT_FOUND, or the search cannot be made.
        """
        request = library_service_pb2.OpenQueryRequest(library_id=library_id, search=search)
        if idle_s is not None:
            request.idle_duration.FromTimedelta(timedelta(seconds=idle_s))
        response = await self._channel.call(self._stub.OpenQuery, request, timeout=timeout)
        return response.query_id

    async def refine_query(
        self, query_id: str, search: search_pb2.Search, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> int:
        """Changes what a live query looks for; gives the `query_revision` of the results to come.

        Raises:
            VidenceError: QUERY_NOT_FOUND, or the search cannot be made.
        """
        request = library_service_pb2.RefineQueryRequest(query_id=query_id, search=search)
        response = await self._channel.call(self._stub.RefineQuery, request, timeout=timeout)
        return response.query_revision

    def watch_query(self, query_id: str, *, on_reconnect: ReconnectListener | None = None) -> QueryWatch:
        """Gives the list of a live query, and each that follows; those that were missed do not matter."""

        def begin(position: str) -> StreamCall:
            request = library_service_pb2.WatchQueryRequest(query_id=query_id)
            WatchStart(skip_expired=True).apply(request, position)
            return self._stub.WatchQuery(request)

        return Watch(begin, _results_of, self._channel, on_gap=lambda _: None, on_reconnect=on_reconnect)

    def query_session(
        self,
        library_id: str,
        search: search_pb2.Search,
        *,
        on_reconnect: ReconnectListener | None = None,
    ) -> QuerySession:
        """Opens a live query that ends with its watch, and that can be refined meanwhile; see `QuerySession`.

        Args:
            library_id: Where to look.
            search: What for, with k up to 100; `make_search` makes it.
            on_reconnect: Hears why a connection was replaced.
        """
        return QuerySession(
            self._stub.QuerySession, self._channel, library_id, search, on_reconnect=on_reconnect
        )


def _results_of(
    response: library_service_pb2.WatchQueryResponse,
) -> Sequence[library_service_pb2.QueryEvent]:
    return response.events
