"""numpy as one would call it oneself: a product, argpartition, a sort; the matrix is there beforehand."""

from collections.abc import Sequence

import numpy as np

from benchmarks.peers.vectors.data import Vectors
from benchmarks.peers.vectors.matrix import Matrix
from benchmarks.peers.vectors.serving import options, serve


class Direct(Matrix):
    """A product and a partition."""

    def search(self, query: Vectors, k: int) -> Sequence[int]:
        """The best k."""
        scores = self.matrix @ query
        k = min(k, len(scores))
        best = np.argpartition(scores, len(scores) - k)[len(scores) - k :]
        return best[np.argsort(-scores[best])].tolist()


if __name__ == "__main__":
    chosen = options()
    serve(f"numpy {np.__version__}", chosen, Direct(chosen.count, chosen.dimensions))
