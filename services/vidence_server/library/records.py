"""Libraries: create, read, change, delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.exc import IntegrityError

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.library.domain.changes import LibraryCreated, LibraryDeleted, LibraryUpdated
from vidence_server.library.domain.libraries import (
    Embedding,
    Library,
    LibraryChange,
    LibrarySpec,
    library_not_found,
    model_mismatch,
    model_unavailable,
)
from vidence_server.library.domain.pages import DEFAULT_PAGE_SIZE, decode_token, encode_token
from vidence_server.library.indexes import VectorIndexes
from vidence_server.library.journal import Journal, VectorChange, log_name
from vidence_server.library.ports import TextEmbedder
from vidence_server.library.search.index import IndexKind
from vidence_server.library.search.lexical import LexicalIndex
from vidence_server.library.store import libraries
from vidence_server.library.store.erasure import erase_deleted
from vidence_server.library.store.libraries import Growth, Totals
from vidence_server.runtime.service_logs import ServiceLogs
from vidence_server.storage.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class WantedLibrary:
    """A library as a client asks for it."""

    library_id: str
    display_name: str = ""
    labels: Mapping[str, str] | None = None
    model_id: str = ""
    """Empty: the server's."""
    dimensions: int = 0
    """0: those of the server's model."""
    without_vectors: bool = False
    index_kind: IndexKind = IndexKind.EXACT


class LibraryRecords:
    """Libraries as records."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        logs: ServiceLogs,
        indexes: VectorIndexes,
        lexical: LexicalIndex,
        *,
        embedders: Mapping[str, TextEmbedder],
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._database = database
        self._journal = journal
        self._logs = logs
        self._indexes = indexes
        self._lexical = lexical
        self._embedders = embedders
        self._clock = clock
        self._ids = ids

    async def create(self, tenant: str, wanted: WantedLibrary) -> Library:
        """Creates a library.

        Raises:
            DomainError: LIBRARY_EXISTS, EMBEDDING_UNAVAILABLE, EMBEDDING_MODEL_MISMATCH, REQUEST_INVALID.
        """
        spec = LibrarySpec(
            library_id=wanted.library_id or self._ids.new("lib"),
            display_name=wanted.display_name,
            labels=dict(wanted.labels or {}),
            embedding=self._embedding(wanted),
            index_kind=wanted.index_kind,
        )
        uid = self._ids.new("lib")
        try:
            return await self._database.run(lambda transaction: self._insert(transaction, tenant, uid, spec))
        except IntegrityError:
            raise _exists(spec.library_id) from None

    async def get(self, tenant: str, library_id: str) -> Library:
        """Gives a library; raises `DomainError`, LIBRARY_NOT_FOUND."""
        async with self._database.snapshot() as snapshot:
            library = await libraries.find(snapshot, tenant, library_id)
        if library is None:
            raise library_not_found(library_id)
        return library

    async def page(self, tenant: str, *, page_size: int, page_token: str) -> tuple[list[Library], str]:
        """A page of libraries and the token of the next; raises `DomainError`, PAGE_TOKEN_INVALID."""
        listing = f"libraries/{tenant}"
        after_id, size = decode_token(listing, page_token), page_size or DEFAULT_PAGE_SIZE
        async with self._database.snapshot() as snapshot:
            found = await libraries.page(snapshot, tenant, after_id=after_id, limit=size + 1)
        more = len(found) > size
        found = found[:size]
        return found, encode_token(listing, found[-1].library_id) if more else ""

    async def update(self, tenant: str, library_id: str, change: LibraryChange) -> Library:
        """Changes a library; raises `DomainError`, LIBRARY_NOT_FOUND."""

        async def work(transaction: Transaction) -> Library:
            library = await _locked(transaction, tenant, library_id)
            reindexed = change.index_kind not in {None, library.spec.index_kind}
            places = await self._journal.record(
                transaction, library, [LibraryUpdated()], VectorChange(replaced=reindexed)
            )
            values: dict[str, Any] = {"update_time": self._clock.now(), "revision": places[-1].sequence}
            if change.display_name is not None:
                values["display_name"] = change.display_name
            if change.labels is not None:
                values["labels"] = dict(change.labels)
            if change.index_kind is not None:
                values["index_kind"] = change.index_kind.value
            await libraries.change(transaction, library.no, values)
            return await _locked(transaction, tenant, library_id)

        return await self._database.run(work)

    async def delete(self, tenant: str, library_id: str) -> Library:
        """Deletes a library with all that it holds; gives it as it was last.

        Raises:
            DomainError: LIBRARY_NOT_FOUND; STORAGE_FAILED where readers held up the erasure of its templates:
                to be repeated until LIBRARY_NOT_FOUND.
        """

        async def work(transaction: Transaction) -> Library:
            library = await _locked(transaction, tenant, library_id)
            await self._journal.record(
                transaction,
                library,
                [LibraryDeleted(library.document_count, library.face_count)],
                VectorChange(replaced=True),
                end=True,
            )
            await self._lexical.remove_library(transaction, library.no)
            await self._indexes.remove(transaction, library.no)
            await libraries.remove(transaction, library.no)
            transaction.after_commit(lambda: self._indexes.forget(library.no))
            return library

        try:
            return await self._database.run(work)
        finally:
            # Also where it is gone already: an earlier attempt may have been held up here.
            await erase_deleted(self._database)

    async def totals(self, tenant: str) -> Totals:
        """All libraries together."""
        async with self._database.snapshot() as snapshot:
            return await libraries.totals(snapshot, tenant)

    async def _insert(self, transaction: Transaction, tenant: str, uid: str, spec: LibrarySpec) -> Library:
        if await libraries.find(transaction, tenant, spec.library_id) is not None:
            raise _exists(spec.library_id)
        # The log of a library of this id that was deleted ends with it.
        await self._logs.delete(transaction, log_name(tenant, spec.library_id))
        no = await libraries.insert(transaction, tenant, uid, spec, self._clock.now())
        library = await libraries.find_no(transaction, no)
        if library is None:
            raise RuntimeError("a row that was made is there")
        places = await self._journal.record(
            transaction, library, [LibraryCreated(spec.embedding, spec.index_kind)]
        )
        await libraries.grow(transaction, no, Growth(places[-1].sequence))
        return replace(library, revision=places[-1].sequence)

    def _embedding(self, wanted: WantedLibrary) -> Embedding | None:
        if wanted.without_vectors:
            if wanted.model_id or wanted.dimensions:
                raise _invalid("without_vectors", "excludes a model and dimensions")
            return None
        if not wanted.model_id:
            first = next(iter(self._embedders.values()), None)
            if wanted.dimensions:
                raise _invalid("dimensions", "belong to a model that is named")
            if first is None:
                return None
            return Embedding(first.model_id, first.dimensions)
        served = self._embedders.get(wanted.model_id)
        if served is None:
            if not wanted.dimensions:
                raise model_unavailable(wanted.model_id)
            return Embedding(wanted.model_id, wanted.dimensions)
        if wanted.dimensions not in {0, served.dimensions}:
            raise model_mismatch(
                f"{served.model_id}/{served.dimensions}", f"{wanted.model_id}/{wanted.dimensions}"
            )
        return Embedding(served.model_id, served.dimensions)


async def _locked(transaction: Transaction, tenant: str, library_id: str) -> Library:
    library = await libraries.find(transaction, tenant, library_id, lock=True)
    if library is None:
        raise library_not_found(library_id)
    return library


def _exists(library_id: str) -> DomainError:
    return DomainError(
        Reason.LIBRARY_EXISTS, "There is a library with this id.", metadata={"library_id": library_id}
    )


def _invalid(field: str, description: str) -> DomainError:
    return DomainError(
        Reason.REQUEST_INVALID,
        f"The request breaks its rules: {field}.",
        fields=(FieldViolation(field, description),),
    )
