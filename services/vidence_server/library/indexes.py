"""The indexes of vectors: made of rows when they are first asked, and kept as the rows are.

In memory, but for large libraries that the database searches itself; see `shared_vectors`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.library.domain.documents import Vector
from vidence_server.library.domain.libraries import Library, library_not_found
from vidence_server.library.journal import Step
from vidence_server.library.search.index import Ids, IndexKind, Scores, VectorIndex, Vectors
from vidence_server.library.shared_vectors import SharedVectors
from vidence_server.library.store import libraries, reading
from vidence_server.storage.database import Database, Transaction

_PAGE = 2000
MakeIndex = Callable[[IndexKind, int], VectorIndex]
"""An empty index of a kind for vectors of a length."""


@dataclass(frozen=True, slots=True)
class IndexesStatistics:
    """Indexes in memory. Plain numbers; safe to read from any thread."""

    open: int
    vectors: int
    size_bytes: int
    loads: int
    """How often one was made of rows."""


class _Held:
    """One library's index, and how far it has come."""

    def __init__(self, index: VectorIndex, kind: IndexKind, model_id: str, revision: int) -> None:
        self.index = index
        self.kind = kind
        self.model_id = model_id
        self.revision = revision
        """It is as the rows were at this revision of the library."""
        self.steps: deque[Step] = deque()  # bound: what was committed since the last search or commit
        self.lock = asyncio.Lock()
        """One thread at a time adds and removes."""


class VectorIndexes:
    """One index for each library that was searched. A library that nobody searches takes no memory."""

    def __init__(self, database: Database, make: MakeIndex, shared: SharedVectors | None = None) -> None:
        """No index yet.

        Args:
            database: Of the service.
            make: Makes indexes in memory.
            shared: Searches large libraries in the database; None: none is.
        """
        self._database = database
        self._make = make
        self._shared = shared
        self._held: dict[int, _Held] = {}  # by library; bound: the libraries searched since the start
        self._opening: dict[int, asyncio.Lock] = {}  # bound: those that are being opened
        self._loads = 0

    def took_place(self, step: Step) -> None:
        """A change was committed; for `Journal.listen`."""
        held = self._held.get(step.library_no)
        if held is None:
            return
        if step.vectors.replaced:
            del self._held[step.library_no]
        else:
            held.steps.append(step)

    def forget(self, library_no: int) -> None:
        """The library is gone."""
        self._held.pop(library_no, None)
        if self._shared is not None:
            self._shared.forget(library_no)

    async def remove(self, transaction: Transaction, library_no: int) -> None:
        """Removes what the database has of a library's vectors beside its documents."""
        if self._shared is not None:
            await self._shared.remove(transaction, library_no)

    async def flush(self, library_no: int) -> None:
        """Brings an index, where there is one, to what was committed."""
        held = self._held.get(library_no)
        if held is not None:
            async with held.lock:
                await self._take_steps(held)

    async def search(
        self, library: Library, query: Vectors, k: int, *, allowed: Ids | None, exact: bool
    ) -> tuple[Ids, Scores, IndexKind]:
        """The documents most like a vector: row numbers, cosines, and how they were found.

        Args:
            library: As it is now, or was a moment ago.
            query: float32 (D,).
            k: Most hits.
            allowed: Only these row numbers, rising; None: all.
            exact: Compare every vector.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, STORAGE_FAILED.
        """
        if self._shared is not None and self._shared.serves(library):
            found = await self._shared.search(library, query, k, allowed=allowed, exact=exact)
            if found is not None:
                return *found, IndexKind.EXACT if exact else IndexKind.APPROXIMATE
        held = await self._current(library)
        search = held.index.search_exact if exact else held.index.search
        ids, scores = await asyncio.to_thread(search, query, k, allowed)
        return ids, scores, IndexKind.EXACT if exact else held.kind

    def statistics(self) -> IndexesStatistics:
        """The numbers as they are now."""
        held = tuple(self._held.values())
        numbers = [each.index.statistics() for each in held]
        return IndexesStatistics(
            open=len(held),
            vectors=sum(number.count for number in numbers),
            size_bytes=sum(number.size_bytes for number in numbers),
            loads=self._loads,
        )

    async def _current(self, library: Library) -> _Held:
        """The library's index, at its revision at least."""
        held = self._held.get(library.no)
        if held is None or held.kind is not library.spec.index_kind or held.model_id != library.model_id:
            held = await self._opened(library)
        if held.steps or held.revision < library.revision:
            async with held.lock:
                await self._take_steps(held)
                if held.revision < library.revision:  # another process changed it
                    await self._catch_up(held, library.no)
        return held

    async def _opened(self, library: Library) -> _Held:
        lock = self._opening.setdefault(library.no, asyncio.Lock())
        try:
            async with lock:
                held = self._held.get(library.no)
                if (
                    held is not None
                    and held.model_id == library.model_id
                    and held.kind is library.spec.index_kind
                ):
                    return held
                return await self._load(library.no)
        finally:
            if not lock.locked():
                self._opening.pop(library.no, None)

    async def _load(self, library_no: int) -> _Held:
        async with self._database.snapshot() as snapshot:
            library = await libraries.find_no(snapshot, library_no)
            if library is None or library.spec.embedding is None:
                raise library_not_found(library.library_id if library else "")
            kind, dimensions = library.spec.index_kind, library.spec.embedding.dimensions
            held = _Held(self._make(kind, dimensions), kind, library.model_id, library.revision)
            # From here on changes are noted; those that the snapshot holds already are passed over.
            self._held[library_no] = held
            try:
                await self._add_rows(snapshot, held, library_no, since_revision=0)
            except BaseException:
                if self._held.get(library_no) is held:
                    del self._held[library_no]
                raise
        self._loads += 1
        return held

    async def _catch_up(self, held: _Held, library_no: int) -> None:
        async with self._database.snapshot() as snapshot:
            library = await libraries.find_no(snapshot, library_no)
            if library is None:
                return
            await self._add_rows(snapshot, held, library_no, since_revision=held.revision)
            held.revision = library.revision
            if held.index.count == await reading.vector_count(snapshot, library_no):
                return
            dimensions = library.spec.embedding.dimensions if library.spec.embedding else 0
            held.index = self._make(held.kind, dimensions)  # which rows are gone, nothing tells
            await self._add_rows(snapshot, held, library_no, since_revision=0)

    async def _add_rows(
        self, snapshot: Transaction, held: _Held, library_no: int, *, since_revision: int
    ) -> None:
        after = 0
        while rows := await reading.vectors(
            snapshot, library_no, after_no=after, since_revision=since_revision, limit=_PAGE
        ):
            after = rows[-1][0]
            ids = np.fromiter((no for no, _ in rows), np.int64, len(rows))
            await asyncio.to_thread(_add, held.index, ids, [data for _, data in rows])

    async def _take_steps(self, held: _Held) -> None:
        while held.steps:
            step = held.steps[0]
            if step.after > held.revision:
                if step.before > held.revision:
                    held.steps.clear()  # another process came between: rows tell more than steps
                    await self._catch_up(held, step.library_no)
                    return
                await self._take(held.index, step)
                held.revision = step.after
            held.steps.popleft()

    async def _take(self, index: VectorIndex, step: Step) -> None:
        vectors = step.vectors
        if len(vectors.removed):
            await asyncio.to_thread(index.remove, vectors.removed)
        if len(vectors.ids):
            await asyncio.to_thread(_add, index, vectors.ids, vectors.data)


def _add(index: VectorIndex, ids: Ids, data: Sequence[bytes]) -> None:
    index.add(ids, stacked(data))


def stacked(data: Sequence[bytes]) -> Vectors:
    """float32 (N, D): vectors of one length."""
    return np.frombuffer(b"".join(data), "<f4").reshape(len(data), -1)


def check_vector(vector: Vector) -> None:
    """Refuses vectors that have no direction.

    Raises:
        DomainError: REQUEST_INVALID.
    """
    values = np.frombuffer(vector.data, "<f4")
    with np.errstate(over="ignore"):
        length = float(np.dot(values, values))
    if not 0 < length < np.inf:
        description = "has numbers that are finite and not all zero"
        raise DomainError(
            Reason.REQUEST_INVALID,
            "A vector cannot be compared.",
            fields=(FieldViolation("vector", description),),
        )
