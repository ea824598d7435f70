"""Single documents: keep, read, list, delete."""

from __future__ import annotations

from collections.abc import Sequence

from vidence_server.core.errors import DomainError
from vidence_server.library.domain.documents import Document, DocumentDraft, Kept, document_not_found
from vidence_server.library.domain.libraries import library_not_found
from vidence_server.library.domain.pages import DEFAULT_PAGE_SIZE, decode_token, encode_token
from vidence_server.library.keeping import Keeper, KeepPolicy
from vidence_server.library.records import LibraryRecords
from vidence_server.library.search.filters import Filter
from vidence_server.library.store import libraries, reading
from vidence_server.storage.database import Database

_PAGE_BYTES = 4 * 2**20


class DocumentRecords:
    """Documents one by one."""

    def __init__(self, database: Database, keeper: Keeper, records: LibraryRecords) -> None:
        self._database = database
        self._keeper = keeper
        self._libraries = records

    async def keep(
        self, tenant: str, library_id: str, draft: DocumentDraft, policy: KeepPolicy
    ) -> tuple[Kept, Document]:
        """Keeps one document and gives it.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, DOCUMENT_NOT_FOUND, DOCUMENT_EXISTS, REVISION_MISMATCH,
                EMBEDDING_MODEL_MISMATCH, EMBEDDING_UNAVAILABLE, QUEUE_FULL.
        """
        library = await self._libraries.get(tenant, library_id)
        (outcome,) = await self._keeper.keep(library, [draft], policy)
        if isinstance(outcome, DomainError):
            raise outcome
        return outcome, await self.get(tenant, library_id, draft.document_id)

    async def get(self, tenant: str, library_id: str, document_id: str) -> Document:
        """Gives a document; raises `DomainError`, LIBRARY_NOT_FOUND, DOCUMENT_NOT_FOUND."""
        async with self._database.snapshot() as snapshot:
            library = await libraries.find(snapshot, tenant, library_id)
            if library is None:
                raise library_not_found(library_id)
            document = await reading.one(snapshot, library.no, document_id)
        if document is None:
            raise document_not_found()
        return document

    async def page(
        self, tenant: str, library_id: str, *, page_size: int, page_token: str, wanted: Filter | None
    ) -> tuple[Sequence[Document], str]:
        """A page of documents and the token of the next.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, PAGE_TOKEN_INVALID, REQUEST_INVALID.
        """
        listing = f"documents/{tenant}/{library_id}/{wanted!r}"
        after_id, size = decode_token(listing, page_token), page_size or DEFAULT_PAGE_SIZE
        async with self._database.snapshot() as snapshot:
            library = await libraries.find(snapshot, tenant, library_id)
            if library is None:
                raise library_not_found(library_id)
            found = await reading.page(snapshot, library.no, after_id=after_id, limit=size + 1, wanted=wanted)
        fitting = _within(found[:size])
        more = len(found) > len(fitting)
        return fitting, encode_token(listing, fitting[-1].document_id) if more else ""

    async def delete(self, tenant: str, library_id: str, document_id: str, if_version: int) -> Kept:
        """Deletes a document.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, DOCUMENT_NOT_FOUND, REVISION_MISMATCH.
        """
        library = await self._libraries.get(tenant, library_id)
        return await self._keeper.remove(library, document_id, if_version)


def _within(found: Sequence[Document]) -> Sequence[Document]:
    """As many as a page may have bytes; one at least."""
    size = 0
    for index, document in enumerate(found):
        size += 4 * len(document.text) + len(document.metadata_json)
        if size > _PAGE_BYTES and index:
            return found[:index]
    return found
