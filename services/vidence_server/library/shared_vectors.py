"""Vectors of large approximate libraries in PostgreSQL: searched there, in no process's memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
import structlog
from sqlalchemy import BigInteger, bindparam, text

from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.libraries import Library
from vidence_server.library.search.index import Ids, IndexKind, Scores, Vectors
from vidence_server.library.search.pgvector import MOST_GRAPH_DIMENSIONS, PgVectorIndex, is_model_name
from vidence_server.library.search.pgvector_table import remove_library
from vidence_server.library.store import libraries, reading
from vidence_server.storage.database import Database, Transaction

_PAGE = 1000

_STATES = text(
    "CREATE TABLE IF NOT EXISTS library_vector_states (library_no BIGINT PRIMARY KEY, "
    "model VARCHAR(128) NOT NULL, revision BIGINT NOT NULL)"
)
_STATE = text("SELECT revision FROM library_vector_states WHERE library_no = :library AND model = :model")
_SET_STATE = text(
    "INSERT INTO library_vector_states (library_no, model, revision) VALUES (:library, :model, :revision) "
    "ON CONFLICT (library_no) DO UPDATE SET model = excluded.model, revision = excluded.revision"
).bindparams(bindparam("library", type_=BigInteger), bindparam("revision", type_=BigInteger))
_FORGET = text("DELETE FROM library_vector_states WHERE library_no = :library")
_KNOWN = text("SELECT to_regclass('library_vector_states') IS NOT NULL")
_GONE = text(
    "SELECT v.no FROM library_vectors AS v WHERE v.library_no = :library AND v.model = :model "
    "AND NOT EXISTS (SELECT 1 FROM documents AS d "
    "WHERE d.library_no = v.library_no AND d.no = v.no AND d.vector IS NOT NULL)"
)


@dataclass(slots=True)
class _Held:
    """A library's index, and how far this process knows it to be."""

    index: PgVectorIndex
    model_id: str
    revision: int


class SharedVectors:
    """The indexes of libraries that have many vectors and are set up as approximate.

    The table of vectors follows the documents: whoever searches first after a change brings it to the rows,
    one process at a time, and says up to which revision. Exact and filtered searches of such a library
    compare every vector that is allowed, in the database as well.
    """

    def __init__(self, database: Database, *, least: int) -> None:
        """Nothing is read yet.

        Args:
            database: PostgreSQL.
            least: Documents from which on a library is searched here.
        """
        self._database = database
        self._least = least
        self._missing = False
        self._held: dict[int, _Held] = {}  # by library; bound: the libraries searched since the start
        self._opening: dict[int, asyncio.Lock] = {}  # bound: as above
        self._log = structlog.get_logger(__name__)

    def serves(self, library: Library) -> bool:
        """Whether a library is searched here."""
        embedding = library.spec.embedding
        return (
            not self._missing
            and embedding is not None
            and library.spec.index_kind is IndexKind.APPROXIMATE
            and library.document_count >= self._least
            and embedding.dimensions <= MOST_GRAPH_DIMENSIONS
            and is_model_name(library.model_id)
        )

    async def search(
        self, library: Library, query: Vectors, k: int, *, allowed: Ids | None, exact: bool
    ) -> tuple[Ids, Scores] | None:
        """As `VectorIndexes.search`; None: the server has no pgvector, whoever asks has to look elsewhere.

        Raises:
            DomainError: STORAGE_FAILED, STORAGE_FULL.
        """
        try:
            index = await self._current(library)
        except DomainError as error:
            if error.reason is not Reason.CONFIGURATION_INVALID:
                raise
            self._missing = True
            self._log.warning("vectors are searched in memory: the database server has no pgvector")
            return None
        search = index.search_exact if exact else index.search
        return await asyncio.to_thread(search, query, k, allowed)

    def forget(self, library_no: int) -> None:
        """The library is gone."""
        self._held.pop(library_no, None)

    async def remove(self, transaction: Transaction, library_no: int) -> None:
        """Removes what the tables have of a library."""
        if (await transaction.execute(_KNOWN)).scalar_one():
            await transaction.execute(_FORGET, {"library": library_no})
            await remove_library(transaction, library_no)

    async def _current(self, library: Library) -> PgVectorIndex:
        """The library's index, at its revision at least."""
        async with self._opening.setdefault(library.no, asyncio.Lock()):
            held = self._held.get(library.no)
            if held is None or held.model_id != library.model_id or held.revision < library.revision:
                async with self._database.exclusive(f"library-vectors/{library.no}"):
                    held = self._held[library.no] = await self._brought(library)
        return held.index

    async def _brought(self, library: Library) -> _Held:
        """Brings the table to the rows of documents."""
        model_id, embedding = library.model_id, library.spec.embedding
        if embedding is None:
            raise RuntimeError("a library without vectors is not searched here")
        since = await self._since(library.no, model_id)
        index = await PgVectorIndex.open(
            self._database,
            library_no=library.no,
            model_id=model_id,
            dimensions=embedding.dimensions,
            kind=IndexKind.APPROXIMATE,
        )
        async with self._database.snapshot() as snapshot:
            now = await libraries.find_no(snapshot, library.no)
            if now is None or now.model_id != model_id:
                return _Held(index, model_id, library.revision)  # it was deleted, or changed, a moment ago
            if since < now.revision:
                await self._add(snapshot, index, library.no, since)
            gone = (await snapshot.execute(_GONE, {"library": library.no, "model": model_id})).scalars().all()
        if gone:
            await asyncio.to_thread(index.remove, np.array(gone, np.int64))
        if since < now.revision:
            async with self._database.transaction() as transaction:
                values = {"library": library.no, "model": model_id, "revision": now.revision}
                await transaction.execute(_SET_STATE, values)
        return _Held(index, model_id, now.revision)

    async def _since(self, library_no: int, model_id: str) -> int:
        """The revision that the table has; 0 where it has none of this model."""
        async with self._database.transaction() as transaction:
            await transaction.serialise("library_vector_states")
            await transaction.execute(_STATES)
            found = await transaction.execute(_STATE, {"library": library_no, "model": model_id})
            since: int | None = found.scalar_one_or_none()
            if since is None:  # what is there was made by another model
                await remove_library(transaction, library_no)
        return since or 0

    async def _add(self, snapshot: Transaction, index: PgVectorIndex, library_no: int, since: int) -> None:
        after = 0
        while rows := await reading.vectors(
            snapshot, library_no, after_no=after, since_revision=since, limit=_PAGE
        ):
            after = rows[-1][0]
            ids = np.fromiter((no for no, _ in rows), np.int64, len(rows))
            vectors = np.frombuffer(b"".join([data for _, data in rows]), "<f4").reshape(len(rows), -1)
            await asyncio.to_thread(index.add, ids, vectors)
