"""Client of the library service: documents and faces, kept, searched, moved and followed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

from vidence.library.v1 import library_pb2, library_service_pb2
from vidence.stream.v1 import stream_control_pb2
from vidence_client.channel import DEFAULT_TIMEOUT_S, Channel
from vidence_client.library_documents import LibraryDocuments
from vidence_client.library_faces import LibraryFaces
from vidence_client.library_searching import LibrarySearching, QueryWatch, SearchResponse
from vidence_client.library_transfer import LibraryTransfer
from vidence_client.selection import WatchStart
from vidence_client.stream import StreamCall
from vidence_client.watch import Watch
from vidence_client.watch_shape import GapListener, ReconnectListener

LibraryWatch = Watch[library_service_pb2.WatchLibraryResponse, library_service_pb2.LibraryEvent]
__all__ = ("LibraryClient", "LibraryWatch", "QueryWatch", "SearchResponse")


class LibraryClient(LibraryDocuments, LibrarySearching):
    """Keeps and searches over one channel. `Client.libraries` is one."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
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
