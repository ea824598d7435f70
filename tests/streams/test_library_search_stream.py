"""Searches by stream, and queries that stay open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import grpc
import pytest

from eventually import eventually
from fakes.libraries import FakeEmbedder, library_server
from fakes.library_wire import (
    all_of,
    check_result_stream,
    create,
    document,
    read,
    reason_of,
    requests,
    search,
    watched,
)
from vidence.library.v1 import library_pb2, search_pb2
from vidence.library.v1 import library_service_pb2 as pb


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
        async with asyncio.timeout(60):
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
