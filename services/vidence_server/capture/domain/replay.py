"""Signs that frames come from a recording and not from a camera."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

from vidence_server.core.errors import DomainError, Reason

CLOCK_NOT_RISING = "clock_not_rising"
CLOCK_TOO_REGULAR = "clock_too_regular"
FRAMES_REPEAT = "frames_repeat"

_RECENT_FRAMES = 16
_RHYTHM_FRAMES = 24


class ReplayWatch:
    """Looks at the order, the times and the contents of a session's frames.

    Cameras jitter and their sensors have noise: neither do their times follow each other to the microsecond,
    nor do two frames have the same bytes.
    """

    def __init__(self) -> None:
        self._last_number = 0
        self._last_time_us: int | None = None
        self._hashes: deque[str] = deque(maxlen=_RECENT_FRAMES)
        self._intervals_us: deque[int] = deque(maxlen=_RHYTHM_FRAMES)
        self._signs: Counter[str] = Counter()

    @property
    def signs(self) -> Mapping[str, int]:
        """How often each sign was seen."""
        return self._signs

    def check(self, number: int, capture_time_us: int | None, sha256: str) -> tuple[int, str | None]:
        """Takes a frame.

        Args:
            number: The client's count; 0: it does not count.
            capture_time_us: When the camera took it, Unix µs; None: not known.
            sha256: Of its bytes.

        Returns:
            The frame's number, and a sign that is new with it.

        Raises:
            DomainError: FRAME_OUT_OF_ORDER, FRAME_REPEATED.
        """
        if number and number <= self._last_number:
            raise _out_of_order(self._last_number, number)
        if capture_time_us is not None and not self._rises(capture_time_us):
            self._signs[CLOCK_NOT_RISING] += 1
            raise _out_of_order(self._last_time_us or 0, capture_time_us)
        if sha256 in self._hashes:
            self._signs[FRAMES_REPEAT] += 1
            raise DomainError(
                Reason.FRAME_REPEATED, "The frame has the same bytes as one that came just before."
            )
        self._hashes.append(sha256)
        self._last_number = number or self._last_number + 1
        return self._last_number, self._rhythm(capture_time_us)

    def _rises(self, time_us: int) -> bool:
        return self._last_time_us is None or time_us > self._last_time_us

    def _rhythm(self, time_us: int | None) -> str | None:
        last, self._last_time_us = self._last_time_us, time_us
        if time_us is None or last is None:
            self._intervals_us.clear()
            return None
        self._intervals_us.append(time_us - last)
        if len(self._intervals_us) < _RHYTHM_FRAMES or len(set(self._intervals_us)) > 1:
            return None
        self._intervals_us.clear()
        self._signs[CLOCK_TOO_REGULAR] += 1
        return CLOCK_TOO_REGULAR


def _out_of_order(last: int, actual: int) -> DomainError:
    return DomainError(
        Reason.FRAME_OUT_OF_ORDER,
        "The frame does not come after the one before.",
        metadata={"last": str(last), "actual": str(actual)},
    )
