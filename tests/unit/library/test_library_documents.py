"""Documents: kept once, versioned, refused with a reason."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from fakes.libraries import TENANT, FakeEmbedder, OpenLibrary, made, open_library
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.documents import Kept, KeptState, OnExisting, Vector, draft
from vidence_server.library.domain.searches import SearchRequest
from vidence_server.library.keeping import KeepPolicy
from vidence_server.library.records import WantedLibrary
from vidence_server.library.search.filters import Compare

pytestmark = pytest.mark.requirement("R-LI1")
UPDATE, FAIL = KeepPolicy(), KeepPolicy(OnExisting.FAIL)


async def keep(
    opened: OpenLibrary, name: str, text: str, policy: KeepPolicy = UPDATE, vector: Vector | None = None
) -> Kept:
    kept, _ = await opened.service.documents.keep(TENANT, "books", draft(name, text, {}, vector), policy)
    return kept


async def test_the_same_content_is_a_duplicate_and_other_content_a_version(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        assert await keep(opened, "a", "red") == Kept("a", KeptState.CREATED, 2, 1)
        assert await keep(opened, "a", "red") == Kept("a", KeptState.DUPLICATE, 2, 1)
        assert await keep(opened, "a", "red", FAIL) == Kept("a", KeptState.DUPLICATE, 2, 1)
        with pytest.raises(DomainError) as refused:
            await keep(opened, "a", "blue", FAIL)
        assert refused.value.reason is Reason.DOCUMENT_EXISTS
        assert await keep(opened, "a", "blue") == Kept("a", KeptState.UPDATED, 3, 2)
        document = await opened.service.documents.get(TENANT, "books", "a")
        assert (document.text, document.version, document.revision) == ("blue", 2, 3)
        assert document.create_time < document.update_time
        assert document.vector is not None
        assert opened.embedder.texts == 2 + 1  # the one that was refused was embedded too


async def test_a_version_that_was_expected_is_checked(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        await keep(opened, "a", "red")
        with pytest.raises(DomainError) as refused:
            await keep(opened, "a", "blue", KeepPolicy(must_exist=True, if_version=2))
        assert refused.value.reason is Reason.REVISION_MISMATCH
        await keep(opened, "a", "blue", KeepPolicy(must_exist=True, if_version=1))
        with pytest.raises(DomainError) as refused:
            await opened.service.documents.delete(TENANT, "books", "a", 1)
        assert refused.value.reason is Reason.REVISION_MISMATCH
        deleted = await opened.service.documents.delete(TENANT, "books", "a", 2)
        assert (deleted.state, deleted.revision) == (KeptState.DELETED, 4)
        for attempt in (
            keep(opened, "a", "red", KeepPolicy(must_exist=True)),
            opened.service.documents.delete(TENANT, "books", "a", 0),
            opened.service.documents.get(TENANT, "books", "a"),
        ):
            with pytest.raises(DomainError) as refused:
                await attempt
            assert refused.value.reason is Reason.DOCUMENT_NOT_FOUND


async def test_many_who_change_one_document_at_once_make_a_version_each(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        kept = await asyncio.gather(*(keep(opened, "a", f"text {number}") for number in range(40)))
        assert sorted(each.version for each in kept) == list(range(1, 41))
        assert sorted(each.revision for each in kept) == list(range(2, 42))
        library = await opened.service.libraries.get(TENANT, "books")
        assert (library.document_count, library.revision) == (1, 41)
        assert opened.service.statistics().commits.commits < 40  # in groups


@pytest.mark.requirement("R-LI2")
async def test_vectors_of_another_model_are_refused(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        right = np.eye(1, 32, dtype="<f4").tobytes()
        assert (await keep(opened, "a", "", vector=Vector("words@1", right))).state is KeptState.CREATED
        for vector, reason in (
            (Vector("words@2", right), Reason.EMBEDDING_MODEL_MISMATCH),
            (Vector("words@1", right[:-4]), Reason.EMBEDDING_MODEL_MISMATCH),
            (Vector("words@1", bytes(128)), Reason.REQUEST_INVALID),
            (Vector("words@1", np.full(32, np.nan, "<f4").tobytes()), Reason.REQUEST_INVALID),
        ):
            with pytest.raises(DomainError) as refused:
                await keep(opened, "b", "", vector=vector)
            assert refused.value.reason is reason
        assert opened.embedder.texts == 0


async def test_a_library_of_a_foreign_model_wants_vectors(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await opened.service.libraries.create(TENANT, WantedLibrary("books", model_id="own@1", dimensions=2))
        with pytest.raises(DomainError) as refused:
            await keep(opened, "a", "red")
        assert refused.value.reason is Reason.EMBEDDING_UNAVAILABLE
        vector = Vector("own@1", np.array([1, 0], "<f4").tobytes())
        assert (await keep(opened, "a", "red", vector=vector)).state is KeptState.CREATED


async def test_a_library_without_vectors_takes_none(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened, without_vectors=True)
        await keep(opened, "a", "red")
        with pytest.raises(DomainError) as refused:
            await keep(opened, "b", "red", vector=Vector("words@1", np.eye(1, 32, dtype="<f4").tobytes()))
        assert refused.value.reason is Reason.EMBEDDING_MODEL_MISMATCH
        found = await opened.service.searching.find(TENANT, "books", SearchRequest("red"))
        assert len(found.ids) == 1


async def test_texts_without_words_are_kept_without_a_vector(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        library = await opened.service.libraries.get(TENANT, "books")
        drafts = [draft("empty", "", {}), draft("marks", "!!! ???", {}), draft("words", "red apple", {})]
        kept = await opened.service.keeper.keep(library, drafts, UPDATE)
        assert [each.state for each in kept if isinstance(each, Kept)] == [KeptState.CREATED] * 3
        documents = [await opened.service.documents.get(TENANT, "books", each.document_id) for each in drafts]
        assert [document.vector is None for document in documents] == [True, True, False]


async def test_a_repetition_whose_document_was_deleted_meanwhile_is_kept_anew(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    async with open_library(tmp_path, embedder=embedder) as opened:
        await made(opened)
        await keep(opened, "a", "red")
        library = await opened.service.libraries.get(TENANT, "books")
        embedder.gate.clear()
        # The first is believed to be a repetition; while the second is embedded, it goes.
        drafts = [draft("a", "red", {}), draft("b", "blue", {})]
        keeping = asyncio.create_task(opened.service.keeper.keep(library, drafts, UPDATE))
        await asyncio.sleep(0)
        while not embedder.gate._waiters:  # noqa: ASYNC110 - nothing tells that it waits
            await asyncio.sleep(0.001)
        await opened.service.documents.delete(TENANT, "books", "a", 0)
        embedder.gate.set()
        kept = await keeping
        assert [each.state for each in kept if isinstance(each, Kept)] == [KeptState.CREATED] * 2
        document = await opened.service.documents.get(TENANT, "books", "a")
        assert document.vector is not None


async def test_documents_are_listed_in_pages_by_filter(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        library = await opened.service.libraries.get(TENANT, "books")
        drafts = [draft(f"d{number:02}", "red", {"even": number % 2 == 0}) for number in range(20)]
        await opened.service.keeper.keep(library, drafts, UPDATE)
        found: list[str] = []
        token = ""
        wanted = Compare("even", equal=True, value=True)
        while True:
            page, token = await opened.service.documents.page(
                TENANT, "books", page_size=3, page_token=token, wanted=wanted
            )
            found += [document.document_id for document in page]
            if not token:
                break
        assert found == [f"d{number:02}" for number in range(0, 20, 2)]
        _, token = await opened.service.documents.page(
            TENANT, "books", page_size=3, page_token="", wanted=wanted
        )
        with pytest.raises(DomainError) as refused:
            await opened.service.documents.page(TENANT, "books", page_size=3, page_token=token, wanted=None)
        assert refused.value.reason is Reason.PAGE_TOKEN_INVALID


@pytest.mark.parametrize(
    ("name", "text"),
    [("", "x"), ("x" * 257, "x"), ("a\nb", "x"), ("a", "x" * 262_145), ("a", "é" * 131_073), ("a", "\0")],
)
def test_documents_that_break_their_rules_are_refused(name: str, text: str) -> None:
    with pytest.raises(DomainError) as refused:
        draft(name, text, {})
    assert refused.value.reason is Reason.REQUEST_INVALID
