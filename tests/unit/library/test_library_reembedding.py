"""A change to another model: in the background, across restarts, all at once when it is done."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eventually import eventually
from fakes.libraries import TENANT, FakeEmbedder, OpenLibrary, made, open_library
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.documents import draft
from vidence_server.library.domain.searches import SearchRequest
from vidence_server.library.keeping import KeepPolicy

pytestmark = pytest.mark.requirement("R-LI2")


async def fill(opened: OpenLibrary, count: int) -> None:
    library = await opened.service.libraries.get(TENANT, "books")
    drafts = [draft(f"d{number}", f"red {number}" if number else "", {}) for number in range(count)]
    await opened.service.keeper.keep(library, drafts, KeepPolicy())


async def model_of(opened: OpenLibrary) -> str:
    return (await opened.service.libraries.get(TENANT, "books")).model_id


async def wait_for_model(opened: OpenLibrary, model: str) -> None:
    async with asyncio.timeout(60):
        while await model_of(opened) != model:  # noqa: ASYNC110 - the database is asked, nothing tells
            await asyncio.sleep(0.01)


async def test_all_vectors_change_together_and_old_ones_serve_until_then(tmp_path: Path) -> None:
    new = FakeEmbedder("words@2", 16)
    new.gate.clear()
    async with open_library(tmp_path, others={"words@2": new}) as opened:
        await made(opened)
        await fill(opened, 300)
        started = await opened.service.reembedding.start(TENANT, "books", "words@2")
        assert started.next_model_id == "words@2"
        assert await opened.service.progress(started) == (0, 300)
        with pytest.raises(DomainError) as refused:
            await opened.service.reembedding.start(TENANT, "books", "words@2")
        assert refused.value.reason is Reason.REEMBEDDING_RUNNING
        found = await opened.service.searching.find(TENANT, "books", SearchRequest("red 7", k=5))
        assert found.plan.model_id == "words@1"
        # What is written meanwhile is changed too.
        await opened.service.documents.keep(TENANT, "books", draft("late", "late blue", {}), KeepPolicy())
        await opened.service.documents.keep(TENANT, "books", draft("d5", "blue 5", {}), KeepPolicy())
        new.gate.set()
        await wait_for_model(opened, "words@2")
        library = await opened.service.libraries.get(TENANT, "books")
        assert library.spec.embedding is not None
        assert (library.spec.embedding.dimensions, library.next_model_id) == (16, "")
        for name in ("d1", "d5", "late"):
            document = await opened.service.documents.get(TENANT, "books", name)
            assert document.vector is not None
            assert (document.vector.model_id, document.vector.dimensions) == ("words@2", 16)
            assert document.vector.data == new.vector(document.text).astype("<f4").tobytes()
        assert (await opened.service.documents.get(TENANT, "books", "d0")).vector is None  # no words
        found = await opened.service.searching.find(TENANT, "books", SearchRequest("blue", k=2))
        assert found.plan.model_id == "words@2"
        assert found.plan.hit_count == 2


async def test_the_next_process_goes_on(tmp_path: Path) -> None:
    new = FakeEmbedder("words@2", 16)
    new.gate.clear()
    async with open_library(tmp_path, others={"words@2": new}) as opened:
        await made(opened)
        await fill(opened, 200)
        await opened.service.reembedding.start(TENANT, "books", "words@2")
    new.gate.set()
    async with open_library(tmp_path, others={"words@2": new}) as opened:
        await wait_for_model(opened, "words@2")


async def test_documents_that_were_prepared_for_the_old_model_are_prepared_again(tmp_path: Path) -> None:
    old, new = FakeEmbedder(), FakeEmbedder("words@2", 16)
    async with open_library(tmp_path, embedder=old, others={"words@2": new}) as opened:
        await made(opened)
        await fill(opened, 3)
        library = await opened.service.libraries.get(TENANT, "books")
        old.gate.clear()
        keeping = asyncio.create_task(
            opened.service.keeper.keep(library, [draft("late", "late", {})], KeepPolicy())
        )
        await opened.service.reembedding.start(TENANT, "books", "words@2")
        await wait_for_model(opened, "words@2")
        old.gate.set()
        await keeping
        document = await opened.service.documents.get(TENANT, "books", "late")
        assert document.vector is not None
        assert document.vector.model_id == "words@2"


async def test_an_unknown_model_or_library_is_refused(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        for library, model, reason in (
            ("books", "none@1", Reason.EMBEDDING_UNAVAILABLE),
            ("none", "", Reason.LIBRARY_NOT_FOUND),
        ):
            with pytest.raises(DomainError) as refused:
                await opened.service.reembedding.start(TENANT, library, model)
            assert refused.value.reason is reason


async def test_a_library_that_is_deleted_meanwhile_ends_it(tmp_path: Path) -> None:
    new = FakeEmbedder("words@2", 16)
    new.gate.clear()
    async with open_library(tmp_path, others={"words@2": new}) as opened:
        await made(opened)
        await fill(opened, 3)
        await opened.service.reembedding.start(TENANT, "books", "words@2")
        await opened.service.libraries.delete(TENANT, "books")
        new.gate.set()
        await eventually(lambda: not opened.service.reembedding._tasks)
