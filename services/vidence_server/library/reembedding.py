"""Changes the vectors of a library to another model, in the background, also across restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np
import structlog

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, ErrorKind, Reason
from vidence_server.inference.engine import Priority
from vidence_server.library.domain.changes import ReembeddingProgressed
from vidence_server.library.domain.libraries import Library, library_not_found, model_unavailable
from vidence_server.library.journal import Journal, VectorChange, scope_of
from vidence_server.library.ports import TextEmbedder
from vidence_server.library.store import documents, exports, libraries, reading
from vidence_server.library.store.reading import Pending
from vidence_server.storage.database import Database, Transaction

_BATCH = 128
_PROGRESS_PERIOD_S = 1.0
_RETRY_S = 1.0


class Reembedding:
    """One task per library whose model changes, from the beginning of its context to the end.

    The new vectors wait beside the old ones until every document has one; then all change together.
    """

    def __init__(
        self, database: Database, journal: Journal, embedders: Mapping[str, TextEmbedder], clock: Clock
    ) -> None:
        self._database = database
        self._journal = journal
        self._embedders = embedders
        self._clock = clock
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by library; bound: the libraries that change
        self._log = structlog.get_logger(__name__)

    async def __aenter__(self) -> Self:
        """Goes on with what an earlier process began; raises `DomainError`, STORAGE_FAILED."""
        async with self._database.snapshot() as snapshot:
            changing = await libraries.changing_model(snapshot)
        for library in changing:
            self._begin(library)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops; the next process goes on."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def start(self, tenant: str, library_id: str, model_id: str) -> Library:
        """Begins; gives the library.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, EMBEDDING_UNAVAILABLE, REEMBEDDING_RUNNING.
        """
        embedder = self._embedders.get(model_id) if model_id else next(iter(self._embedders.values()), None)
        if embedder is None:
            raise model_unavailable(model_id)
        chosen = embedder.model_id

        async def work(transaction: Transaction) -> Library:
            library = await libraries.find(transaction, tenant, library_id, lock=True)
            if library is None:
                raise library_not_found(library_id)
            if library.next_model_id:
                raise DomainError(
                    Reason.REEMBEDDING_RUNNING,
                    "The vectors of the library are being changed already.",
                    metadata={"model": library.next_model_id},
                )
            total = await reading.pending_count(transaction, library.no, chosen)
            return await self._record(
                transaction, library, ReembeddingProgressed(chosen, 0, total), next_model_id=chosen
            )

        library = await self._database.run(work)
        self._begin(library)
        return library

    async def progress(self, library: Library) -> tuple[int, int]:
        """Documents that have their new vector, and documents in all; of a library that changes."""
        async with self._database.snapshot() as snapshot:
            left = await reading.pending_count(snapshot, library.no, library.next_model_id)
            fresh = await libraries.find_no(snapshot, library.no)
        total = fresh.document_count if fresh is not None else left
        return max(0, total - left), total

    def _begin(self, library: Library) -> None:
        task = asyncio.create_task(self._run(library), name="change of the model of a library")
        self._tasks[library.no] = task
        task.add_done_callback(lambda _: self._tasks.pop(library.no, None))

    async def _run(self, library: Library) -> None:
        embedder = self._embedders.get(library.next_model_id)
        if embedder is None:
            self._log.error("the model to come is not served", model=library.next_model_id)
            return
        while True:
            try:
                await self._embed_all(library, embedder)
                if await self._adopt(library, embedder):
                    return
            except DomainError as error:
                if error.reason is Reason.LIBRARY_NOT_FOUND:
                    return
                self._log.warning("change of the model waits", reason=error.reason)
            await asyncio.sleep(_RETRY_S)

    async def _embed_all(self, library: Library, embedder: TextEmbedder) -> None:
        told_s = self._clock.monotonic()
        while True:
            async with self._database.snapshot() as snapshot:
                some = await reading.pending(snapshot, library.no, embedder.model_id, _BATCH)
            if not some:
                return
            vectors = await _vectors(embedder, some)
            rows = [(each.no, each.revision, vector) for each, vector in zip(some, vectors, strict=True)]
            async with self._database.transaction(scope_of(library)) as transaction:
                await documents.write_next_vectors(transaction, library.no, embedder.model_id, rows)
            if self._clock.monotonic() - told_s >= _PROGRESS_PERIOD_S:
                told_s = self._clock.monotonic()
                await self._tell(library)

    async def _tell(self, library: Library) -> None:
        done, total = await self.progress(library)

        async def work(transaction: Transaction) -> None:
            current = await _locked(transaction, library)
            await self._record(
                transaction, current, ReembeddingProgressed(library.next_model_id, done, total)
            )

        await self._database.run(work, scope=scope_of(library))

    async def _adopt(self, library: Library, embedder: TextEmbedder) -> bool:
        """Makes the new vectors those of the library; False: not yet."""

        async def work(transaction: Transaction) -> bool:
            current = await _locked(transaction, library)
            if await reading.pending_count(transaction, library.no, embedder.model_id):
                return False
            if await exports.pinned_revision(transaction, library.no, self._clock.now()) is not None:
                return False  # an export tells the old vectors to its end
            await documents.adopt_next_vectors(transaction, library.no, embedder.model_id)
            count = current.document_count
            await self._record(
                transaction,
                current,
                ReembeddingProgressed(embedder.model_id, count, count),
                VectorChange(replaced=True),
                next_model_id="",
                model_id=embedder.model_id,
                dimensions=embedder.dimensions,
            )
            return True

        return await self._database.run(work, scope=scope_of(library))

    async def _record(
        self,
        transaction: Transaction,
        library: Library,
        progress: ReembeddingProgressed,
        vectors: VectorChange | None = None,
        **values: str | int,
    ) -> Library:
        places = await self._journal.record(transaction, library, [progress], vectors)
        revision = places[-1].sequence
        await libraries.change(transaction, library.no, {"revision": revision, **values})
        return replace(
            library, revision=revision, next_model_id=str(values.get("next_model_id", library.next_model_id))
        )


async def _locked(transaction: Transaction, library: Library) -> Library:
    current = await libraries.find_no(transaction, library.no, lock=True)
    if current is None:
        raise library_not_found(library.library_id)
    return current


async def _vectors(embedder: TextEmbedder, some: list[Pending]) -> list[bytes | None]:
    """A vector per document; None for one whose text has no words."""
    try:
        made = await embedder.embed([each.text for each in some], priority=Priority.BULK)
    except DomainError as error:
        if error.kind is not ErrorKind.INVALID_ARGUMENT:
            raise
        if len(some) == 1:
            return [None]
        return [vector for each in some for vector in await _vectors(embedder, [each])]
    return [row.tobytes() for row in np.ascontiguousarray(made, "<f4")]
