"""Libraries, for plain code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from vidence.library.v1 import library_pb2, library_service_pb2, search_pb2
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.library import LibraryClient as AsyncLibraryClient
from vidence_client.library import SearchResponse
from vidence_client.sync.library_faces import LibraryFaces
from vidence_client.sync.library_session import QuerySession
from vidence_client.sync.library_transfer import LibraryTransfer
from vidence_client.sync.loop_thread import LoopThread
from vidence_client.sync.stream import Stream, Watch, next_of
from vidence_client.watch_shape import GapListener, ReconnectListener

LibraryWatch = Watch[library_service_pb2.WatchLibraryResponse, library_service_pb2.LibraryEvent]
QueryWatch = Watch[library_service_pb2.WatchQueryResponse, library_service_pb2.QueryEvent]


class LibraryClient:
    """Keeps and searches, for plain code; see `vidence_client.library.LibraryClient`.

    All arguments and errors are those of the asynchronous client.
    """

    def __init__(self, client: AsyncLibraryClient, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread
        self.faces = LibraryFaces(client.faces, thread)
        self.transfer = LibraryTransfer(client.transfer, thread)

    def create(
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
        """Creates a library."""
        creating = self._client.create(
            library_id,
            display_name=display_name,
            labels=labels,
            model_id=model_id,
            dimensions=dimensions,
            without_vectors=without_vectors,
            vector_index=vector_index,
            timeout=timeout,
        )
        return self._thread.run(creating)

    def get(self, library_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> library_pb2.Library:
        """Gives a library."""
        return self._thread.run(self._client.get(library_id, timeout=timeout))

    def list(self, *, page_size: int = 100) -> Iterator[library_pb2.Library]:
        """Gives all libraries by their ids, page by page."""
        libraries = self._client.list(page_size=page_size)
        while (library := self._thread.run(next_of(libraries))) is not None:
            yield library

    def update(
        self,
        library_id: str,
        *,
        display_name: str | None = None,
        labels: Mapping[str, str] | None = None,
        vector_index: library_pb2.VectorIndex.ValueType = library_pb2.VECTOR_INDEX_UNSPECIFIED,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> library_pb2.Library:
        """Changes a library; what is not given stays."""
        updating = self._client.update(
            library_id,
            display_name=display_name,
            labels=labels,
            vector_index=vector_index,
            timeout=timeout,
        )
        return self._thread.run(updating)

    def delete(
        self, library_id: str, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> library_service_pb2.DeleteLibraryResponse:
        """Deletes a library with all that it holds."""
        return self._thread.run(self._client.delete(library_id, timeout=timeout))

    def reembed(
        self, library_id: str, model_id: str = "", *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> library_pb2.Library:
        """Begins to change all vectors to another model."""
        return self._thread.run(self._client.reembed(library_id, model_id, timeout=timeout))

    def create_document(
        self, library_id: str, document: library_pb2.Document, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> library_service_pb2.CreateDocumentResponse:
        """Keeps a document."""
        return self._thread.run(self._client.create_document(library_id, document, timeout=timeout))

    def update_document(
        self,
        library_id: str,
        document: library_pb2.Document,
        *,
        if_version: int = 0,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> library_service_pb2.UpdateDocumentResponse:
        """Replaces the content of a document."""
        updating = self._client.update_document(library_id, document, if_version=if_version, timeout=timeout)
        return self._thread.run(updating)

    def get_document(
        self,
        library_id: str,
        document_id: str,
        *,
        include_vector: bool = False,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> library_pb2.Document:
        """Gives a document."""
        getting = self._client.get_document(
            library_id, document_id, include_vector=include_vector, timeout=timeout
        )
        return self._thread.run(getting)

    def delete_document(
        self,
        library_id: str,
        document_id: str,
        *,
        if_version: int = 0,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> int:
        """Deletes a document; gives the library's revision."""
        deleting = self._client.delete_document(
            library_id, document_id, if_version=if_version, timeout=timeout
        )
        return self._thread.run(deleting)

    def list_documents(
        self,
        library_id: str,
        *,
        filter: library_pb2.Filter | None = None,  # noqa: A002 - the field's name
        page_size: int = 500,
    ) -> Iterator[library_pb2.Document]:
        """Gives all documents that match, by their ids, page by page."""
        documents = self._client.list_documents(library_id, filter=filter, page_size=page_size)
        while (document := self._thread.run(next_of(documents))) is not None:
            yield document

    def search(
        self,
        library_id: str,
        search: search_pb2.Search,
        *,
        heartbeat_period_s: float | None = None,
        timeout: float | None = None,
    ) -> Stream[SearchResponse]:
        """Searches, and streams the hits."""
        stream = self._client.search(
            library_id, search, heartbeat_period_s=heartbeat_period_s, timeout=timeout
        )
        return Stream(stream, self._thread)

    def find(
        self, library_id: str, search: search_pb2.Search, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> Sequence[search_pb2.Hit]:
        """Searches and answers at once."""
        return self._thread.run(self._client.find(library_id, search, timeout=timeout))

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
        """Follows the changes of a library."""
        watch = self._client.watch(
            library_id,
            after=after,
            after_revision=after_revision,
            since=since,
            only_new=only_new,
            types=types,
            document_id_prefix=document_id_prefix,
            on_gap=on_gap,
            on_reconnect=on_reconnect,
            heartbeat_period_s=heartbeat_period_s,
        )
        return Watch(watch, self._thread)

    def open_query(
        self,
        library_id: str,
        search: search_pb2.Search,
        *,
        idle_s: float | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> str:
        """Opens a live query and gives its id."""
        return self._thread.run(self._client.open_query(library_id, search, idle_s=idle_s, timeout=timeout))

    def refine_query(
        self, query_id: str, search: search_pb2.Search, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> int:
        """Changes what a live query looks for."""
        return self._thread.run(self._client.refine_query(query_id, search, timeout=timeout))

    def watch_query(self, query_id: str, *, on_reconnect: ReconnectListener | None = None) -> QueryWatch:
        """Gives the list of a live query, and each other one that follows."""
        return Watch(self._client.watch_query(query_id, on_reconnect=on_reconnect), self._thread)

    def query_session(
        self,
        library_id: str,
        search: search_pb2.Search,
        *,
        on_reconnect: ReconnectListener | None = None,
    ) -> QuerySession:
        """Opens a live query that ends with its watch, and that can be refined meanwhile."""
        session = self._client.query_session(library_id, search, on_reconnect=on_reconnect)
        return QuerySession(session, self._thread)

    def statistics(self, *, timeout: float = DEFAULT_TIMEOUT_S) -> library_service_pb2.GetStatisticsResponse:
        """Gives the numbers of the service as they are now."""
        return self._thread.run(self._client.statistics(timeout=timeout))
