"""numpy as one would call it oneself: a product, argpartition, a sort; the matrix is there beforehand."""

from collections.abc import Sequence

import numpy as np

from benchmarks.peers.vectors.data import Vectors
from benchmarks.peers.vectors.serving import options, serve


class Direct:
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
        scores = self.matrix @ query
        k = min(k, len(scores))
        best = np.argpartition(scores, len(scores) - k)[len(scores) - k :]
        return best[np.argsort(-scores[best])].tolist()


if __name__ == "__main__":
    chosen = options()
    serve(f"numpy {np.__version__}", chosen, Direct(chosen.count, chosen.dimensions))
