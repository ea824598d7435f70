"""The calls of the library service that are answered at once, over gRPC."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest

from fakes.libraries import FakeEmbedder, library_server
from fakes.library_wire import create, document, reason_of
from vidence.library.v1 import face_pb2
from vidence.library.v1 import library_service_pb2 as pb


@pytest.mark.requirement("R-LI6")
async def test_faces_are_enrolled_found_and_deleted_over_the_wire(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server:
        await create(server)

        def template(*values: float) -> face_pb2.FaceTemplate:
            return face_pb2.FaceTemplate(model_name="sface", model_version="1", values=values)

        stub = server.stub
        for subject, values in (("anna", (1, 0, 0)), ("ben", (0, 1, 0))):
            await stub.EnrollFace(
                pb.EnrollFaceRequest(library_id="books", subject_id=subject, template=template(*values))
            )
        probe = template(0.9, 0.1, 0)
        found = await stub.SearchFaces(pb.SearchFacesRequest(library_id="books", template=probe))
        assert [hit.subject_id for hit in found.hits] == ["anna", "ben"]
        listed = await stub.ListFaces(pb.ListFacesRequest(library_id="books"))
        assert {face.subject_id for face in listed.faces} == {"anna", "ben"}
        deleted = await stub.DeleteSubject(pb.DeleteSubjectRequest(library_id="books", subject_id="anna"))
        assert deleted.face_count == 1
        found = await stub.SearchFaces(pb.SearchFacesRequest(library_id="books", template=probe))
        assert [hit.subject_id for hit in found.hits] == ["ben"]
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.EnrollFace(
                pb.EnrollFaceRequest(library_id="books", subject_id="carl", image=b"picture")
            )
        assert reason_of(failed.value) == "EMBEDDING_UNAVAILABLE"


@pytest.mark.requirement("R-LI1")
async def test_libraries_and_documents_over_the_wire(tmp_path: Path) -> None:
    async with library_server(tmp_path, others={"words@2": FakeEmbedder("words@2", 8)}) as server:
        stub = server.stub
        created = await stub.CreateLibrary(pb.CreateLibraryRequest(library_id="books", labels={"a": "b"}))
        assert created.library.embedding.served
        assert [
            each.library_id for each in (await stub.ListLibraries(pb.ListLibrariesRequest())).libraries
        ] == ["books"]
        updated = await stub.UpdateLibrary(
            pb.UpdateLibraryRequest(library_id="books", display_name="Books", clear_labels=True)
        )
        assert (updated.library.display_name, dict(updated.library.labels)) == ("Books", {})
        kept = await stub.CreateDocument(
            pb.CreateDocumentRequest(library_id="books", document=document("a", "red", n=1.5))
        )
        assert (kept.document.version, kept.repeated) == (1, False)
        again = await stub.CreateDocument(
            pb.CreateDocumentRequest(library_id="books", document=document("a", "red", n=1.5))
        )
        assert (again.document, again.repeated) == (kept.document, True)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.CreateDocument(
                pb.CreateDocumentRequest(library_id="books", document=document("a", "blue"))
            )
        assert failed.value.code() is grpc.StatusCode.ALREADY_EXISTS
        changed = await stub.UpdateDocument(
            pb.UpdateDocumentRequest(library_id="books", document=document("a", "blue"), if_version=1)
        )
        assert changed.document.version == 2
        got = await stub.GetDocument(
            pb.GetDocumentRequest(library_id="books", document_id="a", include_vector=True)
        )
        assert (got.document.text, got.document.vector.model_id) == ("blue", "words@1")
        listed = await stub.ListDocuments(pb.ListDocumentsRequest(library_id="books"))
        assert [each.document_id for each in listed.documents] == ["a"]
        begun = await stub.ReembedLibrary(pb.ReembedLibraryRequest(library_id="books", model_id="words@2"))
        assert begun.library.reembedding.model_id == "words@2"
        async with asyncio.timeout(60):
            while True:
                library = (await stub.GetLibrary(pb.GetLibraryRequest(library_id="books"))).library
                if library.embedding.model_id == "words@2":
                    break
                await asyncio.sleep(0.01)
        numbers = await stub.GetStatistics(pb.GetStatisticsRequest())
        assert (numbers.library_count, numbers.document_count, numbers.waiting_documents) == (1, 1, 0)
        gone = await stub.DeleteLibrary(pb.DeleteLibraryRequest(library_id="books"))
        assert gone.document_count == 1
