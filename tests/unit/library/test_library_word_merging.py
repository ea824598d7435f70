"""Words of documents that are gone are in no file, also where the process died before it merged its index."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from eventually import eventually
from fakes.erasure import files_with
from fakes.libraries import TENANT, OpenLibrary, made, open_library
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.documents import draft
from vidence_server.library.keeping import KeepPolicy
from vidence_server.library.search.lexical import LexicalIndex
from vidence_server.library.word_merging import WordMerging
from vidence_server.storage.database import Transaction

pytestmark = pytest.mark.requirement("R-OP5", "R-LI1")
WHO = "person-4711"
FIRST, LATER, OTHERS = b"markfirst", b"marklater", b"markothers"


async def fill(opened: OpenLibrary) -> None:
    """Documents of a person and of others, in segments of their own."""
    await made(opened, "people", without_vectors=True)
    for number in range(3):
        await keep(opened, f"o{number}", f"{OTHERS.decode()} {number}", "somebody")
    await keep(opened, "d1", f"said {FIRST.decode()} and nothing else", WHO)
    await keep(opened, "d1", f"said {LATER.decode()} and nothing else", WHO)  # it replaces the first
    await keep(opened, "o3", f"{OTHERS.decode()} again", "somebody")


async def keep(opened: OpenLibrary, document_id: str, words: str, subject_id: str) -> None:
    written = draft(document_id, words, {"subject_id": subject_id})
    await opened.service.documents.keep(TENANT, "people", written, KeepPolicy())


async def erase(opened: OpenLibrary) -> dict[str, int]:
    erased = await opened.service.erasing.erase(TENANT, WHO, dry_run=False)
    return {kind.kind: kind.erased for kind in erased.kinds}


@pytest.fixture
async def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a service that was killed when the documents were deleted and the words were not."""
    here, left = tmp_path / "here", tmp_path / "left"

    async def die(_self: LexicalIndex, _transaction: Transaction, **_step: int) -> bool:
        # What kill -9 leaves: the file and its log as they are at this moment.
        shutil.copytree(here, left)
        raise DomainError(Reason.STORAGE_FAILED, "The process was killed.")

    async with open_library(here) as opened:
        await fill(opened)
        with monkeypatch.context() as patched:
            patched.setattr(LexicalIndex, "merge", die)
            with pytest.raises(DomainError, match="killed"):
                await erase(opened)
    return left


async def test_what_a_killed_process_did_not_merge_is_merged_when_it_is_opened_again(killed: Path) -> None:
    assert files_with(killed, FIRST)
    assert files_with(killed, LATER)
    async with open_library(killed) as opened:
        await eventually(lambda: files_with(killed, FIRST, LATER) == [])  # while it is open: in its log too
        assert (await opened.service.libraries.get(TENANT, "people")).document_count == 4
        assert files_with(killed, OTHERS)
        assert await erase(opened) == {}


async def test_the_next_purge_merges_too_and_is_not_done_before(
    killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_self: WordMerging) -> None:
        """Does not merge at the start."""

    monkeypatch.setattr(WordMerging, "catch_up", nothing)
    async with open_library(killed) as opened:
        assert files_with(killed, FIRST, LATER)
        assert await erase(opened) == {}  # nothing is found any more
        assert files_with(killed, FIRST, LATER) == []
        assert files_with(killed, OTHERS)


async def test_words_of_a_document_that_somebody_deleted_before_go_with_a_purge(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await fill(opened)
        await opened.service.documents.delete(TENANT, "people", "d1", 0)
        assert files_with(tmp_path, FIRST, LATER)
        assert await erase(opened) == {}
        assert files_with(tmp_path, FIRST, LATER) == []


async def test_an_index_is_merged_step_by_step_while_others_write(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await fill(opened)
        await opened.service.documents.delete(TENANT, "people", "d1", 0)
        database = opened.service.erasing.database
        lexical = LexicalIndex("sqlite")
        (library_no,) = await unmerged(opened, lexical)
        steps = 0
        done = False
        while not done:
            assert await unmerged(opened, lexical) == [library_no]
            async with database.transaction() as transaction:
                done = await lexical.merge(transaction, library_no, 1 << steps)
            if steps < 5:
                await keep(opened, f"n{steps}", f"{OTHERS.decode()} {steps} beside", "somebody")
                done = False
            steps += 1
        assert steps > 5
        assert await unmerged(opened, lexical) == []
        await erase(opened)  # empties the log
        assert files_with(tmp_path, FIRST, LATER) == []


async def unmerged(opened: OpenLibrary, lexical: LexicalIndex) -> list[int]:
    async with opened.service.erasing.database.snapshot() as snapshot:
        return list(await lexical.unmerged(snapshot))


async def test_a_library_that_is_deleted_leaves_nothing_to_merge(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await fill(opened)
        lexical = LexicalIndex("sqlite")
        assert len(await unmerged(opened, lexical)) == 1
        await opened.service.libraries.delete(TENANT, "people")
        assert await unmerged(opened, lexical) == []


async def test_a_database_of_a_version_before_is_merged_once(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await fill(opened)
        await opened.service.documents.delete(TENANT, "people", "d1", 0)
        async with opened.service.erasing.database.transaction() as transaction:
            await transaction.execute(text("DROP TABLE library_words_unmerged"))
            back = "UPDATE alembic_version SET version_num = 'library_0003' WHERE version_num = :new"
            await transaction.execute(text(back), [{"new": "library_0004"}])
    assert files_with(tmp_path, FIRST, LATER)
    async with open_library(tmp_path):
        await eventually(lambda: files_with(tmp_path, FIRST, LATER) == [])
