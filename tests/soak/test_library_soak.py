"""Whole collections in and out of a library: nothing is lost, and memory does not grow with them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.libraries import TENANT, ForgetfulBus, OpenLibrary, made, open_library
from vidence_server.core.clock import SystemClock
from vidence_server.library.bodies import export_line
from vidence_server.library.convert import of_library
from vidence_server.library.domain.documents import draft
from vidence_server.library.domain.exports import DocumentLines, ExportComplete, ImportComplete
from vidence_server.library.importing import Importing
from vidence_server.library.keeping import KeepPolicy

pytestmark = [pytest.mark.soak, pytest.mark.requirement("R-LI3")]
DOCUMENTS = int(os.environ.get("SOAK_EXPORTED_DOCUMENTS", "100000"))
SMALL_DOCUMENTS = int(os.environ.get("SOAK_SMALL_DOCUMENTS", "1000000"))
BATCH = 500
GROWTH_MIB = 96
"""Room for caches that are full only later, and for a heap in pieces; a million documents are far more."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An export: a digest of its documents, in their order, and what it says of itself."""

    digest: str
    complete: ExportComplete


def report(text: str) -> None:
    """Tells a figure; `-rA` and `-s` show it."""
    sys.stdout.write(f"{text}\n")


def rss_mib() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (told,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(told) / 1024


async def fill(opened: OpenLibrary, count: int) -> AsyncIterator[int]:
    """Keeps documents `d0000000`, …; gives how many after each batch."""
    library = await opened.service.libraries.get(TENANT, "books")
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        drafts = [draft(f"d{number:07}", f"red {number}", {"n": number}) for number in numbers]
        await opened.service.keeper.keep(library, drafts, KeepPolicy())
        yield numbers.stop


async def taken(
    opened: OpenLibrary, library_id: str, file: Path | None = None, begun: asyncio.Event | None = None
) -> Taken:
    """Exports a library to the end; into a file where one is given. Sets `begun` with the first documents."""
    digest, complete = hashlib.sha256(), None
    events = opened.service.exporting.export(TENANT, library_id)
    with (file or Path(os.devnull)).open("wb") as body:
        async with aclosing(events):
            async for event in events:
                body.write(export_line(event, lambda library: of_library(library, served=True)))
                if isinstance(event, DocumentLines):
                    digest.update(event.data)
                    if begun is not None:
                        begun.set()
                elif isinstance(event, ExportComplete):
                    complete = event
    assert complete is not None
    return Taken(digest.hexdigest(), complete)


async def take_in(opened: OpenLibrary, file: Path, library_id: str) -> ImportComplete:
    async def pieces() -> AsyncIterator[bytes]:
        with file.open("rb") as body:
            while data := body.read(65_536):
                yield data

    service = opened.service
    library = await service.libraries.get(TENANT, library_id)
    importing = Importing(service.keeper, service.committer, SystemClock(), stop=asyncio.Event())
    complete = None
    async for step in importing.run(library, pieces()):
        if isinstance(step, ImportComplete):
            complete = step
    assert complete is not None
    return complete


async def write_on(opened: OpenLibrary, count: int, stop: asyncio.Event) -> int:
    """Changes, adds and deletes documents all over the library until it is told to stop; gives the rounds."""
    library, rounds = await opened.service.libraries.get(TENANT, "books"), 0
    while not stop.is_set() or not rounds:
        names = [f"d{number:07}" for number in range(rounds % 97, count, 97)][:BATCH]
        changed = [draft(name, f"blue {rounds}", {}) for name in names]
        added = [draft(f"{letter}{rounds:07}", "new", {}) for letter in "az"]
        await opened.service.keeper.keep(library, changed + added, KeepPolicy())
        await opened.service.documents.delete(TENANT, "books", names[rounds % len(names)], 0)
        rounds += 1
    return rounds


@pytest.mark.timeout(3600)
async def test_a_large_export_under_writes_is_one_moment_and_imports_as_it(tmp_path: Path) -> None:
    async with open_library(tmp_path, bus=ForgetfulBus()) as opened:
        await made(opened)
        async for _ in fill(opened, DOCUMENTS):
            pass
        still = await taken(opened, "books")
        assert still.complete.document_count == DOCUMENTS
        begun, stop = asyncio.Event(), asyncio.Event()
        file = tmp_path / "books.ndjson"
        async with asyncio.TaskGroup() as group:
            exporting = group.create_task(taken(opened, "books", file, begun))
            await begun.wait()  # what is written before belongs to the snapshot
            writing = group.create_task(write_on(opened, DOCUMENTS, stop))
            moving = await exporting
            stop.set()
        assert moving == still
        report(f"{writing.result()} rounds of writes while {DOCUMENTS:,} documents were exported")
        assert await taken(opened, "books") != still
        await made(opened, "copy")
        done = await take_in(opened, file, "copy")
        assert (done.document_count, done.changed_count) == (DOCUMENTS, DOCUMENTS)
        assert await taken(opened, "copy") == still


@pytest.mark.timeout(7200)
async def test_very_many_documents_go_in_and_out_in_constant_memory(tmp_path: Path) -> None:
    async with open_library(tmp_path, bus=ForgetfulBus()) as opened:
        await made(opened, without_vectors=True)
        early = 0.0
        async for count in fill(opened, SMALL_DOCUMENTS):
            if not early and count >= SMALL_DOCUMENTS // 10:
                early = rss_mib()
        full = rss_mib()
        out = await taken(opened, "books", tmp_path / "books.ndjson")
        exported = rss_mib()
        await made(opened, "copy", without_vectors=True)
        await take_in(opened, tmp_path / "books.ndjson", "copy")
        imported = rss_mib()
        report(
            f"MiB: {early:.0f} at a tenth, {full:.0f} full, {exported:.0f} exported, {imported:.0f} imported"
        )
        assert out.complete.document_count == SMALL_DOCUMENTS
        assert await taken(opened, "copy") == out
        assert max(full, exported, imported) - early < GROWTH_MIB
