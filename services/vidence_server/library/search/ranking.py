"""The best of many scores, in an order that is always the same."""

from __future__ import annotations

import numpy as np

from vidence_server.library.search.index import Ids, Scores

NOT_FOUND = np.float32(-np.inf)
"""The score of what must not be found."""


def best(scores: Scores, ids: Ids, k: int) -> tuple[Ids, Scores]:
    """The `k` highest scores with their ids, the highest first, equal ones by id.

    Takes time in proportion to N, and k log k for the order.

    Args:
        scores: float32 (N,), no NaN; `NOT_FOUND` is left out.
        ids: int64 (N,).
        k: At least 1; where fewer can be found, these are the result.
    """
    if k < len(scores):
        # Everything from the k-th score up, ties included: which of them stay is decided by id, not by place.
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        chosen = np.flatnonzero(scores >= least)
        scores, ids = scores[chosen], ids[chosen]
    found = scores > NOT_FOUND
    if not found.all():
        scores, ids = scores[found], ids[found]
    order = np.lexsort((ids, -scores))[:k]
    return ids[order], scores[order]
