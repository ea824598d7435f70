"""Client of the library service: documents and faces, kept, searched, moved and followed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta

from google.rpc import status_pb2

from vidence.library.v1 import library_pb2, library_service_pb2, library_service_pb2_grpc, search_pb2
from vidence.stream.v1 import stream_control_pb2
from vidence_client.channel import DEFAULT_TIMEOUT_S, Channel
from vidence_client.library_faces import LibraryFaces
from vidence_client.library_transfer import LibraryTransfer
from vidence_client.selection import WatchStart
from vidence_client.stream import Envelope, Stream, StreamCall
from vidence_client.watch import Watch
from vidence_client.watch_shape import GapListener, ReconnectListener

SearchResponse = library_service_pb2.SearchDocumentsResponse
LibraryWatch = Watch[library_service_pb2.WatchLibraryResponse, library_service_pb2.LibraryEvent]
QueryWatch = Watch[library_service_pb2.WatchQueryResponse, library_service_pb2.QueryEvent]


def _connected(response: SearchResponse) -> stream_control_pb2.Connected | None:
    return response.connected if response.HasField("connected") else None


def _failed(response: SearchResponse) -> status_pb2.Status | None:
    return response.search_failed.status if response.HasField("search_failed") else None


_SEARCH: Envelope[SearchResponse] = Envelope(
    sequence=lambda response: response.sequence,
    connected=_connected,
    failed=_failed,
    is_terminal=lambda response: response.WhichOneof("payload") in {"search_complete", "search_failed"},
)


class LibraryClient:
    """Keeps and searches over one channel. `Client.libraries` is one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = library_service_pb2_grpc.LibraryServiceStub(channel.rpc)
        self.faces = LibraryFaces(channel)
        self.transfer = LibraryTransfer(channel)

    async def create(
        self,
        library_id: str = "",
        *,
        display_name: str = "",
        labels: Mapping[str, str] | None = None,
        model_id: str = "",
        dimensions: int = 0,
        without_vectors: bool = False,
        vector_index: library_pb2.VectorIndex.ValueType = library_pb2.VECTOR_INDEX_UNSPECIFIED,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> library_pb2.Library:
        """Creates a library.

        Args:
            library_id: Names it; empty: the server gives a name.
            display_name: What people call it.
            labels: Properties for those who administer it.
            model_id: Model of its vectors; empty: the server's.
            dimensions: Numbers per vector; needed for a model that the server does not have.
            without_vectors: Its documents are found by their words only.
            vector_index: How its vectors are searched; unspecified: exactly.
            timeout: Seconds for all attempts.

        Raises:
            VidenceError: LIBRARY_EXISTS, EMBEDDING_UNAVAILABLE, or the call failed.
        """
        request = library_service_pb2.CreateLibraryRequest(
            library_id=library_id,
            display_name=display_name,
            labels=labels,
            model_id=model_id,
            dimensions=dimensions,
            without_vectors=without_vectors,
            vector_index=vector_index,
        )
        response = await self._channel.call(self._stub.CreateLibrary, request, timeout=timeout)
        return response.library

    async def get(self, library_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> library_pb2.Library:
        """Gives a library; raises `VidenceError`, LIBRARY_NOT_FOUND."""
        request = library_service_pb2.GetLibraryRequest(library_id=library_id)
        response = await self._channel.call(self._stub.GetLibrary, request, timeout=timeout)
        return response.library

    async def list(self, *, page_size: int = 100) -> AsyncIterator[library_pb2.Library]:
        """Gives all libraries by their ids, page by page; raises `VidenceError`."""
        token = ""
        while True:
            request = library_service_pb2.ListLibrariesRequest(page_size=page_size, page_token=token)
            page = await self._channel.call(self._stub.ListLibraries, request)
            for library in page.libraries:
                yield library
            token = page.next_page_token
            if not token:
                return

    async def update(
        self,
        library_id: str,
        *,
        display_name: str | None = None,
        labels: Mapping[str, str] | None = None,
        vector_index: library_pb2.VectorIndex.ValueType = library_pb2.VECTOR_INDEX_UNSPECIFIED,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> library_pb2.Library:
        """Changes a library; what is not given stays; raises `VidenceError`, LIBRARY_NOT_FOUND."""
        request = library_service_pb2.UpdateLibraryRequest(
            library_id=library_id,
            display_name=display_name,
            labels=labels,
            clear_labels=labels is not None,
            vector_index=vector_index,
        )
        response = await self._channel.call(self._stub.UpdateLibrary, request, timeout=timeout)
        return response.library

    async def delete(
        self, library_id: str, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> library_service_pb2.DeleteLibraryResponse:
        """Deletes a library with all that it holds; raises `VidenceError`, LIBRARY_NOT_FOUND."""
        request = library_service_pb2.DeleteLibraryRequest(library_id=library_id)
        return await self._channel.call(self._stub.DeleteLibrary, request, timeout=timeout)

    async def reembed(
        self, library_id: str, model_id: str = "", *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> library_pb2.Library:
        """Begins to change all vectors to another model; `get` tells how far it is.

        Raises:
            VidenceError: REEMBEDDING_RUNNING, EMBEDDING_UNAVAILABLE, LIBRARY_NOT_FOUND.
        """
        request = library_service_pb2.ReembedLibraryRequest(library_id=library_id, model_id=model_id)
        response = await self._channel.call(self._stub.ReembedLibrary, request, timeout=timeout)
        return response.library

    async def create_document(
        self, library_id: str, document: library_pb2.Document, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> library_service_pb2.CreateDocumentResponse:
        """Keeps a document; one that has an id may be kept again without harm.

        Raises:
            VidenceError: DOCUMENT_EXISTS where the id has other content, or the call failed.
        """
        request = library_service_pb2.CreateDocumentRequest(library_id=library_id, document=document)
        return await self._channel.call(self._stub.CreateDocument, request, timeout=timeout)

    async def update_document(
        self,
        library_id: str,
        document: library_pb2.Document,
        *,
        if_version: int = 0,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> library_service_pb2.UpdateDocumentResponse:
        """Replaces the content of a document; with `if_version` only if that is its version.

        Raises:
            VidenceError: DOCUMENT_NOT_FOUND, REVISION_MISMATCH, or the call failed.
        """
        request = library_service_pb2.UpdateDocumentRequest(
            library_id=library_id, document=document, if_version=if_version
        )
        return await self._channel.call(self._stub.UpdateDocument, request, timeout=timeout)

    async def get_document(
        self,
        library_id: str,
        document_id: str,
        *,
        include_vector: bool = False,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> library_pb2.Document:
        """Gives a document; raises `VidenceError`, DOCUMENT_NOT_FOUND."""
        request = library_service_pb2.GetDocumentRequest(
            library_id=library_id, document_id=document_id, include_vector=include_vector
        )
        response = await self._channel.call(self._stub.GetDocument, request, timeout=timeout)
        return response.document

    async def delete_document(
        self,
        library_id: str,
        document_id: str,
        *,
        if_version: int = 0,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> int:
        """Deletes a document; gives the library's revision. Raises `VidenceError`, DOCUMENT_NOT_FOUND."""
        request = library_service_pb2.DeleteDocumentRequest(
            library_id=library_id, document_id=document_id, if_version=if_version
        )
        response = await self._channel.call(self._stub.DeleteDocument, request, timeout=timeout)
        return response.revision

    async def list_documents(
        self,
        library_id: str,
        *,
        filter: library_pb2.Filter | None = None,  # noqa: A002 - the field's name
        page_size: int = 500,
    ) -> AsyncIterator[library_pb2.Document]:
        """Gives all documents that match, by their ids, page by page; raises `VidenceError`."""
        token = ""
        while True:
            request = library_service_pb2.ListDocumentsRequest(
                library_id=library_id, filter=filter, page_size=page_size, page_token=token
            )
            page = await self._channel.call(self._stub.ListDocuments, request)
            for document in page.documents:
                yield document
            token = page.next_page_token
            if not token:
                return

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

    def watch(
        self,
        library_id: str,
        *,
        after: str = "",
        after_revision: int | None = None,
        since: datetime | None = None,
        only_new: bool = False,
        types: Sequence[str] = (),
        document_id_prefix: str = "",
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
        heartbeat_period_s: float | None = None,
    ) -> LibraryWatch:
        """Follows the changes of a library, from the first that is kept unless told otherwise.

        Args:
            library_id: Which.
            after: After the event or message with this cursor.
            after_revision: After this revision of the library.
            since: From this time on, with a time zone.
            only_new: Only what comes from now on.
            types: Only these types, such as `document.created`.
            document_id_prefix: Only documents whose ids begin like this.
            on_gap: As in `EventsClient.subscribe`.
            on_reconnect: Likewise.
            heartbeat_period_s: As in `WatchStart`.
        """
        start = WatchStart(
            after=after,
            since=since,
            skip_expired=on_gap is not None,
            heartbeat_period_s=heartbeat_period_s,
        )

        def begin(position: str) -> StreamCall:
            request = library_service_pb2.WatchLibraryRequest(
                library_id=library_id, types=types, document_id_prefix=document_id_prefix
            )
            start.apply(request, position)
            if request.WhichOneof("start") is None:
                if after_revision is not None:
                    request.after_revision = after_revision
                elif only_new:
                    request.position = stream_control_pb2.START_POSITION_LATEST
            return self._stub.WatchLibrary(request)

        return Watch(begin, _changes_of, self._channel, after=after, on_gap=on_gap, on_reconnect=on_reconnect)

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

    async def statistics(
        self, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> library_service_pb2.GetStatisticsResponse:
        """Gives the numbers of the service as they are now; raises `VidenceError`."""
        request = library_service_pb2.GetStatisticsRequest()
        return await self._channel.call(self._stub.GetStatistics, request, timeout=timeout)


def _changes_of(
    response: library_service_pb2.WatchLibraryResponse,
) -> Sequence[library_service_pb2.LibraryEvent]:
    return response.events


def _results_of(
    response: library_service_pb2.WatchQueryResponse,
) -> Sequence[library_service_pb2.QueryEvent]:
    return response.events
