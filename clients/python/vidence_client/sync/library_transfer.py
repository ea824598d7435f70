"""Whole collections in and out, for plain code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from vidence.library.v1 import library_pb2, library_service_pb2
from vidence_client.library_transfer import ImportResponse, IngestResponse
from vidence_client.library_transfer import LibraryTransfer as AsyncLibraryTransfer
from vidence_client.sync.loop_thread import LoopThread
from vidence_client.sync.stream import Stream, next_of


class LibraryTransfer:
    """Moves collections, for plain code; see `vidence_client.library_transfer.LibraryTransfer`.

    What is sent is read in the client's thread.
    """

    def __init__(self, client: AsyncLibraryTransfer, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread

    def ingest(
        self,
        library_id: str,
        documents: Iterable[library_pb2.Document],
        *,
        on_existing: library_service_pb2.OnExisting.ValueType = library_service_pb2.ON_EXISTING_UNSPECIFIED,
        timeout: float | None = None,
    ) -> Stream[IngestResponse]:
        """Sends documents and streams what became of each."""
        stream = self._client.ingest(library_id, documents, on_existing=on_existing, timeout=timeout)
        return Stream(stream, self._thread)

    def ingest_lines(
        self,
        library_id: str,
        body: Iterable[bytes],
        *,
        on_existing: library_service_pb2.OnExisting.ValueType = library_service_pb2.ON_EXISTING_UNSPECIFIED,
    ) -> Iterator[dict[str, Any]]:
        """Sends newline-delimited JSON as it is; gives the status lines."""
        lines = self._client.ingest_lines(library_id, body, on_existing=on_existing)
        while (line := self._thread.run(next_of(lines))) is not None:
            yield line

    def export(self, library_id: str, *, omit_vectors: bool = False) -> Iterator[bytes]:
        """Gives the lines of an export."""
        lines = self._client.export(library_id, omit_vectors=omit_vectors)
        while (line := self._thread.run(next_of(lines))) is not None:
            yield line

    def import_(
        self, library_id: str, body: Iterable[bytes], *, timeout: float | None = None
    ) -> Stream[ImportResponse]:
        """Sends an export and streams how far it is."""
        return Stream(self._client.import_(library_id, body, timeout=timeout), self._thread)
