"""What a broadcast tells about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SubscriberSnapshot:
    """One subscriber as it is now."""

    connection_id: str
    opened_at_ns: int
    cursor: str
    lag: int
    delivered: int
    dropped: int
    stalled_s: float
    acknowledged: str
    """The cursor up to which its reader said that it was done; empty: it said nothing."""


@dataclass(frozen=True, slots=True)
class BroadcastStatistics:
    """One broadcast in numbers. Counters start at 0 with the process."""

    subscribers: int
    waiting: int
    """Subscribers that have everything there is for them."""
    filters: int
    """Distinct filters in use."""
    ring_events: int
    ring_bytes: int
    subscriptions: int
    """Opened since the start."""
    broadcast: int
    """Events broadcast since the start."""
    delivered: int
    """Events taken by the transports of all subscribers."""
    heartbeats: int
    stale_removed: int
    """Subscriptions whose peer had not read for a while when its connection ended."""
    dropped: Mapping[str, int]
    """Events that subscribers were told they will not get, by `GapReason`."""
    too_slow: int
    """Subscriptions ended because they fell behind."""
