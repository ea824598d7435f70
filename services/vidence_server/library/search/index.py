"""What an index of vectors is, and which kinds there are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Ids: TypeAlias = npt.NDArray[np.int64]
Vectors: TypeAlias = npt.NDArray[np.float32]
Scores: TypeAlias = npt.NDArray[np.float32]

MAX_K = 100_000
"""Most hits of one search."""


class IndexKind(StrEnum):
    """How an index finds."""

    EXACT = "exact"
    """Every vector is compared: recall 1."""
    APPROXIMATE = "approximate"
    """A graph leads to the neighbours: faster for many vectors, misses a few."""


@dataclass(frozen=True, slots=True)
class IndexStatistics:
    """An index as it is now."""

    count: int
    """Vectors that can be found."""
    capacity: int
    """Vectors for which there is memory, removed ones included."""
    size_bytes: int
    """Memory of vectors, ids and graph."""
    kind: IndexKind
    recall: float | None
    """As last measured, in [0, 1]; 1 for an exact index; None where it was never measured."""


class VectorIndex(Protocol):
    """Vectors by id, ranked by cosine similarity.

    `add` and `remove` are called from one thread at a time; `search` from any thread, also while they run: it
    works on what is there when it begins. All of them block, so none is for the event loop.
    """

    @property
    def count(self) -> int:
        """Vectors that can be found."""
        ...

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Adds vectors; one whose id is there replaces it, of two with one id the last holds.

        Args:
            ids: int64 (N,), not negative.
            vectors: float32 (N, D); normalised here.

        Raises:
            DomainError: REQUEST_INVALID where a vector is zero, not finite, or has another length; then none
                is added.
        """
        ...

    def remove(self, ids: Ids) -> None:
        """Removes vectors; ids that are not there do not matter."""
        ...

    def search(self, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """The vectors most like the query.

        Args:
            query: float32 (D,); normalised here.
            k: Most hits, from 1 to `MAX_K`.
            allowed: int64, sorted, each once: the only ids that may be found; None: all.

        Returns:
            ids int64 (n,) and cosines float32 (n,), n ≤ k; the highest first, equal ones by id. Equal vectors
            have equal cosines wherever they lie, so the order stays the same after a restart.

        Raises:
            DomainError: REQUEST_INVALID where `k` or the query is wrong.
        """
        ...

    def search_exact(self, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """As `search`, with recall 1: every vector that is allowed is compared."""
        ...

    def statistics(self) -> IndexStatistics:
        """The numbers as they are now."""
        ...
