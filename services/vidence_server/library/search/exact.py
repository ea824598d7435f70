"""The exact index: every vector is compared with the query."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.library.search.index import (
    MAX_K,
    Ids,
    IndexKind,
    IndexStatistics,
    Scores,
    Vectors,
)
from vidence_server.library.search.ranking import NOT_FOUND, best
from vidence_server.library.search.rows import RowNumbers, Rows
from vidence_server.library.search.scan import ScanThreads

_LEAST_ROWS_PER_THREAD = 8192
"""Below it a second thread costs more than it saves."""
_GATHERED_ROWS = 4096
"""Rows that are copied at once; they stay in the processor's cache."""
_MANY = 4
"""A filter that leaves more than this part of all rows is applied to the scores of all."""
_MOST_DEAD = 4096
"""Removed rows that are always kept; above it a quarter of all rows."""


class ExactIndex:
    """A `VectorIndex` with recall 1: brute force over float32 vectors in memory.

    A search takes time in proportion to the vectors compared: those that are allowed where they are few, all
    of them otherwise. Each cosine is one dot product of two rows (BLAS `sdot`, one thread), which makes it
    independent of the row's place; a product of matrices would not be, and would start threads of its own.
    """

    def __init__(self, dimensions: int, scan: ScanThreads) -> None:
        """An empty index.

        Args:
            dimensions: Length of a vector.
            scan: Threads for searches.
        """
        self.dimensions = dimensions
        self._scan = scan
        self._rows = Rows.none(dimensions)

    @property
    def count(self) -> int:
        """Vectors that can be found."""
        return self._rows.live

    @property
    def rows(self) -> Rows:
        """The state of now; it stays as it is."""
        return self._rows

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """See `VectorIndex`."""
        self.add_checked(*checked(ids, vectors, self.dimensions))

    def add_checked(self, ids: Ids, vectors: Vectors) -> None:
        """Adds what `checked` returned."""
        if len(ids):
            self._keep(self._rows.with_added(ids, vectors))

    def remove(self, ids: Ids) -> None:
        """See `VectorIndex`."""
        self._keep(self._rows.without(self._rows.rows_of(np.unique(ids))))

    def search(self, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """See `VectorIndex`."""
        return self.search_checked(checked_query(query, k, self.dimensions), k, allowed)

    def search_exact(self, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """See `VectorIndex`."""
        return self.search(query, k, allowed)

    def search_checked(self, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """Searches for what `checked_query` returned."""
        rows = self._rows
        if allowed is not None and len(allowed) < rows.count // _MANY:
            wanted = rows.rows_of(allowed)
            return best(self._some(rows, wanted, query), rows.ids[wanted], k)
        scores = self._all(rows, query)
        if allowed is not None:
            scores[~rows.allowed(allowed)] = NOT_FOUND
        elif rows.live < rows.count:
            scores[~rows.alive] = NOT_FOUND
        return best(scores, rows.ids[: rows.count], k)

    def scores_of(self, ids: Ids, query: Vectors) -> tuple[Ids, Scores]:
        """Of these ids, sorted and each once, those that can be found, with their cosines.

        Args:
            ids: int64 (N,).
            query: float32 (D,), normalised.
        """
        rows = self._rows
        wanted = rows.rows_of(ids)
        return rows.ids[wanted], self._some(rows, wanted, query)

    def statistics(self) -> IndexStatistics:
        """See `VectorIndex`."""
        rows = self._rows
        return IndexStatistics(rows.live, rows.capacity, rows.size_bytes, IndexKind.EXACT, 1.0)

    def _keep(self, rows: Rows) -> None:
        dead = rows.count - rows.live
        self._rows = rows.compacted() if dead > max(_MOST_DEAD, rows.count // 4) else rows

    def _all(self, rows: Rows, query: Vectors) -> Scores:
        scores = np.empty(rows.count, np.float32)

        def scan(part: tuple[int, int]) -> None:
            for start, vectors in rows.pieces(*part):
                np.vecdot(vectors, query, out=scores[start : start + len(vectors)])

        self._scan.map(scan, self._parts(rows.count))
        return scores

    def _some(self, rows: Rows, wanted: RowNumbers, query: Vectors) -> Scores:
        scores = np.empty(len(wanted), np.float32)

        def scan(part: tuple[int, int]) -> None:
            for first in range(*part, _GATHERED_ROWS):
                chosen = slice(first, min(first + _GATHERED_ROWS, part[1]))
                np.vecdot(rows.vectors_of(wanted[chosen]), query, out=scores[chosen])

        self._scan.map(scan, self._parts(len(wanted)))
        return scores

    def _parts(self, count: int) -> list[tuple[int, int]]:
        """Equal ranges that cover `count` rows, one for each thread that is worth it."""
        threads = max(1, min(self._scan.count, count // _LEAST_ROWS_PER_THREAD))
        borders = [count * number // threads for number in range(threads + 1)]
        return list(pairwise(borders))


def checked(ids: Ids, vectors: Vectors, dimensions: int) -> tuple[Ids, Vectors]:
    """Ids sorted and each once, the last of equal ones, with their vectors normalised.

    Raises:
        DomainError: REQUEST_INVALID.
    """
    vectors = np.asarray(vectors, np.float32)
    ids = np.asarray(ids, np.int64)
    if vectors.ndim != 2 or vectors.shape[1] != dimensions or ids.shape != vectors.shape[:1]:
        raise _invalid("vectors", f"A vector has {dimensions} numbers, and one id.")
    if len(ids) and ids.min() < 0:
        raise _invalid("ids", "An id is not negative.")
    if len(ids) > 1 and not (np.diff(ids) > 0).all():
        ids, last = np.unique(ids[::-1], return_index=True)
        vectors = vectors[len(vectors) - 1 - last]
    return ids, normalised(vectors)


def checked_query(query: Vectors, k: int, dimensions: int) -> Vectors:
    """The query normalised.

    Raises:
        DomainError: REQUEST_INVALID.
    """
    if not 1 <= k <= MAX_K:
        raise _invalid("k", f"A search has from 1 to {MAX_K} hits.")
    query = np.asarray(query, np.float32)
    if query.shape != (dimensions,):
        raise _invalid("query", f"A query has {dimensions} numbers.")
    unit: Vectors = normalised(query[np.newaxis])[0]
    return unit


def normalised(vectors: Vectors) -> Vectors:
    """float32 (N, D): vectors of length 1 in the same directions; the same bits for the same vector.

    Raises:
        DomainError: REQUEST_INVALID where a vector is zero or not finite.
    """
    with np.errstate(over="ignore"):  # told below
        lengths: Vectors = np.sqrt(np.vecdot(vectors, vectors))
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise _invalid("vectors", "A vector is finite and not zero.")
    unit: Vectors = np.ascontiguousarray(vectors / lengths[:, np.newaxis])
    return unit


def _invalid(field: str, description: str) -> DomainError:
    return DomainError(Reason.REQUEST_INVALID, description, fields=(FieldViolation(field, description),))
