"""usearch's exact search over a matrix, all cores."""

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
from usearch.index import MetricKind, search

from benchmarks.peers.vectors.data import Vectors
from benchmarks.peers.vectors.serving import options, serve


class Exact:
    """One matrix."""

    def __init__(self, count: int, dimensions: int) -> None:
        self.matrix = np.empty((count, dimensions), np.float32)

    def add(self, first: int, vectors: Vectors) -> None:
        """Copies rows."""
        self.matrix[first : first + len(vectors)] = vectors

    def finish(self) -> None:
        """Nothing to do."""

    def search(self, query: Vectors, k: int) -> Sequence[int]:
        """The best k."""
        return search(self.matrix, query, k, MetricKind.IP, exact=True).keys.tolist()


if __name__ == "__main__":
    chosen = options()
    serve(f"usearch {version('usearch')}, exact", chosen, Exact(chosen.count, chosen.dimensions))
