"""Erases a person from all libraries of a tenant: templates, documents, and versions that exports hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vidence_server.core.erasure import Erasure, KindCount, counted
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.libraries import Library
from vidence_server.library.face_records import FaceRecords
from vidence_server.library.keeping import Keeper
from vidence_server.library.store import libraries, subjects
from vidence_server.library.store.erasure import erase_deleted
from vidence_server.library.store.subjects import Holdings
from vidence_server.library.word_merging import WordMerging
from vidence_server.storage.database import Database, Transaction

_PAGE = 200
_GONE = {Reason.LIBRARY_NOT_FOUND, Reason.SUBJECT_NOT_FOUND, Reason.DOCUMENT_NOT_FOUND}


@dataclass(frozen=True, slots=True)
class SubjectErasing:
    """What of a subject is in libraries, and its end."""

    database: Database
    faces: FaceRecords
    keeper: Keeper
    words: WordMerging

    async def erase(self, tenant: str, subject_id: str, *, dry_run: bool) -> Erasure:
        """Erases everything of a subject, or only counts it. Nothing of it is in the files afterwards.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED; to be repeated: what is gone is not found again, and
                the erasure from the files is made up for.
        """
        total, own = Holdings((), 0, 0), set[int]()
        async for library in self._libraries(tenant):
            own.add(library.no)
            held = await self._held(library, subject_id)
            total = total.plus(held)
            if not dry_run and not held.empty:
                await self._erase(tenant, library, subject_id, held)
        if not dry_run:
            # Also where nothing was found: an earlier call may have ended here, or it was deleted by others.
            await self.words.merge(own)
            await erase_deleted(self.database)
        return _told(total, dry_run=dry_run)

    async def _libraries(self, tenant: str) -> AsyncIterator[Library]:
        after = ""
        while True:
            async with self.database.snapshot() as snapshot:
                page = await libraries.page(snapshot, tenant, after_id=after, limit=_PAGE)
            for library in page:
                after = library.library_id
                yield library
            if len(page) < _PAGE:
                return

    async def _held(self, library: Library, subject_id: str) -> Holdings:
        async with self.database.snapshot() as snapshot:
            return await subjects.holdings(snapshot, library.no, subject_id)

    async def _erase(self, tenant: str, library: Library, subject_id: str, held: Holdings) -> None:
        if held.faces:
            with _unless_gone():
                await self.faces.delete_subject(tenant, library.library_id, subject_id)
        if not held.documents and not held.versions:
            return

        async def release(transaction: Transaction) -> None:
            await subjects.release_exports(transaction, library.no)

        # First: else the versions that go now would be kept for exports that are open.
        await self.database.run(release)
        for document_id in held.documents:
            with _unless_gone():
                await self.keeper.remove(library, document_id, 0)


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Meanwhile somebody else may have deleted it."""
    try:
        yield
    except DomainError as error:
        if error.reason not in _GONE:
            raise


def _told(held: Holdings, *, dry_run: bool) -> Erasure:
    found = {
        "face_template": held.faces,
        "document": len(held.documents),
        "document_version": held.versions,
    }
    return counted(KindCount(kind, count, 0 if dry_run else count) for kind, count in found.items())
