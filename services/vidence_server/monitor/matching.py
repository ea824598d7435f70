"""When a face is somebody's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidence_server.monitor.ports import Identity


@dataclass(frozen=True, slots=True)
class MatchRule:
    """When a face is somebody's."""

    threshold: float
    """Least similarity, -1 to 1."""
    margin: float
    """How much more than to anybody else."""

    def decide(self, ranked: Sequence[Identity]) -> Identity | None:
        """Whom a face belongs to, of people each named once, the most similar first; None: nobody."""
        if not ranked:
            return None
        best = ranked[0]
        runner_up = ranked[1].similarity if len(ranked) > 1 else -1.0
        if best.similarity < self.threshold or best.similarity - runner_up < self.margin:
            return None
        return Identity(best.name, min(1.0, best.similarity))
