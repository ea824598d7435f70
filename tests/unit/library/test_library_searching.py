"""Searches find what a comparison of everything finds, in a stable order, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from fakes.libraries import TENANT, OpenLibrary, made, open_library
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.documents import Vector, draft
from vidence_server.library.domain.searches import Hit, SearchMode, SearchRequest
from vidence_server.library.keeping import KeepPolicy
from vidence_server.library.records import WantedLibrary
from vidence_server.library.search.filters import And, Compare, Filter, Not, Range, matches
from vidence_server.library.search.index import IndexKind

pytestmark = pytest.mark.requirement("R-LI2")
MODEL = "given@1"
COUNT, DIMENSIONS = 1500, 8


def vectors() -> np.ndarray:
    """With repetitions, so that equal scores occur."""
    numbers = np.random.default_rng(7).integers(-2, 3, (COUNT, DIMENSIONS)).astype("<f4")
    numbers[:, 0] += 0.5
    return numbers


def metadata(number: int) -> dict[str, str | float | bool]:
    return {"n": float(number % 10), "even": number % 2 == 0, "name": f"x{number % 3}"}


async def filled(opened: OpenLibrary, kind: IndexKind = IndexKind.EXACT) -> None:
    wanted = WantedLibrary("books", model_id=MODEL, dimensions=DIMENSIONS, index_kind=kind)
    library = await opened.service.libraries.create(TENANT, wanted)
    rows = vectors()
    drafts = [
        draft(f"d{number}", f"word{number % 7} all", metadata(number), Vector(MODEL, rows[number].tobytes()))
        for number in range(COUNT)
    ]
    for start in range(0, COUNT, 500):
        await opened.service.keeper.keep(library, drafts[start : start + 500], KeepPolicy())


async def search(opened: OpenLibrary, request: SearchRequest) -> list[Hit]:
    found = await opened.service.searching.find(TENANT, "books", request)
    pages = [page async for page in opened.service.searching.pages(found)]
    hits = [hit for page in pages for hit in page]
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    return hits


def brute_force(query: np.ndarray, wanted: Filter | None, k: int) -> list[tuple[str, float]]:
    rows = vectors().astype(np.float64)
    scores = rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)
    chosen = [number for number in range(COUNT) if wanted is None or matches(wanted, metadata(number))]
    return [(f"d{number}", scores[number]) for number in sorted(chosen, key=lambda n: -scores[n])][:k]


def agree(hits: Sequence[Hit], expected: Sequence[tuple[str, float]]) -> None:
    """The same scores in the same order; among equal scores, those created first come first."""
    assert np.allclose([hit.score for hit in hits], [score for _, score in expected], atol=1e-6)
    numbers = [int(hit.document_id[1:]) for hit in hits]
    for (one, first), (other, second) in zip(
        zip(hits, numbers, strict=True), list(zip(hits, numbers, strict=True))[1:], strict=False
    ):
        assert one.score > other.score or (one.score == other.score and first < second)


async def test_every_search_is_what_a_comparison_of_everything_gives(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await filled(opened)
        query = np.arange(1, DIMENSIONS + 1, dtype="<f4")
        given = Vector(MODEL, query.tobytes())
        filters: list[Filter | None] = [
            None,
            Compare("even", equal=True, value=True),
            And((Range("n", 3.0, 7.0, include_high=True), Not(Compare("name", equal=True, value="x1")))),
            Compare("missing", equal=True, value=1.0),
        ]
        for wanted in filters:
            for k in (1, 10, 700, 100_000):
                hits = await search(opened, SearchRequest(vector=given, k=k, filter=wanted))
                agree(hits, brute_force(query.astype(float), wanted, k))


@pytest.mark.requirement("R-LI2")
async def test_the_first_hits_come_before_the_last_are_ready(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await filled(opened)
        found = await opened.service.searching.find(
            TENANT, "books", SearchRequest(vector=Vector(MODEL, vectors()[0].tobytes()), k=COUNT)
        )
        sizes = [len(page) async for page in opened.service.searching.pages(found)]
        assert sizes == [50, 500, 500, 450]
        assert found.plan.hit_count == COUNT


async def test_an_approximate_library_can_be_searched_exactly(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await filled(opened, IndexKind.APPROXIMATE)
        query = np.arange(1, DIMENSIONS + 1, dtype="<f4")
        request = SearchRequest(vector=Vector(MODEL, query.tobytes()), k=50, exact=True)
        agree(await search(opened, request), brute_force(query.astype(float), None, 50))
        found = await opened.service.searching.find(TENANT, "books", request)
        assert found.plan.index_kind is IndexKind.EXACT
        about = SearchRequest(vector=Vector(MODEL, query.tobytes()), k=50)
        found = await opened.service.searching.find(TENANT, "books", about)
        assert (found.plan.index_kind, len(found.ids)) == (IndexKind.APPROXIMATE, 50)


async def test_words_and_both_together_find_and_explain(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        for name, text in (("a", "red apple pie"), ("b", "green apple"), ("c", "blue sky")):
            await opened.service.documents.keep(TENANT, "books", draft(name, text, {"n": name}), KeepPolicy())
        lexical = await search(opened, SearchRequest("apple", mode=SearchMode.LEXICAL))
        assert {hit.document_id for hit in lexical} == {"a", "b"}
        hybrid = await search(
            opened, SearchRequest("red apple", mode=SearchMode.HYBRID, explain=True, include_metadata=True)
        )
        assert hybrid[0].document_id == "a"
        assert hybrid[0].score == pytest.approx(sum(part.contribution for part in hybrid[0].parts))
        assert [part.ranking for part in hybrid[0].parts] == ["semantic", "lexical"]
        assert hybrid[0].metadata_json == '{"n":"a"}'
        semantic = await search(opened, SearchRequest("red apple", explain=True, include_text=True))
        assert semantic[0].parts[0].ranking == "semantic"
        assert semantic[0].text == "red apple pie"
        some = await search(opened, SearchRequest("red apple", minimum_score=0.5))
        assert 0 < len(some) < 3


async def test_without_a_query_the_filter_lists(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await filled(opened)
        wanted = Compare("even", equal=True, value=True)
        hits = await search(opened, SearchRequest(k=5, filter=wanted))
        assert [hit.document_id for hit in hits] == ["d0", "d2", "d4", "d6", "d8"]


async def test_searches_that_cannot_be_made_are_refused(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await filled(opened)
        await made(opened, "wordy", without_vectors=True)
        wrong = Vector("other@1", vectors()[0].tobytes())
        for library, request, reason in (
            ("none", SearchRequest("x"), Reason.LIBRARY_NOT_FOUND),
            ("books", SearchRequest(vector=wrong), Reason.EMBEDDING_MODEL_MISMATCH),
            ("books", SearchRequest("x", mode=SearchMode.SEMANTIC), Reason.EMBEDDING_UNAVAILABLE),
            ("wordy", SearchRequest("x", mode=SearchMode.SEMANTIC), Reason.EMBEDDING_UNAVAILABLE),
            ("books", SearchRequest(vector=wrong, mode=SearchMode.LEXICAL), Reason.REQUEST_INVALID),
            ("books", SearchRequest(vector=Vector(MODEL, bytes(32))), Reason.REQUEST_INVALID),
        ):
            with pytest.raises(DomainError) as refused:
                await opened.service.searching.find(TENANT, library, request)
            assert refused.value.reason is reason


@pytest.mark.requirement("R-LI1")
async def test_the_index_is_as_the_rows_after_changes_and_after_a_restart(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        library = await opened.service.libraries.get(TENANT, "books")
        names = [f"d{number}" for number in range(30)]
        await opened.service.keeper.keep(
            library, [draft(name, f"{name} red", {}) for name in names], KeepPolicy()
        )
        assert len(await search(opened, SearchRequest("red", k=100))) == 30
        for name in names[::3]:
            await opened.service.documents.delete(TENANT, "books", name, 0)
        for name in names[1::3]:
            await opened.service.documents.keep(
                TENANT, "books", draft(name, f"{name} blue", {}), KeepPolicy()
            )
        before = await search(opened, SearchRequest("blue", k=100))
        assert [hit.document_id for hit in before][:10] == names[1::3]
        assert len(before) == 20
        assert opened.service.statistics().indexes.loads == 1
    async with open_library(tmp_path) as opened:
        assert await search(opened, SearchRequest("blue", k=100)) == before


async def test_an_index_that_lags_behind_the_rows_catches_up(tmp_path: Path) -> None:
    """As when another replica has written: steps that this process never saw."""
    async with open_library(tmp_path) as opened:
        await made(opened)
        indexes = opened.service.indexes
        await opened.service.documents.keep(TENANT, "books", draft("a", "red", {}), KeepPolicy())
        assert len(await search(opened, SearchRequest("red"))) == 1
        took_place = indexes.took_place
        opened.service.journal._listeners.clear()
        await opened.service.documents.keep(TENANT, "books", draft("b", "red", {}), KeepPolicy())
        assert len(await search(opened, SearchRequest("red"))) == 2
        await opened.service.documents.delete(TENANT, "books", "a", 0)
        assert [hit.document_id for hit in await search(opened, SearchRequest("red"))] == ["b"]
        opened.service.journal.listen(took_place)
        await opened.service.documents.keep(TENANT, "books", draft("c", "red", {}), KeepPolicy())
        assert [hit.document_id for hit in await search(opened, SearchRequest("red"))] == ["b", "c"]


async def test_hits_that_are_deleted_while_they_are_read_are_left_out(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await filled(opened)
        request = SearchRequest(vector=Vector(MODEL, vectors()[0].tobytes()), k=COUNT)
        before = [hit.document_id for hit in await search(opened, request)]
        found = await opened.service.searching.find(TENANT, "books", request)
        pages = opened.service.searching.pages(found)
        hits = list(await anext(pages))
        await opened.service.documents.delete(TENANT, "books", before[600], 0)
        hits += [hit async for page in pages for hit in page]
        assert [hit.document_id for hit in hits] == before[:600] + before[601:]
        assert [hit.rank for hit in hits] == [*range(1, 601), *range(602, COUNT + 1)]
