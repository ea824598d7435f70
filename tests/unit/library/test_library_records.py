"""Libraries as records: what is created is there, told once, and gone when it is deleted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eventually import eventually
from fakes.libraries import TENANT, FakeEmbedder, made, open_library
from fakes.storage import FakeBus
from vidence.event.v1 import event_pb2
from vidence.library.v1 import library_events_pb2
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.documents import draft
from vidence_server.library.domain.libraries import Embedding, LibraryChange
from vidence_server.library.keeping import KeepPolicy
from vidence_server.library.records import WantedLibrary
from vidence_server.library.search.index import IndexKind
from vidence_server.library.store import libraries

pytestmark = pytest.mark.requirement("R-LI1")


async def test_a_library_is_created_changed_and_deleted(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        records = opened.service.libraries
        created = await records.create(TENANT, WantedLibrary("books", "Books", {"team": "a"}))
        assert (created.library_id, created.revision) == ("books", 1)
        assert created.spec.embedding == Embedding("words@1", 32)
        change = LibraryChange("Papers", {}, IndexKind.APPROXIMATE)
        changed = await records.update(TENANT, "books", change)
        assert (changed.spec.display_name, changed.spec.labels, changed.revision) == ("Papers", {}, 2)
        assert changed.spec.index_kind is IndexKind.APPROXIMATE
        assert await records.get(TENANT, "books") == changed
        unchanged = await records.update(TENANT, "books", LibraryChange())
        assert unchanged.spec == changed.spec
        await opened.service.documents.keep(TENANT, "books", draft("a", "red", {}), KeepPolicy())
        gone = await records.delete(TENANT, "books")
        assert gone.document_count == 1
        for attempt in (
            records.get(TENANT, "books"),
            records.delete(TENANT, "books"),
            records.update(TENANT, "books", change),
            opened.service.documents.get(TENANT, "books", "a"),
        ):
            with pytest.raises(DomainError) as refused:
                await attempt
            assert refused.value.reason is Reason.LIBRARY_NOT_FOUND


@pytest.mark.requirement("R-EV5")
async def test_each_change_is_told_to_the_bus_once_and_without_contents(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        await opened.service.documents.keep(TENANT, "books", draft("a", "secret words", {}), KeepPolicy())
        await opened.service.documents.keep(TENANT, "books", draft("a", "secret words", {}), KeepPolicy())
        await opened.service.documents.keep(TENANT, "books", draft("a", "other words", {}), KeepPolicy())
        await opened.service.documents.delete(TENANT, "books", "a", 0)
        await opened.service.libraries.delete(TENANT, "books")
        expected = [
            "library.created",
            "document.created",
            "document.updated",
            "document.deleted",
            "library.deleted",
        ]
        await eventually(lambda: opened.told == expected)
        assert len({event.event_id for event in opened.bus.log}) == 5
        assert not any(b"words" in event.encoded for event in opened.bus.log[1:])
        event = event_pb2.Event.FromString(opened.bus.log[1].encoded)
        payload = library_events_pb2.DocumentCreated()
        assert event.data.Unpack(payload)
        assert (payload.library_id, payload.document_id, payload.revision, payload.version) == (
            "books",
            "a",
            2,
            1,
        )
        assert event.subject == "libraries/books/documents/a"


@pytest.mark.requirement("R-EV6")
async def test_events_wait_for_a_bus_that_is_away(tmp_path: Path) -> None:
    bus = FakeBus(away=True)
    async with open_library(tmp_path, bus=bus) as opened:
        await made(opened)
    assert bus.log == []
    bus.away = False
    async with open_library(tmp_path, bus=bus) as opened:
        await eventually(lambda: opened.told == ["library.created"])


async def test_an_id_is_taken_once_and_free_again_after_a_deletion(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        records = opened.service.libraries
        first = await records.create(TENANT, WantedLibrary("books"))
        with pytest.raises(DomainError) as refused:
            await records.create(TENANT, WantedLibrary("books"))
        assert refused.value.reason is Reason.LIBRARY_EXISTS
        await records.delete(TENANT, "books")
        again = await records.create(TENANT, WantedLibrary("books"))
        assert (again.revision, again.document_count) == (1, 0)
        assert again.uid != first.uid
        await eventually(lambda: len(opened.told) == 3)
        assert len({event.event_id for event in opened.bus.log}) == 3


async def test_two_who_create_the_same_library_at_once_get_one(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        tries = [opened.service.libraries.create(TENANT, WantedLibrary("books")) for _ in range(8)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(not isinstance(result, BaseException) for result in results) == 1
        assert all(
            isinstance(result, DomainError) and result.reason is Reason.LIBRARY_EXISTS
            for result in results
            if isinstance(result, BaseException)
        )


async def test_libraries_of_another_tenant_are_not_seen(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await opened.service.libraries.create("other", WantedLibrary("books"))
        with pytest.raises(DomainError) as refused:
            await opened.service.libraries.get(TENANT, "books")
        assert refused.value.reason is Reason.LIBRARY_NOT_FOUND
        assert (await opened.service.libraries.page(TENANT, page_size=0, page_token=""))[0] == []


async def test_libraries_are_listed_in_pages(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        names = [f"lib{number}" for number in range(7)]
        for name in reversed(names):
            await made(opened, name)
        found, token = [], ""
        while True:
            page, token = await opened.service.libraries.page(TENANT, page_size=3, page_token=token)
            assert 1 <= len(page) <= 3
            found += [library.library_id for library in page]
            if not token:
                break
        assert found == names
        with pytest.raises(DomainError) as refused:
            await opened.service.libraries.page(TENANT, page_size=3, page_token="nonsense")  # noqa: S106 - a place
        assert refused.value.reason is Reason.PAGE_TOKEN_INVALID


@pytest.mark.requirement("R-LI2")
async def test_the_model_of_a_library_is_the_servers_or_its_own_or_none(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        records = opened.service.libraries
        own = await records.create(TENANT, WantedLibrary("own", model_id="mine@3", dimensions=7))
        assert own.spec.embedding == Embedding("mine@3", 7)
        assert not opened.service.serves(own)
        none = await records.create(TENANT, WantedLibrary("none", without_vectors=True))
        assert none.spec.embedding is None
        for wanted, reason in (
            (WantedLibrary("x", model_id="mine@3"), Reason.EMBEDDING_UNAVAILABLE),
            (WantedLibrary("x", model_id="words@1", dimensions=7), Reason.EMBEDDING_MODEL_MISMATCH),
            (WantedLibrary("x", dimensions=7), Reason.REQUEST_INVALID),
            (WantedLibrary("x", model_id="words@1", without_vectors=True), Reason.REQUEST_INVALID),
        ):
            with pytest.raises(DomainError) as refused:
                await records.create(TENANT, wanted)
            assert refused.value.reason is reason


async def test_numbers_follow_the_documents(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    async with open_library(tmp_path, embedder=embedder) as opened:
        await made(opened)
        for number in range(3):
            await opened.service.documents.keep(
                TENANT, "books", draft(f"d{number}", "red apple", {"n": number}), KeepPolicy()
            )
        library = await opened.service.libraries.get(TENANT, "books")
        size = 3 * (len("red apple") + len('{"n":0.0}'))
        assert (library.document_count, library.content_bytes, library.revision) == (3, size, 4)
        totals = await opened.service.libraries.totals(TENANT)
        assert totals == libraries.Totals(1, 3, 0)
        numbers = opened.service.statistics()
        assert (numbers.commits.waiting, numbers.commits.committed) == (0, 3)
    assert embedder.texts == 3
