"""Vectors of a library in PostgreSQL (pgvector), shared by the replicas of the service."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any, Final, Self, TypeVar

import numpy as np
from sqlalchemy import ARRAY, BigInteger, Integer, String, Text, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.sql.elements import TextClause

from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.search.exact import checked, checked_query
from vidence_server.library.search.index import Ids, IndexKind, IndexStatistics, Scores, Vectors
from vidence_server.library.search.pgvector_table import graph_prefix, make_table
from vidence_server.storage.database import Database

_Result = TypeVar("_Result")
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@/-]{0,127}\Z")
_ROWS_PER_STATEMENT = 1000
_LARGEST_GRAPH_K = 400
"""Above it, and wherever a filter is given, all vectors that are allowed are compared."""
_LEAST_EFFORT = 100
_MOST_EFFORT = 1000  # what pgvector allows
MOST_GRAPH_DIMENSIONS = 2000

_ADD = text(
    "INSERT INTO library_vectors (library_no, model, no, embedding) "
    "SELECT :library, :model, no, CAST(embedding AS vector) "
    "FROM unnest(:nos, :vectors) AS new (no, embedding) "
    "ON CONFLICT (library_no, model, no) DO UPDATE SET embedding = excluded.embedding RETURNING xmax = 0"
).bindparams(
    bindparam("library", type_=BigInteger),
    bindparam("model", type_=String),
    bindparam("nos", type_=ARRAY(BigInteger)),
    bindparam("vectors", type_=ARRAY(Text)),
)
_REMOVE = text(
    "DELETE FROM library_vectors WHERE library_no = :library AND model = :model AND no = ANY(:nos)"
).bindparams(bindparam("nos", type_=ARRAY(BigInteger)))
_COUNT = text("SELECT count(*) FROM library_vectors WHERE library_no = :library AND model = :model")
_EXACT = text(
    "SELECT no, embedding <#> CAST(:query AS vector) AS distance FROM library_vectors "
    "WHERE library_no = :library AND model = :model ORDER BY distance, no LIMIT :k"
).bindparams(bindparam("k", type_=Integer))
_ALLOWED = text(
    "WITH allowed AS MATERIALIZED (SELECT no, embedding FROM library_vectors "
    "WHERE library_no = :library AND model = :model AND no = ANY(:nos)) "
    "SELECT no, embedding <#> CAST(:query AS vector) AS distance FROM allowed ORDER BY distance, no LIMIT :k"
).bindparams(bindparam("nos", type_=ARRAY(BigInteger)), bindparam("k", type_=Integer))
_SAMPLE = text(
    "SELECT CAST(embedding AS real[]) FROM library_vectors WHERE library_no = :library AND model = :model "
    "ORDER BY hashint8(no) LIMIT :k"
).bindparams(bindparam("k", type_=Integer))


def is_model_name(model_id: str) -> bool:
    """Whether a model has a name that can stand in a statement."""
    return _MODEL_ID.match(model_id) is not None


class PgVectorIndex:
    """A `VectorIndex` in a table, one row per vector, with the id of the model that made it.

    Searches see the vectors of their library and model and no others. A filter comes first: the vectors that
    it allows are all compared. The graph (HNSW) is a partial index of this library and model.

    The methods block until the database has answered; they are called from threads, and work on the loop that
    the index was opened on.
    """

    def __init__(
        self, database: Database, *, library_no: int, model_id: str, dimensions: int, kind: IndexKind
    ) -> None:
        """For `open`, on the database's loop."""
        if not is_model_name(model_id):
            raise ValueError("a model id has 1 to 128 letters, digits and _.@/-")
        self.dimensions: Final = dimensions
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._library_no = int(library_no)
        self._model_id = model_id
        self._kind = kind
        self._count = 0
        self._recall: float | None = 1.0 if kind is IndexKind.EXACT else None

    @classmethod
    async def open(
        cls,
        database: Database,
        *,
        library_no: int,
        model_id: str,
        dimensions: int,
        kind: IndexKind = IndexKind.EXACT,
    ) -> Self:
        """Makes extension, table and graph where they are missing, and counts what there is.

        Args:
            database: PostgreSQL, open.
            library_no: Whose vectors.
            model_id: What made them, e.g. `all-minilm-l6-v2@1`.
            dimensions: Length of a vector; at most 2,000 with a graph.
            kind: APPROXIMATE builds the graph: many vectors are best added before.

        Raises:
            DomainError: CONFIGURATION_INVALID where the server has no pgvector, or a graph cannot have so
                many dimensions; STORAGE_FULL, STORAGE_FAILED, as everywhere.
        """
        index = cls(database, library_no=library_no, model_id=model_id, dimensions=dimensions, kind=kind)
        async with database.transaction() as transaction:
            await make_table(transaction)
            if kind is IndexKind.APPROXIMATE:
                await transaction.execute(index._graph())  # its own
        await index._count_anew()  # its own
        return index

    @property
    def count(self) -> int:
        """Vectors that can be found, as far as this process knows; `statistics` asks."""
        return self._count

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """See `VectorIndex`."""
        nos, rows = checked(ids, vectors, self.dimensions)
        self._wait(lambda: self._add(nos, rows))

    def remove(self, ids: Ids) -> None:
        """See `VectorIndex`."""
        self._wait(lambda: self._remove(np.unique(ids)))

    def search(self, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """See `VectorIndex`."""
        if self._kind is IndexKind.EXACT or allowed is not None or k > _LARGEST_GRAPH_K:
            return self.search_exact(query, k, allowed)
        row = checked_query(query, k, self.dimensions)
        return self._wait(lambda: self._search_graph(row, k))

    def search_exact(self, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """See `VectorIndex`."""
        row = checked_query(query, k, self.dimensions)
        return self._wait(lambda: self._search_exact(row, k, allowed))

    def measure_recall(self, sample: int, k: int) -> float:
        """The part of the exact hits that the graph finds, over vectors of the index as queries.

        Args:
            sample: How many queries.
            k: Hits of each, at most 400.
        """
        found = wanted = 0
        for query in self._wait(lambda: self._sample(sample)):
            exact = self.search_exact(query, k)[0]
            found += int(np.isin(exact, self.search(query, k)[0]).sum())
            wanted += len(exact)
        self._recall = found / wanted if wanted else 1.0
        return self._recall

    def statistics(self) -> IndexStatistics:
        """The numbers as they are now; the size is that of vectors, ids and graph without the pages' rest."""
        graph_bytes = self._wait(self._measure)
        size_bytes = self._count * (4 * self.dimensions + 8) + graph_bytes
        return IndexStatistics(self._count, self._count, size_bytes, self._kind, self._recall)

    def _wait(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run_coroutine_threadsafe(_awaited(work), self._loop).result()
        raise RuntimeError("it blocks, so it is not for an event loop")

    async def _add(self, nos: Ids, rows: Vectors) -> None:
        added = 0
        async with self._database.transaction(self._scope) as transaction:
            for start in range(0, len(nos), _ROWS_PER_STATEMENT):
                values = {
                    "nos": nos[start : start + _ROWS_PER_STATEMENT].tolist(),
                    "vectors": [_written(row) for row in rows[start : start + _ROWS_PER_STATEMENT]],
                }
                new = await transaction.execute(_ADD, self._whose | values)
                added += sum(new.scalars())
        self._count += added

    async def _remove(self, nos: Ids) -> None:
        async with self._database.transaction(self._scope) as transaction:
            gone = await transaction.execute(_REMOVE, self._whose | {"nos": nos.tolist()})
        self._count -= gone.rowcount

    async def _search_exact(self, query: Vectors, k: int, allowed: Ids | None) -> tuple[Ids, Scores]:
        values = self._whose | {"query": _written(query), "k": k}
        async with self._database.snapshot() as reading:
            if allowed is None:
                found = await reading.execute(_EXACT, values)
            else:
                found = await reading.execute(_ALLOWED, values | {"nos": allowed.tolist()})
            return _ranked(found.all())

    async def _search_graph(self, query: Vectors, k: int) -> tuple[Ids, Scores]:
        effort = str(min(max(_LEAST_EFFORT, 2 * k), _MOST_EFFORT))
        async with self._database.snapshot() as reading:
            await reading.execute(
                select(
                    func.set_config("hnsw.ef_search", effort, True),  # for this transaction
                    func.set_config("hnsw.iterative_scan", "strict_order", True),  # the same
                )
            )
            statement = text(
                f"SELECT no, {self._column} <#> CAST(:query AS vector) AS distance FROM library_vectors "  # noqa: S608  # see `_whose_literally`
                f"WHERE {self._whose_literally} ORDER BY distance LIMIT :k"
            ).bindparams(bindparam("k", type_=Integer))
            found = await reading.execute(statement, {"query": _written(query), "k": k})
            return _ranked(found.all())

    async def _sample(self, count: int) -> Vectors:
        async with self._database.snapshot() as reading:
            found = await reading.execute(_SAMPLE, self._whose | {"k": count})
            return np.array(found.scalars().all(), np.float32).reshape(-1, self.dimensions)

    async def _measure(self) -> int:
        await self._count_anew()
        async with self._database.snapshot() as reading:
            graph = func.to_regclass(self._graph_name, type_=REGCLASS)
            size = (await reading.execute(select(func.pg_relation_size(graph)))).scalar_one()
        return int(size or 0)

    async def _count_anew(self) -> None:
        async with self._database.snapshot() as reading:
            self._count = int((await reading.execute(_COUNT, self._whose)).scalar_one())

    @property
    def _scope(self) -> str:
        return f"vectors/{self._library_no}"

    @property
    def _whose(self) -> dict[str, Any]:
        return {"library": self._library_no, "model": self._model_id}

    @property
    def _whose_literally(self) -> str:
        """A partial index is found by its condition only: a number, and a name without quotes in it."""
        return f"library_no = {self._library_no} AND model = '{self._model_id}'"

    @property
    def _column(self) -> str:
        return f"CAST(embedding AS vector({self.dimensions}))"

    @property
    def _graph_name(self) -> str:
        return graph_prefix(self._library_no) + blake2b(self._model_id.encode(), digest_size=6).hexdigest()

    def _graph(self) -> TextClause:
        if self.dimensions > MOST_GRAPH_DIMENSIONS:
            raise DomainError(
                Reason.CONFIGURATION_INVALID, f"A graph has at most {MOST_GRAPH_DIMENSIONS} dimensions."
            )
        return text(
            f"CREATE INDEX IF NOT EXISTS {self._graph_name} ON library_vectors "
            f"USING hnsw (({self._column}) vector_ip_ops) WHERE {self._whose_literally}"
        )


async def _awaited(work: Callable[[], Awaitable[_Result]]) -> _Result:
    return await work()


def _written(row: Vectors) -> str:
    """As pgvector reads it; nine digits give the same float32 again."""
    return "[" + ",".join([f"{value:.9g}" for value in row.tolist()]) + "]"


def _ranked(found: Any) -> tuple[Ids, Scores]:
    ids = np.array([no for no, _ in found], np.int64)
    scores = np.array([-distance for _, distance in found], np.float32)
    order = np.lexsort((ids, -scores))
    return ids[order], scores[order]
