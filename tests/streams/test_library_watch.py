"""The changes of a library, followed over gRPC."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from fakes.libraries import library_server
from fakes.library_wire import all_of, create, document, read, reason_of, requests, watched
from vidence.library.v1 import library_service_pb2 as pb
from vidence.stream.v1 import stream_control_pb2 as control


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
