"""What a monitor counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MonitorStatistics:
    """What was seen. Counters start with the process."""

    source_open: int
    """1 while the source gives frames."""
    source_failures: int
    """How often it could not be opened, broke or fell silent."""
    last_frame_age_s: float
    """Since the last frame was looked at; since the start before the first."""
    frames_read: int
    frames_skipped: int
    frames_dropped: int
    frames_unreadable: int
    frames_analysed: int
    frames_failed: int
    """Frames that were taken and could not be looked at."""
    analysis_s_sum: float
    """Time from taking frames to being done with them."""
    present: int
    """People who are there now."""
    appeared: int
    identified: int
    left: int
