"""Vectors for tests of indexes, and what a scan of all of them finds."""

from __future__ import annotations

import numpy as np

from vidence_server.library.search.index import Ids, Scores, Vectors


def vectors(count: int, dimensions: int = 8, seed: int = 1) -> Vectors:
    return np.random.default_rng(seed).standard_normal((count, dimensions), dtype=np.float32)


def ids(*numbers: int) -> Ids:
    return np.array(numbers, np.int64)


def pairs(found: tuple[Ids, Scores]) -> list[tuple[int, float]]:
    return list(zip(found[0].tolist(), found[1].tolist(), strict=True))
