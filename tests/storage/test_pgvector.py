"""Vectors in a real PostgreSQL with pgvector, beside brute force in numpy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sqlalchemy import text

from fakes.postgres import Home
from fakes.storage import EXTRACTION_MIGRATIONS
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.search.index import IndexKind, VectorIndex
from vidence_server.library.search.pgvector import PgVectorIndex
from vidence_server.library.search.pgvector_table import remove_library
from vidence_server.storage.database import Database

pytestmark = [pytest.mark.requirement("R-LI2", "R-OP6"), pytest.mark.usefixtures("pgvector")]

Floats = npt.NDArray[np.float32]
DIMENSIONS = 48


def some_vectors(count: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)


def by_hand(vectors: Floats, query: Floats, k: int, allowed: Any = None) -> tuple[Any, Any]:
    """Brute force in float64: ids and cosines, the highest first, equal ones by id."""
    wide = vectors.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    scores = wide @ (query.astype(np.float64) / np.linalg.norm(query.astype(np.float64)))
    ids = np.arange(len(vectors))
    if allowed is not None:
        ids = ids[np.isin(ids, allowed)]
    order = ids[np.lexsort((ids, -scores[ids]))][:k]
    return order, scores[order]


@asynccontextmanager
async def index_in(home: Home, **options: Any) -> AsyncIterator[tuple[Database, PgVectorIndex]]:
    chosen = {"library_no": 7, "model_id": "minilm@1", "dimensions": DIMENSIONS, **options}
    async with home.database(EXTRACTION_MIGRATIONS) as database:
        yield database, await PgVectorIndex.open(database, **chosen)


@pytest.mark.parametrize("k", [1, 10, 1000, 100_000])
async def test_the_exact_search_finds_what_brute_force_finds(shared_home: Home, k: int) -> None:
    vectors = some_vectors(3000)
    async with index_in(shared_home) as (_, index):
        await asyncio.to_thread(index.add, np.arange(3000), vectors)
        assert index.count == 3000
        for query in some_vectors(5, seed=2):
            ids, scores = await asyncio.to_thread(index.search, query, k)
            wanted, cosines = by_hand(vectors, query, k)
            assert ids.dtype == np.int64
            assert scores.dtype == np.float32
            assert len(ids) == min(k, 3000)
            assert np.allclose(scores, cosines, atol=1e-6)
            assert (ids == wanted).mean() > 0.999  # float32 may swap neighbours that are all but equal


@pytest.mark.parametrize("kind", list(IndexKind))
async def test_a_filter_comes_first(shared_home: Home, kind: IndexKind) -> None:
    vectors = some_vectors(2000)
    async with index_in(shared_home, kind=kind) as (_, index):
        await asyncio.to_thread(index.add, np.arange(2000), vectors)
        for allowed in (np.arange(0, 2000, 7), np.array([5]), np.array([], np.int64), np.array([10**12])):
            query = some_vectors(1, seed=3)[0]
            ids, _ = await asyncio.to_thread(index.search, query, 50, allowed)
            assert ids.tolist() == by_hand(vectors, query, 50, allowed)[0].tolist()


async def test_vectors_are_replaced_removed_and_there_after_a_restart(shared_home: Home) -> None:
    vectors = some_vectors(100)
    async with index_in(shared_home) as (_, index):
        await asyncio.to_thread(index.add, np.arange(100), vectors)
        await asyncio.to_thread(
            index.add, np.array([3, 3, 200]), np.stack([vectors[4], vectors[9], vectors[9]])
        )
        assert index.count == 101
        await asyncio.to_thread(index.remove, np.array([9, 9, 5000]))
        assert index.count == 100
    async with index_in(shared_home) as (_, index):
        assert index.count == 100
        ids, scores = await asyncio.to_thread(index.search, vectors[9], 3)
        assert ids[:2].tolist() == [3, 200]
        assert scores[0] == scores[1] == pytest.approx(1)


async def test_libraries_and_models_never_meet_and_a_library_is_forgotten_whole(shared_home: Home) -> None:
    vectors = some_vectors(50)
    async with index_in(shared_home) as (database, mine):
        others = [
            await PgVectorIndex.open(database, library_no=8, model_id="minilm@1", dimensions=DIMENSIONS),
            await PgVectorIndex.open(database, library_no=7, model_id="minilm@2", dimensions=DIMENSIONS),
            await PgVectorIndex.open(
                database, library_no=7, model_id="faces@1", dimensions=8, kind=IndexKind.APPROXIMATE
            ),
        ]
        await asyncio.to_thread(mine.add, np.arange(50), vectors)
        for other in others:
            some = some_vectors(10)[:, : other.dimensions]
            await asyncio.to_thread(other.add, np.arange(100, 110), some)
            ids, _ = await asyncio.to_thread(other.search, some[0], 100)
            assert sorted(ids) == list(range(100, 110))
        ids, _ = await asyncio.to_thread(mine.search, vectors[0], 100)
        assert sorted(ids) == list(range(50))
        async with database.transaction() as transaction:
            await remove_library(transaction, 7)
        async with database.snapshot() as reading:
            left = await reading.execute(text("SELECT DISTINCT library_no, model FROM library_vectors"))
            assert left.all() == [(8, "minilm@1")]
            graphs = await reading.execute(
                text(
                    "SELECT count(*) FROM pg_indexes WHERE schemaname = current_schema() "
                    "AND indexname LIKE 'library\\_vectors\\_7%'"
                )
            )
            assert graphs.scalar_one() == 0


async def test_the_graph_is_used_and_its_recall_measured(shared_home: Home) -> None:
    vectors = some_vectors(4000)
    async with index_in(shared_home) as (database, plain):
        await asyncio.to_thread(plain.add, np.arange(4000), vectors)
        index = await PgVectorIndex.open(
            database, library_no=7, model_id="minilm@1", dimensions=DIMENSIONS, kind=IndexKind.APPROXIMATE
        )
        assert (await asyncio.to_thread(index.statistics)).recall is None
        async with database.transaction() as transaction:
            await transaction.execute(text("ANALYZE library_vectors"))
        recall = await asyncio.to_thread(index.measure_recall, 20, 10)
        assert recall > 0.9
        statistics = await asyncio.to_thread(index.statistics)
        assert (statistics.count, statistics.kind, statistics.recall) == (4000, IndexKind.APPROXIMATE, recall)
        assert statistics.size_bytes > 2 * 4000 * DIMENSIONS * 4
        async with database.snapshot() as reading:
            plan = await reading.execute(
                text(
                    f"EXPLAIN SELECT no FROM library_vectors WHERE {index._whose_literally} "  # noqa: S608  # its own
                    f"ORDER BY {index._column} <#> '{plain_query(vectors[0])}' LIMIT 10"
                )
            )
            assert index._graph_name in str(plan.all())
        ids, scores = await asyncio.to_thread(index.search, vectors[17], 400)
        assert len(ids) == 400
        assert (ids[0], list(scores)) == (17, sorted(scores, reverse=True))
        all_ids, _ = await asyncio.to_thread(index.search, vectors[17], 4000)
        assert len(all_ids) == 4000


def plain_query(row: Floats) -> str:
    return str(row.tolist())


async def test_replicas_see_each_others_vectors(shared_home: Home) -> None:
    vectors = some_vectors(20)
    async with index_in(shared_home) as (_, one), index_in(shared_home) as (_, two):
        await asyncio.to_thread(one.add, np.arange(20), vectors)
        ids, _ = await asyncio.to_thread(two.search, vectors[4], 1)
        assert ids.tolist() == [4]
        assert (await asyncio.to_thread(two.statistics)).count == two.count == 20


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((1, DIMENSIONS)), np.full((1, DIMENSIONS), np.nan), np.ones((1, DIMENSIONS + 1))],
)
async def test_a_vector_that_is_none_is_refused_and_none_of_them_added(
    shared_home: Home, wrong: Floats
) -> None:
    async with index_in(shared_home) as (_, index):
        with pytest.raises(DomainError) as refused:
            await asyncio.to_thread(index.add, np.arange(1), wrong.astype(np.float32))
        assert refused.value.reason is Reason.REQUEST_INVALID
        assert index.count == 0


async def test_it_is_a_vector_index_and_not_for_the_event_loop(shared_home: Home) -> None:
    async with index_in(shared_home) as (_, index):
        port: VectorIndex = index
        with pytest.raises(RuntimeError, match="event loop"):
            port.search(some_vectors(1)[0], 1)
        with pytest.raises(ValueError, match="model id"):
            await PgVectorIndex.open(index._database, library_no=1, model_id="'; DROP", dimensions=DIMENSIONS)
        with pytest.raises(DomainError) as refused:
            await PgVectorIndex.open(
                index._database, library_no=1, model_id="m", dimensions=2001, kind=IndexKind.APPROXIMATE
            )
        assert refused.value.reason is Reason.CONFIGURATION_INVALID
