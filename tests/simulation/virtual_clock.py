"""A wall clock that can be set wrong, beside a monotonic one that cannot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from simulation.virtual_loop import VirtualLoop

_START = datetime(2030, 1, 1, tzinfo=UTC)


class VirtualClock:
    """Both clocks run with the loop's virtual time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._offset_s = 0.0

    def now(self) -> datetime:
        """The wall clock, in UTC, with everything it was set wrong by."""
        return _START + timedelta(seconds=self._loop.time() + self._offset_s)

    def now_ns(self) -> int:
        """The wall clock, Unix ns."""
        return round(self.now().timestamp() * 1_000_000) * 1_000

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self._loop.time()

    def jump(self, seconds: float) -> None:
        """Sets the wall clock forwards, or backwards."""
        self._offset_s += seconds
