"""The numbers of a writer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WriterStatistics:
    """The load of a writer now, and since it started."""

    pending_events: int
    """Accepted, and not yet answered."""
    pending_bytes: int
    groups: int
    """Commits of appended events, failed ones too."""
    group_events_max: int
    queue_full: int
    """Events that were refused because too many were waiting."""
    expiry_failed: int
    """Times that retention could not remove what it had to."""
