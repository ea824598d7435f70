"""The bus in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_SUBSCRIBERS_TOLD = 100


@dataclass(frozen=True, slots=True)
class LogNumbers:
    """What the log holds."""

    event_count: int
    size_bytes: int
    """Encoded."""
    oldest_cursor: str
    """Resuming after it gives everything that is kept."""
    newest_cursor: str
    oldest_time_ns: int | None
    """When the oldest event that is kept was accepted, Unix ns; None: none is kept."""
    total_expired: int


@dataclass(frozen=True, slots=True)
class SubscriberNumbers:
    """One subscription."""

    connection_id: str
    open_time_ns: int
    """Unix ns."""
    cursor: str
    lag_events: int
    delivered: int
    dropped: int
    stalled_s: float
    acknowledged: str
    """How long its peer has not taken what was written to it; 0: it reads."""


@dataclass(frozen=True, slots=True)
class BusStatistics:
    """As `vidence.event.v1.Statistics`. Counters start at 0 with the process."""

    snapshot_time_ns: int
    """Unix ns."""
    running: bool
    uptime_s: float
    total_published: int
    total_delivered: int
    total_errors: int
    pending_events: int
    subscriber_count: int
    total_repeated: int
    dropped_by_reason: Mapping[str, int]
    errors_by_reason: Mapping[str, int]
    total_heartbeats: int
    total_subscriptions: int
    stale_removed: int
    published_per_second: float
    delivered_per_second: float
    log: LogNumbers
    subscribers: Sequence[SubscriberNumbers]
    """Those that lag most first, at most `MAX_SUBSCRIBERS_TOLD`."""
