"""How long to wait before a source is opened again."""

from __future__ import annotations

from dataclasses import dataclass

_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class BackOff:
    """Exponential with full jitter: many monitors of one broken camera do not come back at once."""

    first_s: float = 0.5
    """Longest wait after the first failure; it doubles with each further one."""
    max_s: float = 30.0
    """Longest wait ever."""

    def delay_s(self, failures: int, random: float) -> float:
        """The wait after so many failures in a row.

        Args:
            failures: At least 1.
            random: In [0, 1).
        """
        longest_s = min(self.max_s, self.first_s * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))
        return random * longest_s
