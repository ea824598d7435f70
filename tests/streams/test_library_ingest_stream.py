"""Documents by stream: every one is answered, in order, while others still arrive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody

from eventually import eventually
from fakes.libraries import library_server
from fakes.library_wire import (
    all_of,
    body,
    check_result_stream,
    create,
    document,
    lines_of,
    read,
    reason_of,
    requests,
)
from vidence.library.v1 import library_pb2, search_pb2
from vidence.library.v1 import library_service_pb2 as pb


@pytest.mark.requirement("R-LI1")
async def test_every_document_of_an_ingest_is_answered_and_findable(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server:
        await create(server)
        batches = [[document(f"d{batch}-{number}") for number in range(100)] for batch in range(12)]
        batches[11][99].text = "zebra"
        bad = library_pb2.Document(document_id="a\nb", text="x")
        batches[3].insert(50, bad)
        messages = await all_of(server.stub.IngestDocuments(requests(*batches)))
        check_result_stream(messages, "ingest_complete")
        results = [result for message in messages for result in message.ingest_results.results]
        sent = [each.document_id for batch in batches for each in batch]
        assert [result.document_id for result in results] == sent
        refused = [result for result in results if result.HasField("error")]
        assert [(result.document_id, result.error.code) for result in refused] == [("a\nb", 3)]
        complete = messages[-1].ingest_complete
        assert (complete.created_count, complete.error_count) == (1200, 1)
        again = await all_of(server.stub.IngestDocuments(requests(*batches)))
        assert again[-1].ingest_complete.duplicate_count == 1200
        options = search_pb2.SearchOptions(mode=search_pb2.SEARCH_MODE_LEXICAL)
        found = await server.stub.FindDocuments(
            pb.FindDocumentsRequest(library_id="books", query="zebra", k=1, options=options)
        )
        assert found.hits[0].document_id == "d11-99"


@pytest.mark.requirement("R-ST1")
@pytest.mark.parametrize("wrong", ["no opening", "no library", "opened twice", "nothing"])
async def test_an_ingest_that_opens_wrongly_fails_in_band_and_by_status(tmp_path: Path, wrong: str) -> None:
    async def sent() -> AsyncIterator[pb.IngestDocumentsRequest]:
        if wrong == "no opening":
            yield pb.IngestDocumentsRequest(documents=pb.IngestBatch(documents=[document("a")]))
        elif wrong != "nothing":
            async for request in requests(library_id="none" if wrong == "no library" else "books"):
                yield request
                yield request

    async with library_server(tmp_path) as server:
        await create(server)
        call = server.stub.IngestDocuments(sent())
        messages: list[Any] = []
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            async for message in call:
                messages.append(message)
        reason = "LIBRARY_NOT_FOUND" if wrong == "no library" else "REQUEST_INVALID"
        assert reason_of(failed.value) == reason
        check_result_stream(messages, "ingest_failed")


@pytest.mark.requirement("R-ST6")
async def test_a_slow_reader_of_results_loses_none_and_is_not_read_from(tmp_path: Path) -> None:
    sent = 0

    async def slowly_read() -> AsyncIterator[pb.IngestDocumentsRequest]:
        nonlocal sent
        async for request in requests(*[[document(f"d{n}-{m}") for m in range(500)] for n in range(40)]):
            yield request
            sent += 1

    # One message of results may wait for the reader; flow control and the room of the stream do the rest.
    async with library_server(tmp_path, server_settings={"stream_buffer": 1}) as server:
        await create(server)
        call = server.stub.IngestDocuments(slowly_read())
        await call.read()
        await eventually(lambda: sent >= 5)
        await asyncio.sleep(0.3)
        count = 0
        stream: Any = call
        while (message := await stream.read()) is not grpc.aio.EOF:
            count += len(message.ingest_results.results)
            await asyncio.sleep(0.002)
        assert count == 20_000


@pytest.mark.requirement("R-LI1")
async def test_a_draining_server_answers_what_it_read_and_says_so(tmp_path: Path) -> None:
    held = asyncio.Event()

    async def sent() -> AsyncIterator[pb.IngestDocumentsRequest]:
        async for request in requests([document("a"), document("b")]):
            yield request
        await held.wait()

    async with library_server(tmp_path) as server:
        await create(server)
        call = server.stub.IngestDocuments(sent())
        messages = [await read(call), await read(call)]
        assert messages[1].WhichOneof("payload") == "ingest_results"
        draining = asyncio.create_task(server.server.drain(5))
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            while True:
                messages.append(await read(call))
        assert reason_of(failed.value) == "DRAINING"
        kinds = [message.WhichOneof("payload") for message in messages]
        assert kinds == ["connected", "ingest_results", "ingest_shutting_down", "ingest_failed"]
        held.set()
        await draining


@pytest.mark.requirement("R-LI1")
async def test_status_lines_come_while_the_body_still_arrives(tmp_path: Path) -> None:
    more = asyncio.Event()

    async def sent() -> AsyncIterator[pb.IngestNdjsonRequest]:
        async for part in body(b'{"document_id": "a", "text": "red", "metadata": {"n": 1}}\n{"docu'):
            yield part
        await more.wait()
        yield pb.IngestNdjsonRequest(content=HttpBody(data=b'ment_id": "b"}\n\nno json\n{"text": "own id"}'))

    async with library_server(tmp_path) as server:
        await create(server)
        call = server.stub.IngestNdjson(sent())
        first = await read(call)
        assert json.loads(first.data)["result"]["document_id"] == "a"
        assert first.content_type == "application/x-ndjson"
        more.set()
        rest = await lines_of(call)
        results = [line["result"] for line in rest[:-1]]
        assert [result["line"] for result in results] == ["2", "4", "5"]
        assert results[1]["error"]["details"][0]["reason"] == "DOCUMENT_INVALID"
        assert results[2]["document_id"].startswith("doc_")
        assert rest[-1] == {
            "ingest_complete": {
                "created_count": "3",
                "updated_count": "0",
                "duplicate_count": "0",
                "error_count": "1",
            }
        }
        for line in rest:  # each is an IngestLine
            from google.protobuf.json_format import ParseDict

            ParseDict(line, pb.IngestLine())


@pytest.mark.requirement("R-ST1")
async def test_a_body_that_fails_says_so_in_its_last_line(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server:
        call = server.stub.IngestNdjson(body(b"{}\n", library_id="none"))
        last = await read(call)
        told = json.loads(last.data)["ingest_failed"]["status"]
        assert told["details"][0]["reason"] == "LIBRARY_NOT_FOUND"
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call.read()
        assert failed.value.code() is grpc.StatusCode.NOT_FOUND
