"""A library service whose large approximate libraries are searched by pgvector."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from sqlalchemy import text

from fakes.libraries import TENANT, FakeEmbedder, OpenLibrary, made
from fakes.library_homes import opened_at
from fakes.postgres import Home
from vidence_server.library.domain.documents import draft
from vidence_server.library.domain.searches import SearchRequest
from vidence_server.library.keeping import KeepPolicy
from vidence_server.library.search.filters import Range
from vidence_server.library.search.index import IndexKind

pytestmark = [pytest.mark.requirement("R-LI2", "R-OP6"), pytest.mark.usefixtures("pgvector")]

COUNT = 60
WORDS = ("red", "green", "blue", "apple", "pear", "plum", "old", "new", "big", "small")


def text_of(number: int) -> str:
    chosen = np.random.default_rng(number).choice(len(WORDS), 4, replace=False)
    return " ".join(WORDS[word] for word in chosen)


async def fill(opened: OpenLibrary, numbers: range) -> None:
    library = await opened.service.libraries.get(TENANT, "books")
    drafts = [draft(f"d{number}", text_of(number), {"n": number}) for number in numbers]
    await opened.service.keeper.keep(library, drafts, KeepPolicy())


async def find(opened: OpenLibrary, request: SearchRequest) -> list[str]:
    found = await opened.service.searching.find(TENANT, "books", request)
    return [hit.document_id async for page in opened.service.searching.pages(found) for hit in page]


async def scores(opened: OpenLibrary, request: SearchRequest) -> list[float]:
    found = await opened.service.searching.find(TENANT, "books", request)
    return [float(score) for score in found.scores]


async def rows(opened: OpenLibrary) -> int:
    async with opened.service.libraries._database.snapshot() as snapshot:
        found = await snapshot.execute(text("SELECT count(*) FROM library_vectors"))
        return int(found.scalar_one())


def in_memory(opened: OpenLibrary) -> int:
    return opened.service.indexes.statistics().open


async def test_a_large_approximate_library_is_searched_in_the_database(shared_home: Home) -> None:
    async with opened_at(shared_home, pgvector_from=COUNT) as opened:
        await made(opened, index_kind=IndexKind.APPROXIMATE)
        await fill(opened, range(COUNT - 1))
        await find(opened, SearchRequest("red apple"))
        assert in_memory(opened) == 1  # not large yet
    async with opened_at(shared_home, pgvector_from=COUNT) as opened:
        await fill(opened, range(COUNT - 1, COUNT))
        request = SearchRequest("red apple", k=20)
        exact = SearchRequest("red apple", k=20, exact=True)
        # Many are equally near: which of them come is for the graph to say, how near they are is not.
        assert await scores(opened, request) == pytest.approx(await scores(opened, exact), abs=1e-5)
        assert len(await find(opened, exact)) == 20
        assert (in_memory(opened), await rows(opened)) == (0, COUNT)
        found = await opened.service.searching.find(TENANT, "books", request)
        assert found.plan.index_kind is IndexKind.APPROXIMATE
        filtered = await find(opened, SearchRequest("red apple", k=50, filter=Range("n", 10.0, 19.0)))
        assert set(filtered) <= {f"d{n}" for n in range(10, 20)}
        assert len(filtered) == 9  # 10 to 18


async def test_changes_are_found_by_the_next_search_of_every_process(shared_home: Home) -> None:
    settings = {"pgvector_from": 10}
    async with opened_at(shared_home, **settings) as one, opened_at(shared_home, **settings) as other:
        await made(one, index_kind=IndexKind.APPROXIMATE)
        await fill(one, range(COUNT))
        first = (await find(one, SearchRequest("red apple", k=1)))[0]
        assert await find(other, SearchRequest("red apple", k=1)) == [first]
        await one.service.documents.delete(TENANT, "books", first, 0)
        assert first not in await find(other, SearchRequest("red apple", k=COUNT))
        library = await other.service.libraries.get(TENANT, "books")
        changed = [draft(name, "red apple zebra", {}) for name in ("d1", "new")]
        await other.service.keeper.keep(library, changed, KeepPolicy())
        assert set(await find(one, SearchRequest("red apple zebra", k=2))) == {"d1", "new"}
        assert await rows(one) == COUNT
        await one.service.libraries.delete(TENANT, "books")
        assert await rows(one) == 0


async def test_another_model_begins_anew(shared_home: Home) -> None:
    others = {"words@2": FakeEmbedder("words@2", 8)}
    async with opened_at(shared_home, pgvector_from=10, others=others) as opened:
        await made(opened, index_kind=IndexKind.APPROXIMATE)
        await fill(opened, range(20))
        before = await find(opened, SearchRequest("red apple", k=5))
        await opened.service.reembedding.start(TENANT, "books", "words@2")
        async with asyncio.timeout(60):
            while (await opened.service.libraries.get(TENANT, "books")).model_id != "words@2":  # noqa: ASYNC110 - see `eventually`
                await asyncio.sleep(0.01)
        assert len(await find(opened, SearchRequest("red apple", k=5))) == len(before)
        assert (in_memory(opened), await rows(opened)) == (0, 20)
