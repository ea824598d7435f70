"""What is kept, and what is the oldest that has to go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vidence_server.streams.durable.store import Extent, RecordSize

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Retention:
    """How much a log keeps; what is over any of the limits goes, the oldest first. None: no limit."""

    max_age_s: float | None = None
    """Seconds since the log took an event."""
    max_count: int | None = None
    max_bytes: int | None = None
    """Sum over the bodies."""

    def due(self, extent: Extent, oldest_time_ns: int | None, now_ns: int) -> bool:
        """Whether something has to go."""
        if oldest_time_ns is None:
            return False
        return (
            (self.max_count is not None and extent.event_count > self.max_count)
            or (self.max_bytes is not None and extent.size_bytes > self.max_bytes)
            or oldest_time_ns < self.horizon_ns(now_ns)
        )

    def horizon_ns(self, now_ns: int) -> int:
        """What is older than this goes."""
        return 0 if self.max_age_s is None else now_ns - int(self.max_age_s * _NS)

    def cut(self, extent: Extent, oldest: Iterable[RecordSize], now_ns: int) -> list[RecordSize]:
        """Those of the oldest records that have to go: a prefix."""
        horizon_ns = self.horizon_ns(now_ns)
        count, size_bytes = extent.event_count, extent.size_bytes
        gone: list[RecordSize] = []
        for record in oldest:
            if (
                (self.max_count is None or count <= self.max_count)
                and (self.max_bytes is None or size_bytes <= self.max_bytes)
                and record.time_ns >= horizon_ns
            ):
                break
            gone.append(record)
            count -= 1
            size_bytes -= record.size_bytes
        return gone
