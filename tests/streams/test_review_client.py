"""The SDK's review client, from asynchronous and from plain code, against a real service."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fakes.review import review_server
from vidence.review.v1 import review_pb2
from vidence_client import Client, VidenceError, sync

BATCH = "batches/bat_1"


@pytest.mark.requirement("R-WE5")
async def test_a_reviewer_works_with_the_client(tmp_path: Path) -> None:
    async with review_server(tmp_path) as server, Client(server.rpc.address) as client:
        await client.reviews.claim(BATCH, "Ana", expected_revision=0)
        with pytest.raises(VidenceError) as refused:
            await client.reviews.decide(BATCH, "Ben", review_pb2.VERDICT_REJECTED, expected_revision=1)
        assert refused.value.reason == "REVIEW_CLAIMED"
        await client.reviews.note(BATCH, "Ben", "page 2 is missing")
        before = await client.reviews.get(BATCH)
        async with client.reviews.watch(BATCH, after=before.cursor) as events:
            await client.reviews.decide(BATCH, "Ana", review_pb2.VERDICT_APPROVED, expected_revision=2)
            decided = await anext(events)
        assert decided.decided.review.decision.verdict == review_pb2.VERDICT_APPROVED
        await client.reviews.release(BATCH, "Ana")
        assert [review.subject async for review in client.reviews.list()] == [BATCH]
        assert [review.subject async for review in client.reviews.list(undecided=True)] == []
        await client.reviews.delete(BATCH)


@pytest.mark.requirement("R-WE5")
async def test_plain_code_reviews_too(tmp_path: Path) -> None:
    def work(address: str) -> list[str | None]:
        with sync.Client(address) as client:
            claimed = client.reviews.claim(BATCH, "Ana", expected_revision=0)
            client.reviews.note(BATCH, "Ana", "seen", note_id="n-1")
            client.reviews.note(BATCH, "Ana", "seen", note_id="n-1")
            revision = client.reviews.get(BATCH).review.revision
            client.reviews.decide(BATCH, "Ana", review_pb2.VERDICT_ESCALATED, expected_revision=revision)
            client.reviews.release(BATCH, "Ana")
            assert claimed.revision == 1
            assert [review.revision for review in client.reviews.list()] == [4]
            kinds: list[str | None] = []
            with client.reviews.watch(BATCH) as events:
                for event in events:
                    kinds.append(event.WhichOneof("payload"))
                    if len(kinds) == 4:
                        break
            client.reviews.delete(BATCH)
            return kinds

    async with review_server(tmp_path) as server:
        kinds = await asyncio.to_thread(work, server.rpc.address)
    assert kinds == ["claimed", "note_added", "decided", "released"]
