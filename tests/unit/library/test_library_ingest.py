"""Documents by the thousand: every one answered, in order, in groups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fakes.libraries import TENANT, FakeEmbedder, OpenLibrary, made, open_library
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.documents import Kept, KeptState, draft
from vidence_server.library.ingest import BackOff, IngestStream, Offer, Offered, Result, ShuttingDown
from vidence_server.library.keeping import KeepPolicy

pytestmark = pytest.mark.requirement("R-LI1")


def offers(count: int, size: int, prefix: str = "d") -> Iterator[Offer]:
    for start in range(0, count, size):
        names = [f"{prefix}{number:05}" for number in range(start, min(count, start + size))]
        yield Offer([Offered(name, draft(name, f"text {name}", {})) for name in names], 100 * len(names))


async def sent(source: Iterator[Offer]) -> AsyncIterator[Offer]:
    for offer in source:
        yield offer


@asynccontextmanager
async def stream(
    opened: OpenLibrary, source: AsyncIterator[Offer], stop: asyncio.Event | None = None
) -> AsyncIterator[IngestStream]:
    library = await opened.service.libraries.get(TENANT, "books")
    async with IngestStream(
        source,
        library,
        KeepPolicy(),
        keeper=opened.service.keeper,
        committer=opened.service.committer,
        clock=SystemClock(),
        stop=stop or asyncio.Event(),
    ) as ingest:
        yield ingest


async def results(ingest: IngestStream) -> list[Result]:
    found: list[Result] = []
    while (news := await ingest.next()) is not None:
        if not isinstance(news, BackOff | ShuttingDown):
            found += news
    return found


async def test_results_come_in_the_order_of_the_documents(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        async with stream(opened, sent(offers(5000, 250))) as ingest:
            found = await results(ingest)
        kept = [each.outcome for each in found if isinstance(each.outcome, Kept)]
        assert [each.document_id for each in kept] == [f"d{number:05}" for number in range(5000)]
        assert [each.revision for each in kept] == list(range(2, 5002))
        async with stream(opened, sent(offers(5000, 250))) as ingest:
            again = await results(ingest)
        outcomes = [each.outcome for each in again]
        assert {each.state for each in outcomes if isinstance(each, Kept)} == {KeptState.DUPLICATE}
        assert opened.embedder.texts == 5000


async def test_a_later_version_in_the_same_stream_wins(tmp_path: Path) -> None:
    async def source() -> AsyncIterator[Offer]:
        for number in range(20):
            yield Offer([Offered("a", draft("a", f"text {number}", {}))], 10)

    async with open_library(tmp_path) as opened:
        await made(opened)
        async with stream(opened, source()) as ingest:
            found = await results(ingest)
        assert [each.outcome.version for each in found if isinstance(each.outcome, Kept)] == list(
            range(1, 21)
        )
        assert (await opened.service.documents.get(TENANT, "books", "a")).text == "text 19"


async def test_a_refused_document_does_not_stop_the_others(tmp_path: Path) -> None:
    wrong = DomainError(Reason.DOCUMENT_INVALID, "The line is no JSON.")

    async def source() -> AsyncIterator[Offer]:
        yield Offer(
            [Offered("a", draft("a", "red", {})), Offered("", wrong, 2), Offered("c", draft("c", "x", {}))], 9
        )
        yield Offer([], 0)
        yield Offer([Offered("", wrong, 4)], 9)

    async with open_library(tmp_path) as opened:
        await made(opened)
        async with stream(opened, source()) as ingest:
            found = await results(ingest)
        assert [isinstance(each.outcome, Kept) for each in found] == [True, False, True, False]
        assert found[1].outcome is wrong


async def test_many_streams_at_once_share_commits_and_lose_nothing(tmp_path: Path) -> None:
    async with open_library(tmp_path, queue_documents=64) as opened:
        await made(opened)

        async def one(number: int) -> int:
            async with stream(opened, sent(offers(100, 5, f"s{number}-"))) as ingest:
                return sum(isinstance(each.outcome, Kept) for each in await results(ingest))

        assert await asyncio.gather(*map(one, range(16))) == [100] * 16
        library = await opened.service.libraries.get(TENANT, "books")
        assert (library.document_count, library.revision) == (1600, 1601)
        assert opened.service.statistics().commits.commits < 320
        assert opened.service.statistics().commits.waiting == 0


async def test_whoever_sends_more_than_fits_is_told_to_back_off(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    embedder.gate.clear()
    read = 0

    async def source() -> AsyncIterator[Offer]:
        nonlocal read
        for offer in offers(6000, 500):
            read += 1
            yield offer

    async with open_library(tmp_path, embedder=embedder) as opened:
        await made(opened)
        async with stream(opened, source()) as ingest:
            news = await ingest.next()
            assert isinstance(news, BackOff)
            assert read == 5  # four are in work, one waits
            embedder.gate.set()
            assert len(await results(ingest)) == 6000


async def test_a_server_that_ends_answers_what_it_has_read(tmp_path: Path) -> None:
    stop = asyncio.Event()

    async def source() -> AsyncIterator[Offer]:
        for offer in offers(10, 5):
            yield offer
        stop.set()
        await asyncio.Event().wait()

    async with open_library(tmp_path) as opened:
        await made(opened)
        async with stream(opened, source(), stop) as ingest:
            told: list[object] = []
            while (news := await ingest.next()) is not None:
                told += [news] if isinstance(news, BackOff | ShuttingDown) else news
        assert sum(isinstance(each, ShuttingDown) for each in told) == 1
        assert sum(isinstance(each, Result) for each in told) == 10


async def test_a_body_that_breaks_fails_the_stream_after_its_results(tmp_path: Path) -> None:
    async def source() -> AsyncIterator[Offer]:
        yield next(offers(3, 3))
        raise DomainError(Reason.DOCUMENT_INVALID, "A line is longer than it may be.")

    async with open_library(tmp_path) as opened:
        await made(opened)
        async with stream(opened, source()) as ingest:
            first = await ingest.next()
            assert isinstance(first, list)
            assert len(first) == 3
            with pytest.raises(DomainError, match="longer"):
                await ingest.next()


async def test_documents_for_a_library_that_is_deleted_are_refused(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        library = await opened.service.libraries.get(TENANT, "books")
        await opened.service.libraries.delete(TENANT, "books")
        with pytest.raises(DomainError) as refused:
            await opened.service.keeper.keep(library, [draft("a", "red", {})], KeepPolicy())
        assert refused.value.reason is Reason.LIBRARY_NOT_FOUND


async def test_whoever_waits_when_the_service_ends_is_told(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    async with open_library(tmp_path, embedder=embedder) as opened:
        await made(opened)
        library = await opened.service.libraries.get(TENANT, "books")
        committer = opened.service.committer
        assert committer._task is not None
        committer._task.cancel()
        await asyncio.wait({committer._task})
        waiting = asyncio.create_task(
            opened.service.keeper.keep(library, [draft("a", "red", {})], KeepPolicy())
        )
        await asyncio.sleep(0.05)  # it lines up
    with pytest.raises(DomainError) as refused:
        await waiting
    assert refused.value.reason is Reason.DRAINING
