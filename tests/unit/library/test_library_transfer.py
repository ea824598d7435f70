"""Exports are one moment of a library, however long they take; imports give the same library."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes.libraries import TENANT, OpenLibrary, made, open_library
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.bodies import export_line
from vidence_server.library.convert import of_library
from vidence_server.library.domain.documents import draft
from vidence_server.library.domain.exports import Checkpoint, ExportStarted, ImportComplete
from vidence_server.library.importing import Importing
from vidence_server.library.keeping import KeepPolicy

pytestmark = pytest.mark.requirement("R-LI3")


class MovedClock(SystemClock):
    """The machine's clock, moved."""

    by = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


async def fill(opened: OpenLibrary, count: int, text: str = "red") -> None:
    library = await opened.service.libraries.get(TENANT, "books")
    drafts = [draft(f"d{number:04}", f"{text} {number}", {"n": number}) for number in range(count)]
    await opened.service.keeper.keep(library, drafts, KeepPolicy())


async def exported(
    opened: OpenLibrary,
    library_id: str = "books",
    *,
    token: str = "",
    cut_after: int | None = None,
    between: Any = None,
    **options: Any,
) -> tuple[bytes, str]:
    """The body and the last checkpoint's token; cut after so many checkpoints."""
    body, checkpoints, last = b"", 0, ""
    events = opened.service.exporting.export(TENANT, library_id, resume_token=token, **options)
    async with aclosing(events):
        async for event in events:
            body += export_line(event, lambda library: of_library(library, served=True))
            if isinstance(event, Checkpoint):
                checkpoints, last = checkpoints + 1, event.place.token()
                if between is not None:
                    await between(checkpoints)
                if checkpoints == cut_after:
                    break
    return body, last


def lines(body: bytes, kind: str) -> list[Any]:
    parsed = [json.loads(line) for line in body.splitlines()]
    return [line[kind] for line in parsed if kind in line]


async def take_in(opened: OpenLibrary, body: bytes, library_id: str, piece: int = 7000) -> ImportComplete:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), piece):
            yield body[start : start + piece]

    library = await opened.service.libraries.get(TENANT, library_id)
    service = opened.service
    importing = Importing(service.keeper, service.committer, SystemClock(), stop=asyncio.Event())
    steps = [step async for step in importing.run(library, pieces())]
    assert isinstance(steps[-1], ImportComplete)
    return steps[-1]


async def test_an_export_is_one_moment_while_others_write(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        await fill(opened, 1000)
        still, _ = await exported(opened)

        async def write(checkpoint: int) -> None:
            library = await opened.service.libraries.get(TENANT, "books")
            changed = [draft(f"d{number:04}", f"blue {checkpoint}", {}) for number in range(0, 1000, 7)]
            new = [draft(f"c{checkpoint}-{number}", "new", {}) for number in range(20)]
            new += [draft(f"z{checkpoint}-{number}", "new", {}) for number in range(20)]
            await opened.service.keeper.keep(library, changed + new, KeepPolicy())
            for number in range(checkpoint, 1000, 113):
                gone = opened.service.documents.delete(TENANT, "books", f"d{number:04}", 0)
                (outcome,) = await asyncio.gather(gone, return_exceptions=True)
                assert not isinstance(outcome, DomainError) or outcome.reason is Reason.DOCUMENT_NOT_FOUND

        moving, _ = await exported(opened, between=write)
        assert lines(moving, "document") == lines(still, "document")
        assert lines(moving, "export_complete") == lines(still, "export_complete")
        after, _ = await exported(opened)
        assert lines(after, "document") != lines(still, "document")
        library = await opened.service.libraries.get(TENANT, "books")
        assert len(lines(after, "document")) == library.document_count


async def test_a_cut_export_goes_on_where_it_was_also_after_a_restart(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        await fill(opened, 1000)
        whole, _ = await exported(opened)
        first, token = await exported(opened, cut_after=2)
        await fill(opened, 900, "blue")
        await opened.service.documents.delete(TENANT, "books", "d0990", 0)
    async with open_library(tmp_path) as opened:
        rest, _ = await exported(opened, token=token)
    assert lines(first, "document") + lines(rest, "document") == lines(whole, "document")
    assert lines(rest, "export_complete") == lines(whole, "export_complete")
    (started,) = lines(rest, "export_started")
    assert (started["resumed_count"], started["document_count"]) == ("500", "1000")


async def test_what_no_export_needs_is_not_kept(tmp_path: Path) -> None:
    clock = MovedClock()
    async with open_library(tmp_path, clock=clock, export_retention_s=60) as opened:
        await made(opened)
        await fill(opened, 600)
        _, token = await exported(opened, cut_after=1)
        await fill(opened, 600, "secret words")
        assert b"secret words 3" in (await exported(opened))[0]
        clock.by = timedelta(seconds=61)
        with pytest.raises(DomainError) as refused:
            await exported(opened, token=token)
        assert refused.value.reason is Reason.EXPORT_EXPIRED
        await opened.service.exporting.sweep()
        async with opened.service.libraries._database.snapshot() as snapshot:
            from sqlalchemy import func, select

            from vidence_server.library.tables import EXPORTS, FORMER

            for table in (EXPORTS, FORMER):
                assert (await snapshot.execute(select(func.count()).select_from(table))).scalar_one() == 0


@pytest.mark.parametrize("token", ["nonsense", "e30=", "W10="])
async def test_tokens_that_are_none_are_refused(tmp_path: Path, token: str) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        with pytest.raises(DomainError) as refused:
            await exported(opened, token=token)
        assert refused.value.reason is Reason.EXPORT_TOKEN_INVALID


async def test_a_token_of_another_library_is_refused(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        await made(opened, "other")
        await fill(opened, 300)
        _, token = await exported(opened, cut_after=1)
        with pytest.raises(DomainError) as refused:
            await exported(opened, "other", token=token)
        assert refused.value.reason is Reason.EXPORT_TOKEN_INVALID
        with pytest.raises(DomainError) as refused:
            await exported(opened, "none")
        assert refused.value.reason is Reason.LIBRARY_NOT_FOUND


async def test_an_import_of_an_export_gives_the_same_library(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        await fill(opened, 700)
        await fill(opened, 50, "blue")  # second versions
        body, _ = await exported(opened)
        texts = opened.embedder.texts
        await made(opened, "copy")
        done = await take_in(opened, body, "copy")
        assert (done.document_count, done.changed_count) == (700, 700)
        copy, _ = await exported(opened, "copy")
        assert lines(copy, "document") == lines(body, "document")
        assert lines(copy, "export_complete") == lines(body, "export_complete")
        again = await take_in(opened, body, "copy")
        assert (again.document_count, again.changed_count) == (700, 0)
        assert opened.embedder.texts == texts  # vectors came with the export


async def test_an_import_without_vectors_makes_them(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        await fill(opened, 20)
        body, _ = await exported(opened, with_vectors=False)
        assert not any("vector" in document for document in lines(body, "document"))
        await made(opened, "copy")
        await take_in(opened, body, "copy")
        assert opened.embedder.texts == 40
        assert lines((await exported(opened, "copy"))[0], "document") == lines(
            (await exported(opened))[0], "document"
        )


async def test_an_import_that_is_cut_or_changed_fails(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        await fill(opened, 300)
        body, _ = await exported(opened)
        all_lines = body.splitlines(keepends=True)
        cases = (
            (b"".join(all_lines[:-1]), Reason.IMPORT_INCOMPLETE),
            (b"".join(all_lines[:5] + all_lines[6:]), Reason.IMPORT_CHECKSUM_MISMATCH),
            (body.replace(b"red 17", b"red 18", 1), Reason.IMPORT_CHECKSUM_MISMATCH),
            (body + all_lines[1], Reason.DOCUMENT_INVALID),
            (b'{"other": {}}\n' + body, Reason.DOCUMENT_INVALID),
            (b"no json\n" + body, Reason.DOCUMENT_INVALID),
            (body.replace(b'"version":"1"', b'"version":"x"', 1), Reason.DOCUMENT_INVALID),
            (all_lines[0] + b'{"export_failed": {}}\n', Reason.IMPORT_INCOMPLETE),
            (b"", Reason.IMPORT_INCOMPLETE),
        )
        for number, (changed, reason) in enumerate(cases):
            await made(opened, f"copy{number}")
            with pytest.raises(DomainError) as refused:
                await take_in(opened, changed, f"copy{number}")
            assert refused.value.reason is reason, number


async def test_vectors_of_another_model_are_not_imported(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        await fill(opened, 3)
        body, _ = await exported(opened)
        await made(opened, "copy", model_id="other@1", dimensions=32)
        with pytest.raises(DomainError) as refused:
            await take_in(opened, body, "copy")
        assert refused.value.reason is Reason.EMBEDDING_MODEL_MISMATCH


async def test_an_empty_library_is_exported_and_imported(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened)
        body, _ = await exported(opened)
        (end,) = lines(body, "export_complete")
        assert end == {"document_count": "0", "checksum": "0" * 64}
        await made(opened, "copy")
        assert (await take_in(opened, body, "copy")).document_count == 0
        events = opened.service.exporting.export(TENANT, "books")
        assert isinstance(await anext(events), ExportStarted)
        await events.aclose()
