"""Which index a library gets."""

from __future__ import annotations

from typing import assert_never

from vidence_server.library.search.approximate import ApproximateIndex
from vidence_server.library.search.exact import ExactIndex
from vidence_server.library.search.index import IndexKind, VectorIndex
from vidence_server.library.search.scan import ScanThreads

APPROXIMATE_FROM = 500_000
"""Vectors from which a graph is worth its memory and its building; with fewer, exact takes milliseconds."""


def kind_for(count: int) -> IndexKind:
    """The kind for a library of so many vectors whose owner asked for none."""
    return IndexKind.APPROXIMATE if count >= APPROXIMATE_FROM else IndexKind.EXACT


def make_index(kind: IndexKind, dimensions: int, scan: ScanThreads | None = None) -> VectorIndex:
    """An empty index.

    Args:
        kind: How it finds.
        dimensions: Length of a vector.
        scan: Threads that all indexes share; None: the calling thread alone.
    """
    threads = scan or ScanThreads(1)
    match kind:
        case IndexKind.EXACT:
            return ExactIndex(dimensions, threads)
        case IndexKind.APPROXIMATE:
            return ApproximateIndex(dimensions, threads)
        case _:
            assert_never(kind)
