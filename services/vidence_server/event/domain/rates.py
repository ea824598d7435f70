"""How many per second, of late."""

from __future__ import annotations

from collections import deque

WINDOW_S = 10.0


class Rate:
    """Per second over the last ten seconds, from a count that only grows.

    `sample` is called about once a second. Bound: the samples of the window and one before it.
    """

    def __init__(self, now_s: float) -> None:
        self._samples: deque[tuple[float, int]] = deque([(now_s, 0)])

    def sample(self, now_s: float, total: int) -> None:
        """Remembers the count of this moment, on a monotonic scale in seconds."""
        self._samples.append((now_s, total))
        while len(self._samples) > 2 and self._samples[1][0] <= now_s - WINDOW_S:
            self._samples.popleft()

    def per_second(self, now_s: float, total: int) -> float:
        """The rate up to this moment; 0 at the very beginning."""
        base_s, base = self._samples[0]
        for at_s, count in self._samples:
            if at_s > now_s - WINDOW_S:
                break
            base_s, base = at_s, count
        return max(0.0, (total - base) / (now_s - base_s)) if now_s > base_s else 0.0
