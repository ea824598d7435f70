"""Query sessions through the SDK, asynchronous and plain, against a real server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eventually import eventually
from fakes.libraries import LibraryServer, library_server
from fakes.library_wire import all_of, create, document, requests, search
from vidence_client import Client, VidenceError
from vidence_client.sync import Client as PlainClient

pytestmark = pytest.mark.requirement("R-LI5")


async def filled(server: LibraryServer) -> None:
    await create(server)
    await all_of(server.stub.IngestDocuments(requests([document("a", "apple"), document("p", "pear")])))


async def test_a_session_gives_lists_and_can_be_refined(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server, Client(server.server.address) as client:
        await filled(server)
        async with client.libraries.query_session("books", search("apple", 1)) as session:
            first = await anext(session)
            assert [hit.document_id for hit in first.query_results.hits] == ["a"]
            assert first.query_results.query_revision == 1
            await session.refine(search("pear", 5))
            second = await anext(session)
            assert second.query_results.hits[0].document_id == "p"
            assert (second.query_results.query_revision, session.search.query) == (2, "pear")
            await all_of(server.stub.IngestDocuments(requests([document("q", "pear pear")])))
            third = await anext(session)
            assert list(third.query_results.entered_ids) == ["q"]
        await eventually(lambda: len(server.opened.service.live) == 0)


async def test_what_is_refined_before_the_first_list_opens_the_session(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server, Client(server.server.address) as client:
        await filled(server)
        async with client.libraries.query_session("books", search("apple", 1)) as session:
            await session.refine(search("pear", 1))
            first = await anext(session)
            assert [hit.document_id for hit in first.query_results.hits] == ["p"]
            assert first.query_results.query_revision == 1


async def test_a_session_that_cannot_be_searched_is_told_to_whoever_reads(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server, Client(server.server.address) as client:
        await filled(server)
        with pytest.raises(VidenceError) as unknown:
            await anext(client.libraries.query_session("none", search("apple")))
        assert unknown.value.reason == "LIBRARY_NOT_FOUND"
        async with client.libraries.query_session("books", search("apple")) as session:
            await anext(session)
            await session.refine(search("apple", 101))
            with pytest.raises(VidenceError) as refused:
                await anext(session)
            assert refused.value.reason == "REQUEST_INVALID"
        await eventually(lambda: len(server.opened.service.live) == 0)


async def test_a_broken_session_opens_again_with_the_search_of_now(tmp_path: Path) -> None:
    async with library_server(tmp_path) as server, Client(server.server.address) as client:
        await filled(server)
        async with client.libraries.query_session("books", search("apple", 1)) as session:
            await anext(session)
            await session.refine(search("pear", 1))
            await anext(session)
            session._drop_call()  # what a network that breaks does
            again = await anext(session)
            assert [hit.document_id for hit in again.query_results.hits] == ["p"]
            assert again.query_results.query_revision == 1
            assert session.statistics().reconnects == 1


async def test_plain_code_has_sessions_too(tmp_path: Path) -> None:
    def plainly(address: str) -> list[str]:
        with (
            PlainClient(address) as client,
            client.libraries.query_session("books", search("apple", 1)) as session,
        ):
            found = [next(session).query_results.hits[0].document_id]
            session.refine(search("pear", 1))
            return [*found, next(session).query_results.hits[0].document_id, session.search.query]

    async with library_server(tmp_path) as server:
        await filled(server)
        assert await asyncio.to_thread(plainly, server.server.address) == ["a", "p", "pear"]
        await eventually(lambda: len(server.opened.service.live) == 0)
