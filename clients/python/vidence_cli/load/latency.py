"""How long deliveries took, in bounded memory."""

from __future__ import annotations

import math
from collections import Counter

_SHORTEST_S = 1e-6
_GROWTH = math.log(1.02)


class LatencyHistogram:
    """Counts times in buckets that are 2 % wide each, so that a percentile is exact to 2 %."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()

    @property
    def count(self) -> int:
        """How many times were added."""
        return self._buckets.total()

    def add(self, latency_s: float) -> None:
        """Adds one time, s; below 1 µs counts as 1 µs."""
        self._buckets[math.floor(math.log(max(latency_s, _SHORTEST_S) / _SHORTEST_S) / _GROWTH)] += 1

    def percentile_s(self, percent: float) -> float | None:
        """The time that so many per cent do not exceed (nearest rank), s; None where there is none."""
        rank = math.ceil(self.count * percent / 100)
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return _SHORTEST_S * math.exp((bucket + 1) * _GROWTH)
        return None
