"""Exports and imports over gRPC."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from fakes.libraries import library_server
from fakes.library_wire import all_of, body, create, document, lines_of, read, reason_of, requests
from vidence.library.v1 import library_pb2
from vidence.library.v1 import library_service_pb2 as pb


@pytest.mark.requirement("R-LI3")
async def test_an_export_goes_over_the_wire_and_back(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server:
        await create(server)
        await create(server, "copy")
        batch = [document(f"d{number:04}", n=number) for number in range(700)]
        await all_of(server.stub.IngestDocuments(requests(batch)))
        export = pb.ExportLibraryRequest(library_id="books")
        whole = b"".join([message.data async for message in server.stub.ExportLibrary(export)])
        pieces = [whole[start : start + 9999] for start in range(0, len(whole), 9999)]
        imported = await all_of(
            server.stub.ImportLibrary(body(*pieces, library_id="copy", kind=pb.ImportLibraryRequest))
        )
        complete = imported[-1].import_complete
        assert (complete.document_count, complete.changed_count) == (700, 700)
        checksum = json.loads(whole.splitlines()[-1])["export_complete"]["checksum"]
        assert complete.checksum == checksum
        again = pb.ExportLibraryRequest(library_id="copy")
        copied = b"".join([message.data async for message in server.stub.ExportLibrary(again)])
        assert json.loads(copied.splitlines()[-1])["export_complete"]["checksum"] == checksum
        call = server.stub.ImportLibrary(body(whole[:5000], library_id="copy", kind=pb.ImportLibraryRequest))
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await all_of(call)
        assert reason_of(failed.value) in {"IMPORT_INCOMPLETE", "DOCUMENT_INVALID"}


@pytest.mark.requirement("R-LI1")
async def test_an_export_that_is_ingested_where_it_came_from_changes_nothing(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server:
        await create(server)
        batch = [document(f"d{number:02}", n=number) for number in range(20)]
        batch[3].vector.CopyFrom(
            library_pb2.Vector(model_id="words@1", values=[1.0] + [0.0] * 31)
        )  # one was given, the others are made
        await all_of(server.stub.IngestDocuments(requests(batch)))
        export = pb.ExportLibraryRequest(library_id="books")
        whole = b"".join([message.data async for message in server.stub.ExportLibrary(export)])
        lines = [line + b"\n" for line in whole.splitlines() if line.startswith(b'{"document"')]
        again = await lines_of(server.stub.IngestNdjson(body(*lines)))
        assert again[-1]["ingest_complete"]["duplicate_count"] == "20"
        library = (await server.stub.GetLibrary(pb.GetLibraryRequest(library_id="books"))).library
        assert library.revision == 21
        told = await server.stub.GetDocument(
            pb.GetDocumentRequest(library_id="books", document_id="d00", include_vector=True)
        )
        assert (told.document.version, told.document.vector.model_id) == (1, "words@1")


@pytest.mark.requirement("R-LI1")
@pytest.mark.parametrize("changed", ["text", "vector"])
async def test_a_line_of_an_export_that_was_changed_is_a_new_version(tmp_path: Path, changed: str) -> None:
    async with library_server(tmp_path) as server:
        await create(server)
        await all_of(server.stub.IngestDocuments(requests([document("a", "red apple")])))
        export = pb.ExportLibraryRequest(library_id="books")
        whole = b"".join([message.data async for message in server.stub.ExportLibrary(export)])
        (line,) = [line for line in whole.splitlines() if line.startswith(b'{"document"')]
        fields = json.loads(line)["document"]
        if changed == "text":
            fields["text"] = "green apple"
        else:
            fields["vector"] = {"model_id": "words@1", "values": [1.0] + [0.0] * 31}
        told = await lines_of(server.stub.IngestNdjson(body(json.dumps(fields).encode())))
        assert told[0]["result"]["state"] == "INGEST_STATE_UPDATED"


@pytest.mark.requirement("R-LI1")
@pytest.mark.parametrize("sent", ["no message", "no bytes", "empty lines"])
async def test_an_ingest_of_an_empty_body_is_answered_clearly(tmp_path: Path, sent: str) -> None:
    async def nothing() -> AsyncIterator[pb.IngestNdjsonRequest]:
        if sent == "no bytes":
            yield pb.IngestNdjsonRequest(library_id="books")
        elif sent == "empty lines":
            async for part in body(b"\n \n", b"\n"):
                yield part

    async with library_server(tmp_path) as server:
        await create(server)
        call = server.stub.IngestNdjson(nothing())
        if sent == "no message":  # which library is asked for is not known either
            last = await read(call)
            (violation,) = [
                violation
                for detail in json.loads(last.data)["ingest_failed"]["status"]["details"]
                for violation in detail.get("field_violations", [])
            ]
            assert violation["field"] == "content"
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await call.read()
            assert reason_of(failed.value) == "REQUEST_INVALID"
        else:
            (last_line,) = await lines_of(call)
            assert set(last_line["ingest_complete"].values()) == {"0"}
