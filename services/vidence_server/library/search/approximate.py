"""The approximate index: a graph of neighbours (HNSW, by usearch) over the rows of an exact one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Condition

import numpy as np

from vidence_server.library.search.exact import ExactIndex, checked, checked_query
from vidence_server.library.search.graph import EXPANSION_SEARCH, new_graph
from vidence_server.library.search.index import Ids, IndexKind, IndexStatistics, Scores, Vectors
from vidence_server.library.search.ranking import best
from vidence_server.library.search.scan import ScanThreads

MOST_HITS = 1000
"""A search for more goes over all vectors: the graph would be no faster."""
_OVERSAMPLING = 2
"""Candidates per hit: the graph keeps vectors in half precision, exact cosines decide."""
_ADDED_AT_ONCE = 256
"""Vectors added while searches pass by: some 0.1 s."""


class ApproximateIndex:
    """A `VectorIndex` that misses a few: how few is told by `measure_recall`.

    The graph proposes, exact cosines decide, so that scores and order are those of the exact index. A search
    goes over all vectors, with recall 1, where the graph does not help: with `allowed` ids, for more than
    `MOST_HITS` or a tenth of all vectors, and in the moments in which vectors are added to the graph.
    Searches never wait.
    """

    def __init__(self, dimensions: int, scan: ScanThreads) -> None:
        """An empty index.

        Args:
            dimensions: Length of a vector.
            scan: Threads for additions and for searches over all vectors.
        """
        self._exact = ExactIndex(dimensions, scan)
        self._threads = scan.count
        self._graph = new_graph(dimensions)
        self._gate = _Gate()
        self._recall: float | None = None

    @property
    def count(self) -> int:
        """Vectors that can be found."""
        return self._exact.count

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """See `VectorIndex`; takes some 1 ms a vector and core."""
        ids, vectors = checked(ids, vectors, self._exact.dimensions)
        for first in range(0, len(ids), _ADDED_AT_ONCE):
            some = slice(first, first + _ADDED_AT_ONCE)
            with self._gate.changing():
                self._exact.add_checked(ids[some], vectors[some])
                # Those that are there already.
                self._graph.remove(ids[some][self._graph.contains(ids[some])], threads=1)
                self._graph.add(ids[some], vectors[some], threads=self._threads)

    def remove(self, ids: Ids) -> None:
        """See `VectorIndex`."""
        with self._gate.changing():
            self._exact.remove(ids)
            known = np.unique(ids)
            if len(known):
                self._graph.remove(known[self._graph.contains(known)], threads=1)

    def search(self, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """See `VectorIndex`."""
        query = checked_query(query, k, self._exact.dimensions)
        if allowed is None and k <= min(MOST_HITS, self.count // 10):
            with self._gate.passing() as passed:
                if passed:
                    return self._by_graph(query, k)
        return self._exact.search_checked(query, k, allowed)

    def search_exact(self, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """See `VectorIndex`."""
        return self._exact.search(query, k, allowed)

    def measure_recall(self, sample: int, k: int) -> float:
        """The share of the true `k` nearest vectors that a search by the graph finds, in [0, 1].

        The queries are vectors of the index, evenly spaced; each is left out of its own hits, which would be
        too easy. Takes the time of `sample` exact searches, and is kept for `statistics`.

        Args:
            sample: Queries, at most one for each vector.
            k: Hits of each.
        """
        rows = self._exact.rows
        alive = np.flatnonzero(rows.alive)
        if len(alive) < 2:
            return 1.0  # nothing to miss
        chosen = alive[np.linspace(0, len(alive) - 1, min(sample, len(alive)), dtype=np.int64)]
        shares = [
            self._share_found(query, own, k)
            for query, own in zip(rows.vectors_of(chosen), rows.ids[chosen], strict=True)
        ]
        self._recall = float(np.mean(shares))
        return self._recall

    def statistics(self) -> IndexStatistics:
        """See `VectorIndex`."""
        exact = self._exact.statistics()
        return replace(
            exact,
            size_bytes=exact.size_bytes + self._graph.memory_usage,
            kind=IndexKind.APPROXIMATE,
            recall=self._recall,
        )

    def _by_graph(self, query: Vectors, k: int) -> tuple[Ids, Scores]:
        # usearch looks at as many candidates as hits are asked for, and never at fewer than its expansion.
        found = self._graph.search(query, max(EXPANSION_SEARCH, _OVERSAMPLING * k), threads=1)
        ids, scores = self._exact.scores_of(np.sort(found.keys.astype(np.int64)), query)
        return best(scores, ids, k)

    def _share_found(self, query: Vectors, own: np.int64, k: int) -> float:
        true, _ = self._exact.search_checked(query, k + 1)
        true = true[true != own][:k]
        with self._gate.passing(wait=True):
            found, _ = self._by_graph(query, k + 1)
        return len(np.intersect1d(true, found[found != own][:k])) / len(true)


class _Gate:
    """Many may pass at once, or one may change; nobody who passes is made to wait."""

    def __init__(self) -> None:
        self._state = Condition()
        self._passing = 0
        self._changing = False

    @contextmanager
    def passing(self, *, wait: bool = False) -> Iterator[bool]:
        """Whether the gate is open; with `wait` it is, in a moment."""
        with self._state:
            if wait:
                self._state.wait_for(lambda: not self._changing)
            is_open = not self._changing
            self._passing += is_open
        try:
            yield is_open
        finally:
            if is_open:
                with self._state:
                    self._passing -= 1
                    self._state.notify_all()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Waits until nobody passes, and lets nobody pass meanwhile; for one thread at a time."""
        with self._state:
            self._changing = True
            self._state.wait_for(lambda: self._passing == 0)
        try:
            yield
        finally:
            with self._state:
                self._changing = False
                self._state.notify_all()
