"""The streams of the library service over gRPC: what their protos promise."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody

from eventually import eventually
from fakes.libraries import FakeEmbedder, LibraryServer, library_server
from vidence.library.v1 import face_pb2, library_pb2, search_pb2
from vidence.library.v1 import library_service_pb2 as pb
from vidence.stream.v1 import stream_control_pb2 as control
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


async def body(
    *pieces: bytes, library_id: str = "books", kind: Any = pb.IngestNdjsonRequest
) -> AsyncIterator[Any]:
    yield kind(library_id=library_id)
    for piece in pieces:
        yield kind(content=HttpBody(data=piece))


async def lines_of(call: Any) -> list[dict[str, Any]]:
    data = b"".join([message.data for message in await all_of(call)])
    return [json.loads(line) for line in data.splitlines()]


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


@pytest.mark.requirement("R-LI2")
async def test_a_search_streams_what_its_unary_twin_answers(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server:
        await create(server)
        batch = [document(f"d{number}", f"apple {number % 50}", n=number % 5) for number in range(900)]
        await all_of(server.stub.IngestDocuments(requests(batch)))
        wanted = library_pb2.Filter(
            range=library_pb2.Range(
                key="n",
                at_least=library_pb2.MetadataValue(number_value=1),
                less_than=library_pb2.MetadataValue(number_value=4),
            )
        )
        options = search_pb2.SearchOptions(filter=wanted, include_metadata=True)
        messages = await all_of(
            server.stub.SearchDocuments(
                pb.SearchDocumentsRequest(library_id="books", query="apple 7", k=500, options=options)
            )
        )
        check_result_stream(messages, "search_complete")
        plan = messages[1].search_plan
        assert (plan.filtered_count, plan.hit_count) == (540, 500)
        hits = [hit for message in messages for hit in message.search_hits.hits]
        assert len([message for message in messages if message.search_hits.hits]) > 1
        assert [hit.rank for hit in hits] == list(range(1, 501))
        assert messages[-1].search_complete.hit_count == 500
        assert all(1 <= hit.metadata["n"].number_value < 4 for hit in hits)
        twin = await server.stub.FindDocuments(
            pb.FindDocumentsRequest(library_id="books", query="apple 7", k=500, options=options)
        )
        assert list(twin.hits) == hits
        assert twin.plan == plan


@pytest.mark.requirement("R-LI2")
async def test_a_search_of_no_library_fails_in_band_and_by_status(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server:
        call = server.stub.SearchDocuments(pb.SearchDocumentsRequest(library_id="none", query="x"))
        messages = [await read(call), await read(call)]
        check_result_stream(messages, "search_failed")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call.read()
        assert reason_of(failed.value) == "LIBRARY_NOT_FOUND"


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


@pytest.mark.requirement("R-LI4")
async def test_changes_are_followed_from_any_revision(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server:
        await create(server)
        await all_of(server.stub.IngestDocuments(requests([document(f"d{n}") for n in range(10)])))
        await server.stub.DeleteDocument(pb.DeleteDocumentRequest(library_id="books", document_id="d3"))
        call = server.stub.WatchLibrary(pb.WatchLibraryRequest(library_id="books"))
        events = await watched(call, 12)
        assert [event.sequence for event in events] == list(range(1, 13))
        kinds = [event.WhichOneof("payload") for event in events]
        assert kinds == ["library_created", *["document_created"] * 10, "document_deleted"]
        assert all(event.library_id == "books" for event in events)
        call.cancel()
        for revision in range(12):
            request = pb.WatchLibraryRequest(library_id="books", after_revision=revision)
            call = server.stub.WatchLibrary(request)
            assert await watched(call, 12 - revision) == events[revision:]
            call.cancel()
        request = pb.WatchLibraryRequest(library_id="books", after_cursor=events[4].cursor)
        call = server.stub.WatchLibrary(request)
        assert await watched(call, 7) == events[5:]
        call.cancel()


@pytest.mark.requirement("R-LI4")
async def test_a_revision_that_is_gone_or_to_come_is_an_explicit_error(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server:
        await create(server)
        await all_of(server.stub.IngestDocuments(requests([document(f"d{n}") for n in range(10)])))
        service = server.opened.service
        async with service.libraries._database.transaction() as transaction:
            from vidence_server.library.journal import log_name

            await service.logs.expire(transaction, log_name("default", "books"), 2**62)
        await all_of(server.stub.IngestDocuments(requests([document("new")])))
        for revision in (3, 99):
            request = pb.WatchLibraryRequest(library_id="books", after_revision=revision)
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await server.stub.WatchLibrary(request).read()
            assert failed.value.code() is grpc.StatusCode.OUT_OF_RANGE
            assert reason_of(failed.value) == "CURSOR_EXPIRED"
        request = pb.WatchLibraryRequest(
            library_id="books", after_revision=3, on_expired=control.ON_EXPIRED_GAP
        )
        call = server.stub.WatchLibrary(request)
        await call.read()
        gap = await read(call)
        assert gap.control.gap.missed_count == 8
        assert [event.sequence for event in await watched(call, 1)] == [12]
        call.cancel()


@pytest.mark.requirement("R-LI4")
async def test_a_filtered_watcher_gets_all_that_match_and_nothing_else(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server:
        await create(server)
        request = pb.WatchLibraryRequest(
            library_id="books", types=["document.created"], document_id_prefix="a"
        )
        call = server.stub.WatchLibrary(request)
        await call.read()
        batch = [document(f"{letter}{number}") for number in range(20) for letter in "ab"]
        await all_of(server.stub.IngestDocuments(requests(batch)))
        await server.stub.DeleteDocument(pb.DeleteDocumentRequest(library_id="books", document_id="a3"))
        await all_of(server.stub.IngestDocuments(requests([document("a-last")])))
        events = await watched(call, 21)
        names = [event.document_created.document_id for event in events]
        assert names == [*(f"a{number}" for number in range(20)), "a-last"]
        call.cancel()


@pytest.mark.requirement("R-LI4")
async def test_a_deleted_library_ends_its_watch_for_those_who_were_there_and_who_come_late(
    tmp_path: Path,
) -> None:
    async with library_server(tmp_path) as server:
        await create(server)
        call = server.stub.WatchLibrary(pb.WatchLibraryRequest(library_id="books"))
        await watched(call, 1)
        await server.stub.DeleteLibrary(pb.DeleteLibraryRequest(library_id="books"))
        for watching in (call, server.stub.WatchLibrary(pb.WatchLibraryRequest(library_id="books"))):
            messages = await all_of(watching)
            kinds = [event.WhichOneof("payload") for message in messages for event in message.events]
            assert kinds[-1] == "library_deleted"
            assert messages[-1].control.disconnected.reason == control.DISCONNECT_REASON_ENDED
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await server.stub.WatchLibrary(pb.WatchLibraryRequest(library_id="never")).read()
        assert reason_of(failed.value) == "LIBRARY_NOT_FOUND"


def search(query: str, k: int = 3) -> search_pb2.Search:
    return search_pb2.Search(query=query, k=k)


@pytest.mark.requirement("R-LI5")
async def test_a_query_is_opened_refined_and_watched_by_several(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server:
        await create(server)
        opened = await server.stub.OpenQuery(pb.OpenQueryRequest(library_id="books", search=search("apple")))
        watches = [server.stub.WatchQuery(pb.WatchQueryRequest(query_id=opened.query_id)) for _ in range(3)]
        for call in watches:
            (first,) = await watched(call, 1)
            assert list(first.query_results.hits) == []  # type: ignore[attr-defined]  # an event of a query
        await all_of(server.stub.IngestDocuments(requests([document("a", "apple")])))
        for call in watches:
            (second,) = await watched(call, 1)
            assert list(second.query_results.entered_ids) == ["a"]  # type: ignore[attr-defined]  # as above
        refined = await server.stub.RefineQuery(
            pb.RefineQueryRequest(query_id=opened.query_id, search=search("pear"))
        )
        assert refined.query_revision == 2
        for call in watches:
            (third,) = await watched(call, 1)
            assert third.query_results.query_revision == 2  # type: ignore[attr-defined]  # as above
            call.cancel()
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await server.stub.WatchQuery(pb.WatchQueryRequest(query_id="qry_none")).read()
        assert reason_of(failed.value) == "QUERY_NOT_FOUND"


@pytest.mark.requirement("R-LI5")
async def test_a_session_opens_a_query_refines_it_and_takes_it_along(tmp_path: Path) -> None:
    said: asyncio.Queue[pb.QuerySessionRequest | None] = asyncio.Queue()

    async def speaking() -> AsyncIterator[pb.QuerySessionRequest]:
        while (request := await said.get()) is not None:
            yield request

    async with library_server(tmp_path) as server:
        await create(server)
        await all_of(server.stub.IngestDocuments(requests([document("a", "apple"), document("p", "pear")])))
        said.put_nowait(
            pb.QuerySessionRequest(opening=pb.OpenQueryRequest(library_id="books", search=search("apple", 1)))
        )
        call = server.stub.QuerySession(speaking())
        (first,) = await watched(call, 1)
        assert [hit.document_id for hit in first.query_results.hits] == ["a"]  # type: ignore[attr-defined]  # of a query
        said.put_nowait(pb.QuerySessionRequest(refinement=pb.QueryRefinement(search=search("pear", 1))))
        (second,) = await watched(call, 1)
        assert [hit.document_id for hit in second.query_results.hits] == ["p"]  # type: ignore[attr-defined]  # as above
        said.put_nowait(None)
        async with asyncio.timeout(10):
            while await call.read() is not grpc.aio.EOF:
                pass
        assert await call.code() is grpc.StatusCode.OK
        await eventually(lambda: len(server.opened.service.live) == 0)


@pytest.mark.requirement("R-LI5")
@pytest.mark.parametrize("wrong", ["no opening", "opened twice", "too many hits"])
async def test_a_session_that_is_held_wrongly_fails(tmp_path: Path, wrong: str) -> None:
    opening = pb.QuerySessionRequest(opening=pb.OpenQueryRequest(library_id="books", search=search("apple")))
    refinement = pb.QuerySessionRequest(refinement=pb.QueryRefinement(search=search("apple", 101)))

    async def speaking() -> AsyncIterator[pb.QuerySessionRequest]:
        if wrong != "no opening":
            yield opening
        yield opening if wrong == "opened twice" else refinement

    async with library_server(tmp_path) as server:
        await create(server)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await all_of(server.stub.QuerySession(speaking()))
        assert reason_of(failed.value) == "REQUEST_INVALID"
        await eventually(lambda: len(server.opened.service.live) == 0)


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
        async with asyncio.timeout(20):
            while True:
                library = (await stub.GetLibrary(pb.GetLibraryRequest(library_id="books"))).library
                if library.embedding.model_id == "words@2":
                    break
                await asyncio.sleep(0.01)
        numbers = await stub.GetStatistics(pb.GetStatisticsRequest())
        assert (numbers.library_count, numbers.document_count, numbers.waiting_documents) == (1, 1, 0)
        gone = await stub.DeleteLibrary(pb.DeleteLibraryRequest(library_id="books"))
        assert gone.document_count == 1


async def test_a_cancelled_search_leaves_nothing_behind(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    async with library_server(tmp_path, embedder=embedder) as server:
        await create(server)
        embedder.gate.clear()
        call = server.stub.SearchDocuments(pb.SearchDocumentsRequest(library_id="books", query="x"))
        await call.read()
        call.cancel()
        await eventually(lambda: server.server.result_streams.statistics().open == 0)
        events = server.opened.service.exporting.export("default", "books")
        async with aclosing(events):
            await anext(events)
