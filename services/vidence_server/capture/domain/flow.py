"""How the frames of a session come, and for how long none may come before it counts as silence."""

from __future__ import annotations

from collections import deque
from statistics import median

_RECENT = 5
_FRAMES_MISSED = 3.0
_MOST = 4.0


class FrameFlow:
    """Knows when frames came. A slow camera, or a server that is busy, is no camera that stopped."""

    def __init__(self, begin_s: float) -> None:
        self._last_s = begin_s
        self._came_s: float | None = None
        self._intervals_s: deque[float] = deque(maxlen=_RECENT)

    def came(self, now_s: float) -> None:
        """A frame was received."""
        if self._came_s is not None:
            self._intervals_s.append(now_s - self._came_s)
        self._came_s = self._last_s = now_s

    def looked_at(self, now_s: float) -> None:
        """A frame has its verdict."""
        self._last_s = max(self._last_s, now_s)

    def silent_s(self, now_s: float) -> float:
        """Time since the last sign of a frame, s."""
        return now_s - self._last_s

    def patience_s(self, least_s: float) -> float:
        """Time without a frame that is no silence yet: three of the usual intervals, `least_s` to 4 × that.

        The usual interval is the median of the last five, so that one pause does not make it long.
        """
        usual_s = median(self._intervals_s) if self._intervals_s else 0.0
        return min(max(least_s, _FRAMES_MISSED * usual_s), _MOST * least_s)
