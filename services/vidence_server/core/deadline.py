"""A point in monotonic time after which nobody waits for a result any more."""

from __future__ import annotations

from dataclasses import dataclass

from vidence_server.core.clock import Clock


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on a `Clock`'s monotonic scale, in seconds."""

    at_s: float

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> Deadline:
        """The deadline `seconds` from now."""
        return cls(clock.monotonic() + seconds)

    def remaining_s(self, clock: Clock) -> float:
        """Seconds left; negative once it has passed."""
        return self.at_s - clock.monotonic()

    def passed(self, clock: Clock) -> bool:
        """Whether the moment is over."""
        return self.remaining_s(clock) <= 0
