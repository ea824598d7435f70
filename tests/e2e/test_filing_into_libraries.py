"""Results on their way into a real library: by gRPC, and within one process."""

from __future__ import annotations

import uuid
from pathlib import Path

import grpc
import pytest

from e2e_suite import LiveSuite
from fakes.batch import TENANT, document
from fakes.libraries import library_server, made
from vidence.batch.v1 import batch_pb2
from vidence.batch.v1 import batch_service_pb2 as batch
from vidence.batch.v1 import batch_service_pb2_grpc as batch_grpc
from vidence.extraction.v1 import extraction_service_pb2 as extraction
from vidence.extraction.v1 import extraction_service_pb2_grpc as extraction_grpc
from vidence.library.v1 import filing_pb2
from vidence.library.v1 import library_service_pb2 as library
from vidence.library.v1 import library_service_pb2_grpc as library_grpc
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.library_client import LibraryClient

pytestmark = pytest.mark.requirement("R-LI1")

OPTIONS = [("grpc.max_send_message_length", 24 << 20), ("grpc.max_receive_message_length", 24 << 20)]


async def put(client: LibraryClient, words: str, library_id: str = "books") -> None:
    await client.put(TENANT, library_id, "bat_1-0", document(words).SerializeToString(), {"index": 0})


async def reason_of(client: LibraryClient, library_id: str) -> Reason:
    with pytest.raises(DomainError) as raised:
        await client.check(TENANT, library_id)
    return raised.value.reason


async def test_a_result_is_kept_once_and_a_newer_one_takes_its_place(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server, LibraryClient(server.server.address) as client:
        await made(server.opened)
        await client.check(TENANT, "books")
        assert await reason_of(client, "other") is Reason.LIBRARY_NOT_FOUND
        for words, version in (("one", 1), ("one", 1), ("two", 2)):
            await put(client, words)
            wanted = library.GetDocumentRequest(library_id="books", document_id="bat_1-0")
            kept = (await server.stub.GetDocument(wanted)).document
            assert (kept.text, kept.version) == (words, version)
        with pytest.raises(DomainError) as refused:
            await put(client, "one", "other")
        assert refused.value.reason is Reason.LIBRARY_NOT_FOUND


async def test_a_library_that_is_away_is_not_ready(tmp_path: Path) -> None:
    async with LibraryClient(f"unix:{tmp_path}/nobody.sock", connect_s=0.05) as client:
        assert await reason_of(client, "books") is Reason.NOT_READY


async def test_the_suite_finds_what_it_has_read(suite: LiveSuite, passport: bytes) -> None:
    library_id = f"lib-{uuid.uuid4().hex}"
    async with grpc.aio.insecure_channel(suite.address, options=OPTIONS) as channel:
        libraries = library_grpc.LibraryServiceStub(channel)
        await libraries.CreateLibrary(library.CreateLibraryRequest(library_id=library_id))
        images = [batch_pb2.BatchImage(content=passport, file_name="passport.jpg")]
        read = await batch_grpc.BatchServiceStub(channel).ReadBatch(
            batch.ReadBatchRequest(images=images, library_id=library_id)
        )
        options = extraction.ExtractionOptions(library_id=library_id)
        single = await extraction_grpc.ExtractionServiceStub(channel).ReadDocument(
            extraction.ReadDocumentRequest(content=passport, options=options)
        )
        (outcome,) = read.outcomes
        numbers = [field.value for field in single.document.fields if field.key == "document.number"]
        for filing in (outcome.filing, single.filing):
            assert filing.state == filing_pb2.FILING_STATE_FILED
            kept = await libraries.GetDocument(
                library.GetDocumentRequest(library_id=library_id, document_id=filing.document_id)
            )
            assert kept.document.metadata["document_type"].string_value == "passport"
            assert [kept.document.metadata["document.number"].string_value] == numbers
        found = await libraries.FindDocuments(
            library.FindDocumentsRequest(library_id=library_id, query=numbers[0])
        )
        assert {hit.document_id for hit in found.hits} == {
            outcome.filing.document_id,
            single.filing.document_id,
        }
