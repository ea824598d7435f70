"""How fast a source is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast frames are read."""

    max_fps: float = 10.0
    """Frames a second that are given out, at most; those between are read and skipped."""
    as_recorded: bool = True
    """Whether a video is read at its own speed; else as fast as frames are taken, and none is dropped."""
