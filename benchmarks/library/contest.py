"""The measurement itself: everybody is filled, then all take turns, query by query.

Each search begins when the one before has come to rest: it has all cores, as a search that comes alone has.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.library.contenders import NUMPY, Contender, ContenderFailedError, Standing, filled

KS = (10, 1000)


@dataclass(frozen=True, slots=True)
class Size:
    """How many vectors of how many numbers."""

    count: int
    dimensions: int

    def __str__(self) -> str:
        return f"{self.count:,} × {self.dimensions}"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    sizes: tuple[Size, ...] = (Size(25_000, 384), Size(100_000, 384), Size(1_000_000, 128))
    served: tuple[Size, ...] = (Size(25_000, 384), Size(100_000, 384))
    """What is measured through the service."""
    rounds: int = 5
    queries: int = 20
    """Of each round and k; a quarter of them, but 5 at least, for a million vectors."""

    def queries_of(self, size: Size) -> int:
        """Queries of a round for a size."""
        return self.queries if size.count < 1_000_000 else min(self.queries, max(5, self.queries // 4))


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, by contender and size."""

    filled: dict[tuple[str, Size], Mapping[str, Any]] = field(default_factory=dict)
    seconds: dict[tuple[str, Size, int], list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    """With k: one list per round, one element per query."""
    recalls: dict[tuple[str, Size, int], list[float]] = field(default_factory=lambda: defaultdict(list))
    """Share of numpy's hits that were found, per query."""
    absent: dict[str, str] = field(default_factory=dict)
    """Peers that could not be measured here, and why."""


def contest(present: Sequence[Contender], plan: Plan, folder: Path, host: str) -> Measured:
    """Measures all contenders.

    Raises:
        ContenderFailedError: One without which there is nothing to compare did not start or could not search.
    """
    measured = Measured()
    for size in plan.sizes:
        with ExitStack() as stack:
            standing = []
            for contender in present:
                if size.count <= contender.largest and contender.name not in measured.absent:
                    standing += _filled(stack, contender, size, folder=folder, host=host, measured=measured)
            _search(measured, standing, plan, size)
        print(f"{size} done", flush=True)
    return measured


def _filled(
    stack: ExitStack, contender: Contender, size: Size, *, folder: Path, host: str, measured: Measured
) -> list[Standing]:
    """The contender, warm; nobody where it is a peer that does not work on this machine."""
    own = Path(stack.enter_context(TemporaryDirectory(dir=folder)))
    os.sync()  # what others wrote before must not be paid for here
    try:
        one = stack.enter_context(
            filled(contender, count=size.count, dimensions=size.dimensions, folder=own, host=host)
        )
        for k in KS:
            one.search(0, k)
        one.rest()
    except ContenderFailedError as error:
        if not contender.may_fail:
            raise
        measured.absent[contender.name] = str(error)
        return []
    measured.filled[one.name, size] = one.filled
    return [one]


def _search(measured: Measured, standing: Sequence[Standing], plan: Plan, size: Size) -> None:
    for k in KS:
        for number in range(plan.rounds):
            # A change of the machine's pace meets all of them, and each comes first as often as the others.
            round_s: dict[str, list[float]] = defaultdict(list)
            for query in range(plan.queries_of(size)):
                found = {}
                for turn in range(len(standing)):
                    one = standing[(turn + query + number) % len(standing)]
                    found[one.name] = one.search(query, k)
                    round_s[one.name].append(found[one.name].seconds)
                    one.rest()
                true = set(found[NUMPY].ids)
                for name, answer in found.items():
                    measured.recalls[name, size, k].append(len(true.intersection(answer.ids)) / len(true))
            for name, seconds in round_s.items():
                measured.seconds[name, size, k].append(seconds)
