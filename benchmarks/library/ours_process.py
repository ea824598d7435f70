"""Our own indexes in a process of their own, asked as the peers are; `--approximate` for the graph."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np

from benchmarks.peers.vectors.data import Vectors
from benchmarks.peers.vectors.serving import options, serve
from vidence_server.inference.engine import available_cores
from vidence_server.library.search.index import IndexKind, VectorIndex
from vidence_server.library.search.making import make_index
from vidence_server.library.search.scan import ScanThreads


class Ours:
    """One index; it normalises what it is given, as it does in a service."""

    def __init__(self, index: VectorIndex) -> None:
        self._index = index

    def add(self, first: int, vectors: Vectors) -> None:
        """One addition."""
        self._index.add(np.arange(first, first + len(vectors)), vectors)

    def finish(self) -> None:
        """Nothing to do."""

    def search(self, query: Vectors, k: int) -> Sequence[int]:
        """The best k."""
        ids: list[int] = self._index.search(query, k)[0].tolist()
        return ids


def main() -> None:
    """Answers until stdin closes."""
    kind = IndexKind.APPROXIMATE if "--approximate" in sys.argv else IndexKind.EXACT
    sys.argv = [word for word in sys.argv if word != "--approximate"]
    chosen: argparse.Namespace = options()
    with ScanThreads(available_cores()) as scan:
        index = make_index(kind, chosen.dimensions, scan)
        serve(f"vidence {version('vidence')}, {kind}", chosen, Ours(index))


if __name__ == "__main__":
    main()
