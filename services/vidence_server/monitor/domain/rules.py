"""The times and numbers by which people are followed. Without arrays: settings are made of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackerRules:
    """When somebody counts as there, as gone, as known."""

    appear_s: float = 0.5
    """A face must be seen for this time before it is told."""
    appear_frames: int = 3
    """And in at least so many frames."""
    follow_s: float = 1.0
    """Longest time out of sight after which the place alone tells who it is."""
    leave_s: float = 3.0
    """Time out of sight after which the person has left; not below `follow_s`."""
    max_shift: float = 1.0
    """How far a face may move between two sights, in its own size."""
    look_s: float = 0.5
    """Least time between two looks at a face that is not identified yet."""
    look_limit: int = 20
    """Looks after which somebody stays unknown, and is only verified."""
    verify_s: float = 3.0
    """Time after which a face is looked at again, to see that it is still the same person's."""
    votes: int = 2
    """Looks more than for any other name that must give a name before it is told."""
    same: float = 0.30
    """Least similarity of two looks at one person."""
    different: float = 0.15
    """Similarity below which two looks contradict each other; between the two nothing is concluded."""
    strikes: int = 2
    """Contradictions in a row after which it is somebody else."""
