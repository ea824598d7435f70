"""Live queries: whole lists, told anew when they change, and not longer than somebody cares."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eventually import eventually
from fakes.libraries import TENANT, OpenLibrary, made, open_library
from vidence.library.v1 import library_service_pb2 as pb
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.documents import draft
from vidence_server.library.domain.searches import SearchRequest
from vidence_server.library.keeping import KeepPolicy
from vidence_server.library.live import LiveQuery
from vidence_server.streams.frames import Batch, End, EndReason, Opening
from vidence_server.streams.requests import SubscriptionRequest
from vidence_server.streams.subscription import Subscription

pytestmark = pytest.mark.requirement("R-LI5")


async def keep(opened: OpenLibrary, name: str, text: str) -> None:
    await opened.service.documents.keep(TENANT, "books", draft(name, text, {}), KeepPolicy())


async def watch(query: LiveQuery) -> Subscription:
    subscription = await query.broadcast.subscribe(SubscriptionRequest(query.newest, "con_1", 30))
    assert isinstance(await subscription.next(), Opening)
    return subscription


async def results(subscription: Subscription) -> list[pb.QueryResults]:
    frame = await subscription.next()
    assert isinstance(frame, Batch)
    return [event.query_results for event in pb.WatchQueryResponse.FromString(frame.message).events]


async def test_changed_results_are_told_as_documents_arrive(tmp_path: Path) -> None:
    async with open_library(tmp_path, live_query_period_s=0.01) as opened:
        await made(opened)
        await keep(opened, "a", "red apple")
        query = await opened.service.live.open(TENANT, "books", SearchRequest("red apple", k=2))
        subscription = await watch(query)
        (first,) = await results(subscription)
        assert [hit.document_id for hit in first.hits] == ["a"]
        assert (first.query_revision, list(first.entered_ids)) == (1, [])
        await keep(opened, "b", "red apple pie")
        (second,) = await results(subscription)
        assert [hit.document_id for hit in second.hits] == ["a", "b"]
        assert (list(second.entered_ids), list(second.left_ids)) == (["b"], [])
        await keep(opened, "c", "red apple")
        (third,) = await results(subscription)
        assert (list(third.entered_ids), list(third.left_ids)) == (["c"], ["b"])
        await opened.service.documents.delete(TENANT, "books", "a", 0)
        (fourth,) = await results(subscription)
        assert [hit.document_id for hit in fourth.hits] == ["c", "b"]
        assert await opened.service.live.refine(TENANT, query.query_id, SearchRequest("pie", k=1)) == 2
        (fifth,) = await results(subscription)
        assert (fifth.query_revision, [hit.document_id for hit in fifth.hits]) == (2, ["b"])
        query.broadcast.close(subscription)


async def test_changes_that_do_not_concern_the_list_are_not_told(tmp_path: Path) -> None:
    async with open_library(tmp_path, live_query_period_s=0.01) as opened:
        await made(opened)
        await keep(opened, "a", "red apple")
        query = await opened.service.live.open(TENANT, "books", SearchRequest("red apple", k=1))
        subscription = await watch(query)
        await results(subscription)
        for number in range(5):
            await keep(opened, f"b{number}", "blue sky")
        await keep(opened, "a", "red apple apple red")  # the same place, another version
        (told,) = await results(subscription)
        assert (told.hits[0].version, list(told.entered_ids), list(told.left_ids)) == (2, [], [])
        query.broadcast.close(subscription)


async def test_a_query_ends_with_its_library_and_is_then_unknown(tmp_path: Path) -> None:
    async with open_library(tmp_path, live_query_period_s=0.01) as opened:
        await made(opened)
        query = await opened.service.live.open(TENANT, "books", SearchRequest("red"))
        subscription = await watch(query)
        await results(subscription)
        await opened.service.libraries.delete(TENANT, "books")
        frame = await subscription.next()
        assert isinstance(frame, End)
        assert frame.reason is EndReason.ENDED
        query.broadcast.close(subscription)
        await eventually(lambda: len(opened.service.live) == 0)
        with pytest.raises(DomainError) as refused:
            opened.service.live.get(TENANT, query.query_id)
        assert refused.value.reason is Reason.QUERY_NOT_FOUND


async def test_a_query_that_nobody_watches_ends(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        await opened.service.live.open(TENANT, "books", SearchRequest("red"), idle_s=0.05)
        watched = await opened.service.live.open(TENANT, "books", SearchRequest("red"), idle_s=0.05)
        subscription = await watch(watched)
        await eventually(lambda: len(opened.service.live) == 1)
        assert opened.service.live.get(TENANT, watched.query_id) is watched
        watched.broadcast.close(subscription)
        await eventually(lambda: len(opened.service.live) == 0)


async def test_queries_have_limits_and_reasons(tmp_path: Path) -> None:
    async with open_library(tmp_path, live_queries=1) as opened:
        await made(opened)
        for library, request, reason in (
            ("none", SearchRequest("red"), Reason.LIBRARY_NOT_FOUND),
            ("books", SearchRequest("red", k=101), Reason.REQUEST_INVALID),
        ):
            with pytest.raises(DomainError) as refused:
                await opened.service.live.open(TENANT, library, request)
            assert refused.value.reason is reason
        query = await opened.service.live.open(TENANT, "books", SearchRequest("red"))
        with pytest.raises(DomainError) as refused:
            await opened.service.live.open(TENANT, "books", SearchRequest("red"))
        assert (refused.value.reason, refused.value.retry_after_s) == (Reason.QUERY_LIMIT, 5.0)
        with pytest.raises(DomainError) as refused:
            await opened.service.live.refine(TENANT, query.query_id, SearchRequest("red", k=101))
        assert refused.value.reason is Reason.REQUEST_INVALID
        assert query.revision == 1
        with pytest.raises(DomainError) as refused:
            opened.service.live.get("other", query.query_id)
        assert refused.value.reason is Reason.QUERY_NOT_FOUND
        opened.service.live.close(query)
        await asyncio.sleep(0)
        await opened.service.live.open(TENANT, "books", SearchRequest("red"))
