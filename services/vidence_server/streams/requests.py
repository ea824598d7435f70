"""What a subscriber asks for."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeAlias

from vidence_server.streams.cursor import Cursor


class Filter(Hashable, Protocol):
    """Which entries a subscriber wants. Equal filters are evaluated once per entry for all who ask."""

    def matches(self, key: object) -> bool:
        """Whether an entry with this key is wanted. Must give the same answer each time."""
        ...


@dataclass(frozen=True, slots=True)
class AfterCursor:
    """Start after a place that an earlier stream told."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class SinceTime:
    """Start at the first entry taken at or after a time."""

    time_ns: int
    """Unix ns."""


@dataclass(frozen=True, slots=True)
class Latest:
    """Start with what comes from now on."""


@dataclass(frozen=True, slots=True)
class Earliest:
    """Start with the oldest entry that is kept."""


Start: TypeAlias = AfterCursor | SinceTime | Latest | Earliest


class OnExpired(IntEnum):
    """What to do when the start is no longer kept; the numbers are those of the proto."""

    FAIL = 1
    GAP = 2


class OnOverflow(IntEnum):
    """What to do with a subscriber that falls behind the ring; the numbers are those of the proto."""

    PARK = 1
    """It keeps its cursor and is served from the log when it reads again."""
    DISCONNECT = 2
    """It is ended: TOO_SLOW."""
    BLOCK = 3
    """Its publisher waits. For a publisher on its own key only."""


@dataclass(frozen=True, slots=True)
class SubscriptionRequest:
    """What one subscriber asks for."""

    start: Start
    connection_id: str
    heartbeat_period_s: float
    on_expired: OnExpired = OnExpired.FAIL
    on_overflow: OnOverflow = OnOverflow.PARK
    filter: Filter | None = None
    """None: everything."""
