"""Calling the library service over gRPC in tests: what goes in, what is read, and how it must look."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from google.api.httpbody_pb2 import HttpBody

from fakes.libraries import LibraryServer
from vidence.library.v1 import library_pb2, search_pb2
from vidence.library.v1 import library_service_pb2 as pb
from vidence_client import VidenceError

Documents = Sequence[library_pb2.Document]


def reason_of(error: grpc.aio.AioRpcError) -> str:
    return VidenceError.from_rpc_error(error).reason


def document(name: str, text: str = "", **metadata: float) -> library_pb2.Document:
    values = {key: library_pb2.MetadataValue(number_value=value) for key, value in metadata.items()}
    return library_pb2.Document(document_id=name, text=text or f"text {name}", metadata=values)


async def create(server: LibraryServer, library_id: str = "books") -> None:
    await server.stub.CreateLibrary(pb.CreateLibraryRequest(library_id=library_id))


async def requests(
    *batches: Documents, library_id: str = "books"
) -> AsyncIterator[pb.IngestDocumentsRequest]:
    yield pb.IngestDocumentsRequest(opening=pb.IngestOpening(library_id=library_id))
    for batch in batches:
        yield pb.IngestDocumentsRequest(documents=pb.IngestBatch(documents=batch))


async def read(call: Any) -> Any:
    message = await call.read()
    assert message is not grpc.aio.EOF
    return message


async def all_of(call: Any) -> list[Any]:
    messages = []
    while (message := await call.read()) is not grpc.aio.EOF:
        messages.append(message)
    return messages


def check_result_stream(messages: Sequence[Any], terminal: str) -> None:
    """Ordered, and ended by exactly one terminal message."""
    assert [message.sequence for message in messages] == list(range(1, len(messages) + 1))
    kinds = [message.WhichOneof("payload") for message in messages]
    assert kinds[0] == "connected"
    assert kinds[-1] == terminal
    assert not {"ingest_complete", "ingest_failed", "search_complete", "search_failed"} & set(kinds[:-1])


async def body(
    *pieces: bytes, library_id: str = "books", kind: Any = pb.IngestNdjsonRequest
) -> AsyncIterator[Any]:
    yield kind(library_id=library_id)
    for piece in pieces:
        yield kind(content=HttpBody(data=piece))


async def lines_of(call: Any) -> list[dict[str, Any]]:
    data = b"".join([message.data for message in await all_of(call)])
    return [json.loads(line) for line in data.splitlines()]


async def watched(call: Any, count: int) -> list[pb.LibraryEvent]:
    """So many events, in messages that are chained without a hole."""
    events: list[pb.LibraryEvent] = []
    previous = ""
    while len(events) < count:
        message = await call.read()
        assert message is not grpc.aio.EOF
        if previous:
            assert message.previous_cursor == previous
        previous = message.cursor
        events += message.events
    return events


def search(query: str, k: int = 3) -> search_pb2.Search:
    return search_pb2.Search(query=query, k=k)
