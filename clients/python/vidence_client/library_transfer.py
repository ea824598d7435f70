"""Whole collections in and out: ingest, export, import."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, cast

import grpc
from google.api.httpbody_pb2 import HttpBody

from vidence.library.v1 import library_pb2, library_service_pb2, library_service_pb2_grpc
from vidence_client.channel import Channel, Deadline
from vidence_client.errors import VidenceError
from vidence_client.stream import Envelope, Stream, StreamCall, envelope_of

IngestResponse = library_service_pb2.IngestDocumentsResponse
ImportResponse = library_service_pb2.ImportLibraryResponse
_BATCH = 100
_BATCH_BYTES = 2**20
_PIECE_BYTES = 256 * 1024


_INGEST: Envelope[IngestResponse] = envelope_of("ingest_complete", "ingest_failed")
_IMPORT: Envelope[ImportResponse] = envelope_of("import_complete", "import_failed")


class LibraryTransfer:
    """Moves collections over one channel. `Client.libraries.transfer` is one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = library_service_pb2_grpc.LibraryServiceStub(channel.rpc)

    def ingest(
        self,
        library_id: str,
        documents: Iterable[library_pb2.Document] | AsyncIterable[library_pb2.Document],
        *,
        on_existing: library_service_pb2.OnExisting.ValueType = library_service_pb2.ON_EXISTING_UNSPECIFIED,
        timeout: float | None = None,
    ) -> Stream[IngestResponse]:
        """Sends documents and streams what became of each, in their order.

        The server says by flow control how fast it takes them; documents are asked for no faster.

        Args:
            library_id: Where they go.
            documents: They are read once.
            on_existing: What becomes of documents whose id has other content; unspecified: a new version.
            timeout: Seconds for the whole stream; None: no limit.
        """

        async def start(remaining_s: float | None) -> StreamCall:
            opening = library_service_pb2.IngestOpening(library_id=library_id, on_existing=on_existing)
            requests = _ingest_requests(opening, documents)
            return self._stub.IngestDocuments(requests, timeout=remaining_s)

        return Stream(start, _INGEST, self._channel, timeout=timeout)

    async def ingest_lines(
        self,
        library_id: str,
        body: Iterable[bytes] | AsyncIterable[bytes],
        *,
        on_existing: library_service_pb2.OnExisting.ValueType = library_service_pb2.ON_EXISTING_UNSPECIFIED,
    ) -> AsyncIterator[dict[str, Any]]:
        """Sends newline-delimited JSON as it is; gives the status lines, the last being `ingest_complete`.

        Raises:
            VidenceError: The stream failed.
        """

        async def requests() -> AsyncIterator[library_service_pb2.IngestNdjsonRequest]:
            first = library_service_pb2.IngestNdjsonRequest(library_id=library_id, on_existing=on_existing)
            yield first
            async for piece in _each(body):
                yield library_service_pb2.IngestNdjsonRequest(content=HttpBody(data=piece))

        async for line in _lines_of(self._stub.IngestNdjson(requests())):
            yield json.loads(line)

    async def export(self, library_id: str, *, omit_vectors: bool = False) -> AsyncIterator[bytes]:
        """Gives the lines of an export: one moment of the library, complete and unchanged.

        A connection that breaks is replaced, and the export goes on after its last checkpoint, on the same
        snapshot. Lines are handed over once their checkpoint has arrived; checkpoints are left out.

        Raises:
            VidenceError: EXPORT_EXPIRED, LIBRARY_NOT_FOUND, or the export is not what the server says it is.
        """
        export = _Export()
        failures = 0
        while not export.complete:
            request = library_service_pb2.ExportLibraryRequest(
                library_id=library_id, resume_token=export.token, omit_vectors=omit_vectors
            )
            call = self._stub.ExportLibrary(request)
            try:
                async for line in _lines_of(call):
                    for ready in export.take(line):
                        failures = 0
                        yield ready
            except VidenceError as error:
                failures += 1
                export.forget_unchecked()
                if error.code is not grpc.StatusCode.UNAVAILABLE or not await self._channel.pause(
                    error, attempt=failures, deadline=Deadline(None)
                ):
                    raise
            finally:
                call.cancel()

    def import_(
        self,
        library_id: str,
        body: Iterable[bytes] | AsyncIterable[bytes],
        *,
        timeout: float | None = None,
    ) -> Stream[ImportResponse]:
        """Sends an export, in pieces of any size, and streams how far it is.

        Args:
            library_id: Where it goes; must exist, with the model of the export's vectors.
            body: The export.
            timeout: Seconds for the whole import; None: no limit.
        """

        async def requests() -> AsyncIterator[library_service_pb2.ImportLibraryRequest]:
            yield library_service_pb2.ImportLibraryRequest(library_id=library_id)
            async for piece in _each(body):
                for start in range(0, len(piece), _PIECE_BYTES):
                    part = HttpBody(data=piece[start : start + _PIECE_BYTES])
                    yield library_service_pb2.ImportLibraryRequest(content=part)

        async def start(remaining_s: float | None) -> StreamCall:
            return self._stub.ImportLibrary(requests(), timeout=remaining_s)

        return Stream(start, _IMPORT, self._channel, timeout=timeout)


class _Export:
    """Lines of an export that may come over several connections."""

    def __init__(self) -> None:
        self.token = ""
        self.complete = False
        self._begun = False
        self._held: list[bytes] = []  # bound: what stands between two checkpoints
        self._checksum = bytes(32)
        self._count = 0

    def take(self, line: bytes) -> list[bytes]:
        """Takes a line; gives those that are certain now."""
        if line.startswith(b'{"document":'):
            self._held.append(line)
            return []
        parsed = json.loads(line)
        if "export_started" in parsed:
            begun, self._begun = self._begun, True
            return [] if begun else [line + b"\n"]
        if "checkpoint" in parsed:
            self.token = parsed["checkpoint"]["resume_token"]
            return self._checked()
        if "export_complete" in parsed:
            ready = self._checked()
            self._check_end(parsed["export_complete"])
            return [*ready, line + b"\n"]
        return []

    def forget_unchecked(self) -> None:
        """The connection broke: what has no checkpoint comes again."""
        self._held.clear()

    def _checked(self) -> list[bytes]:
        for line in self._held:
            self._checksum = hashlib.sha256(self._checksum + hashlib.sha256(line).digest()).digest()
        self._count += len(self._held)
        ready = [line + b"\n" for line in self._held]
        self._held.clear()
        return ready

    def _check_end(self, end: dict[str, Any]) -> None:
        if (int(end["document_count"]), end["checksum"]) != (self._count, self._checksum.hex()):
            raise VidenceError.stream_broken("the export is not what its last line says")
        self.complete = True


async def _ingest_requests(
    opening: library_service_pb2.IngestOpening,
    documents: Iterable[library_pb2.Document] | AsyncIterable[library_pb2.Document],
) -> AsyncIterator[library_service_pb2.IngestDocumentsRequest]:
    yield library_service_pb2.IngestDocumentsRequest(opening=opening)
    batch: list[library_pb2.Document] = []
    size = 0
    async for document in _each(documents):
        batch.append(document)
        size += document.ByteSize()
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield _batch(batch)
            batch, size = [], 0
    if batch:
        yield _batch(batch)


def _batch(documents: list[library_pb2.Document]) -> library_service_pb2.IngestDocumentsRequest:
    return library_service_pb2.IngestDocumentsRequest(
        documents=library_service_pb2.IngestBatch(documents=documents)
    )


async def _each(items: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


async def _lines_of(call: Any) -> AsyncIterator[bytes]:
    """The lines of a body, each without its newline; raises `VidenceError`."""
    rest = b""
    try:
        while (message := await call.read()) is not grpc.aio.EOF:
            *lines, rest = (rest + cast(HttpBody, message).data).split(b"\n")
            for line in lines:
                yield line
    except grpc.aio.AioRpcError as error:
        raise VidenceError.from_rpc_error(error) from None
    finally:
        call.cancel()
    if rest:
        yield rest
