"""The vectors that everybody keeps and looks for: the same in every process, made in pieces."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
PIECE = 10_000
"""Vectors per piece, and rows that are added at once."""
_CENTRES = 200


def pieces(count: int, dimensions: int) -> Iterator[tuple[int, Vectors]]:
    """Vectors of length 1 around some centres, as embeddings lie; each piece with the number of its first."""
    centres = np.random.default_rng(1).standard_normal((_CENTRES, dimensions), dtype=np.float32)
    for first in range(0, count, PIECE):
        random = np.random.default_rng((2, first))
        size = min(PIECE, count - first)
        made = random.standard_normal((size, dimensions), dtype=np.float32)
        made += centres[random.integers(0, _CENTRES, size)]
        yield first, made / np.linalg.norm(made, axis=1, keepdims=True)


def query(number: int, dimensions: int) -> Vectors:
    """One query of length 1, float32 (D,), near the same centres."""
    centres = np.random.default_rng(1).standard_normal((_CENTRES, dimensions), dtype=np.float32)
    random = np.random.default_rng((3, number))
    made = random.standard_normal(dimensions, dtype=np.float32) + centres[random.integers(0, _CENTRES)]
    found: Vectors = made / np.linalg.norm(made)
    return found
