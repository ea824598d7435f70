"""The same service on both kinds of database, and on one that two processes share."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from eventually import PATIENCE_S, eventually
from fakes.libraries import TENANT, OpenLibrary, made
from fakes.library_homes import opened_at
from fakes.postgres import Home
from vidence_server.core.errors import DomainError
from vidence_server.library.domain.documents import Kept, KeptState, draft
from vidence_server.library.domain.exports import DocumentLines, ExportComplete
from vidence_server.library.domain.faces import FaceModel, FaceTemplate
from vidence_server.library.domain.searches import SearchMode, SearchRequest
from vidence_server.library.keeping import KeepPolicy
from vidence_server.library.search.filters import And, Compare, Range


async def keep(opened: OpenLibrary, *rows: tuple[str, str, dict[str, Any]]) -> list[KeptState]:
    library = await opened.service.libraries.get(TENANT, "books")
    kept = await opened.service.keeper.keep(library, [draft(*row) for row in rows], KeepPolicy())
    return [each.state for each in kept if isinstance(each, Kept)]


async def find(opened: OpenLibrary, request: SearchRequest) -> list[str]:
    found = await opened.service.searching.find(TENANT, "books", request)
    return [hit.document_id async for page in _pages(opened, found) for hit in page]


def _pages(opened: OpenLibrary, found: Any) -> Any:
    return opened.service.searching.pages(found)


@pytest.mark.requirement("R-OP6")
@pytest.mark.requirement("R-LI1")
async def test_a_library_is_the_same_in_every_database(home: Home) -> None:
    rows = [(f"d{n}", f"apple {n}" if n % 2 else f"pear {n}", {"n": n, "odd": n % 2 == 1}) for n in range(40)]
    async with opened_at(home) as opened:
        await made(opened)
        assert await keep(opened, *rows) == [KeptState.CREATED] * 40
        assert await keep(opened, *rows) == [KeptState.DUPLICATE] * 40
        assert await keep(opened, ("d1", "apple apple", {"n": 1})) == [KeptState.UPDATED]
        wanted = And((Compare("odd", equal=True, value=True), Range("n", 3.0, 9.0)))
        assert set(await find(opened, SearchRequest("apple", filter=wanted))) == {"d3", "d5", "d7"}
        words = await find(opened, SearchRequest("pear", k=100, mode=SearchMode.LEXICAL))
        assert set(words) == {f"d{n}" for n in range(0, 40, 2)}
        assert len(await find(opened, SearchRequest("apple", mode=SearchMode.HYBRID, k=7))) == 7
        await opened.service.documents.delete(TENANT, "books", "d0", 0)
        assert "d0" not in await find(opened, SearchRequest("pear", k=100))
        # The last change is told last, and all before it by then.
        await eventually(lambda: opened.told.count("document.deleted") == 1)
        assert (opened.told.count("document.created"), opened.told.count("document.updated")) == (40, 1)
    async with opened_at(home) as opened:
        library = await opened.service.libraries.get(TENANT, "books")
        assert (library.document_count, library.revision) == (39, 43)
        assert len(await find(opened, SearchRequest("pear", k=100))) == 39
        await opened.service.libraries.delete(TENANT, "books")


@pytest.mark.requirement("R-OP6")
@pytest.mark.requirement("R-LI3")
async def test_an_export_is_one_moment_in_every_database(home: Home) -> None:
    async with opened_at(home) as opened:
        await made(opened)
        await keep(opened, *((f"d{n:03}", f"text {n}", {"n": n}) for n in range(600)))
        events = opened.service.exporting.export(TENANT, "books")
        body, end = b"", None
        async with aclosing(events):
            async for event in events:
                if isinstance(event, DocumentLines):
                    body += event.data
                    await keep(opened, ("d400", "changed", {}), ("e", f"new {len(body)}", {}))
                elif isinstance(event, ExportComplete):
                    end = event
        assert end is not None
        assert end.document_count == 600
        assert body.count(b"\n") == 600
        assert b"changed" not in body


@pytest.mark.requirement("R-OP6")
@pytest.mark.requirement("R-LI6")
async def test_faces_are_the_same_in_every_database(home: Home) -> None:
    async with opened_at(home) as opened:
        await made(opened)
        model = FaceModel("sface", "1")
        for number in range(5):
            data = np.eye(8, dtype="<f4")[number].tobytes()
            await opened.service.faces.enroll(TENANT, "books", f"s{number}", "", FaceTemplate(model, data))
        probe = FaceTemplate(model, np.eye(8, dtype="<f4")[2].tobytes())
        found = await opened.service.faces.search(TENANT, "books", probe, k=1, minimum_score=None)
        assert [hit.subject_id for hit in found.hits] == ["s2"]
        assert await opened.service.faces.delete_subject(TENANT, "books", "s2") == 1
        found = await opened.service.faces.search(TENANT, "books", probe, k=5, minimum_score=0.5)
        assert (list(found.hits), found.compared_count) == ([], 4)


@pytest.mark.requirement("R-OP6")
async def test_two_processes_on_one_database_see_each_others_documents(shared_home: Home) -> None:
    async with opened_at(shared_home) as one, opened_at(shared_home, live_query_period_s=0.01) as other:
        await made(one)
        await keep(one, ("a", "red apple", {}))
        query = await other.service.live.open(TENANT, "books", SearchRequest("red apple"))
        assert await find(other, SearchRequest("red apple")) == ["a"]
        await keep(one, ("b", "red apple", {}))
        assert await find(other, SearchRequest("red apple")) == ["a", "b"]
        await eventually(lambda: [hit.document_id for hit in query.hits] == ["a", "b"])
        await one.service.documents.delete(TENANT, "books", "a", 0)
        assert await find(other, SearchRequest("red apple")) == ["b"]
        # Both write at once: every change has its number, none is lost.
        both = [
            keep(opened, *((f"{name}{n}", "x y", {}) for n in range(50)))
            for name, opened in (("o", one), ("t", other))
        ]
        async with asyncio.timeout(PATIENCE_S):
            states = await asyncio.gather(*both)
        assert states == [[KeptState.CREATED] * 50] * 2
        library = await one.service.libraries.get(TENANT, "books")
        assert (library.document_count, library.revision) == (101, 104)
        for opened in (one, other):
            assert len(await find(opened, SearchRequest("x y", k=200))) == 101
        with pytest.raises(DomainError):
            await other.service.documents.get(TENANT, "books", "a")
