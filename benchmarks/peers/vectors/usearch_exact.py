"""usearch's exact search over a matrix, all cores."""

from collections.abc import Sequence
from importlib.metadata import version

from usearch.index import MetricKind, search

from benchmarks.peers.vectors.data import Vectors
from benchmarks.peers.vectors.matrix import Matrix
from benchmarks.peers.vectors.serving import options, serve


class Exact(Matrix):
    """Its search over a matrix."""

    def search(self, query: Vectors, k: int) -> Sequence[int]:
        """The best k."""
        return search(self.matrix, query, k, MetricKind.IP, exact=True).keys.tolist()


if __name__ == "__main__":
    chosen = options()
    serve(f"usearch {version('usearch')}, exact", chosen, Exact(chosen.count, chosen.dimensions))
