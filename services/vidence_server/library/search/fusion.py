"""Several rankings made one by their ranks, and why each hit is where it is.

Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): a hit scores Σ weight / (constant + rank)
over the rankings that have it. Scores of different searches need not be comparable: only ranks count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.library.search.index import Ids, Scores

CONSTANT = 60.0
"""The paper's; the larger, the less the first ranks stand out."""
_NO_WEIGHTS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """What one search found, the best first: ids int64 (n,), each once; scores float32 (n,)."""

    name: str
    ids: Ids
    scores: Scores


@dataclass(frozen=True, slots=True)
class Part:
    """What one ranking gives to the score of a hit."""

    name: str
    rank: int
    """From 1."""
    score: float
    """The ranking's own."""
    weight: float
    contribution: float


@dataclass(frozen=True, slots=True, eq=False)
class Fused:
    """The result: ids int64 (n,) and scores float32 (n,), the highest first, equal ones by id."""

    ids: Ids
    scores: Scores
    _parts: Mapping[int, tuple[Part, ...]] = field(repr=False)

    def explain(self, hit: int) -> tuple[Part, ...]:
        """Why the hit has its score: one part for each ranking that has it, in their order.

        Raises:
            KeyError: It is no hit.
        """
        return self._parts[hit]


def fuse(
    rankings: Sequence[Ranking],
    k: int,
    *,
    constant: float = CONSTANT,
    weights: Mapping[str, float] = _NO_WEIGHTS,
) -> Fused:
    """Fuses rankings.

    Args:
        rankings: Their names differ.
        k: Most hits.
        constant: Not negative.
        weights: By name, not negative; unset: 1. A ranking of weight 0 gives no hits.

    Raises:
        DomainError: REQUEST_INVALID where a weight or the constant is not allowed.
    """
    if not 0 <= constant < np.inf or not all(0 <= weight < np.inf for weight in weights.values()):
        description = "Weights and the constant of a fusion are finite and not negative."
        raise DomainError(
            Reason.REQUEST_INVALID, description, fields=(FieldViolation("fusion", description),)
        )
    parts: dict[int, list[Part]] = {}
    for ranking in rankings:
        weight = weights.get(ranking.name, 1.0)
        if weight:
            _add(parts, ranking, weight, constant)
    # Summed in double precision, and ordered by that: ids decide between equals only.
    totals = {hit: sum(part.contribution for part in some) for hit, some in parts.items()}
    chosen = sorted(totals, key=lambda hit: (-totals[hit], hit))[:k]
    return Fused(
        np.array(chosen, np.int64),
        np.array([totals[hit] for hit in chosen], np.float32),
        {hit: tuple(parts[hit]) for hit in chosen},
    )


def _add(parts: dict[int, list[Part]], ranking: Ranking, weight: float, constant: float) -> None:
    pairs = zip(ranking.ids.tolist(), ranking.scores.tolist(), strict=True)
    for rank, (hit, score) in enumerate(pairs, 1):
        contribution = weight / (constant + rank)
        parts.setdefault(hit, []).append(Part(ranking.name, rank, score, weight, contribution))
