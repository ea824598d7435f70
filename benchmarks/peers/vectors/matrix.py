"""Vectors in one matrix in memory, as numpy and usearch are called directly."""

import numpy as np

from benchmarks.peers.vectors.data import Vectors


class Matrix:
    """Rows that are there beforehand; how they are searched is for those who derive from it."""

    def __init__(self, count: int, dimensions: int) -> None:
        self.matrix = np.empty((count, dimensions), np.float32)

    def add(self, first: int, vectors: Vectors) -> None:
        """Copies rows."""
        self.matrix[first : first + len(vectors)] = vectors

    def finish(self) -> None:
        """Nothing to do."""
