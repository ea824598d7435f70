"""How often a session says the same: attempts, quality and guidance are conflated where they arise."""

from __future__ import annotations

from dataclasses import replace
from typing import Generic, TypeVar

from vidence_server.capture.domain.events import SessionEvent, TransitionTried

T = TypeVar("T")


class AttemptTeller:
    """Tells every attempt of a transition: equal refusals once, then once a period with their number."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._held: TransitionTried | None = None
        self._kind: tuple[object, ...] = ()
        self._told_s = 0.0

    def tell(self, attempt: TransitionTried, now_s: float) -> list[SessionEvent]:
        """What is to be told now that this was tried."""
        if not attempt.accepted and attempt.kind == self._kind:
            count = 0 if self._held is None else self._held.attempt_count
            self._held = replace(attempt, attempt_count=count + 1)
            return self.due(now_s)
        events = self.flush(now_s)
        self._kind = attempt.kind
        self._told_s = now_s
        return [*events, attempt]

    def due(self, now_s: float) -> list[SessionEvent]:
        """What was counted and not told, where its time has come."""
        return self.flush(now_s) if now_s - self._told_s >= self._period_s else []

    def flush(self, now_s: float) -> list[SessionEvent]:
        """What was counted and not told."""
        held, self._held = self._held, None
        if held is None:
            return []
        self._told_s = now_s
        return [held]


class Conflated(Generic[T]):
    """The newest of many values, at most one a period. Overflow policy: a newer one replaces it."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._waiting: T | None = None
        self._next_s = 0.0
        self.replaced = 0
        """Values that were never given."""

    def put(self, value: T, now_s: float) -> T | None:
        """The value itself where its time has come; else None, and `due` gives it later."""
        self.replaced += self._waiting is not None
        self._waiting = value
        return self.due(now_s)

    def due(self, now_s: float) -> T | None:
        """What waits, where its time has come."""
        if self._waiting is None or now_s < self._next_s:
            return None
        value, self._waiting = self._waiting, None
        self._next_s = now_s + self._period_s
        return value

    def drop(self) -> None:
        """Forgets what waits."""
        self.replaced += self._waiting is not None
        self._waiting = None


class GuidanceTeller:
    """Tells an advice when it changes, and not more often than a person can follow."""

    def __init__(self, dwell_s: float) -> None:
        self._dwell_s = dwell_s
        self.code = ""
        """What the person was told last; empty: nothing yet."""
        self._since_s = 0.0

    def tell(self, code: str, now_s: float, *, at_once: bool) -> bool:
        """Whether this advice is to be given now.

        Args:
            code: The advice.
            now_s: The time.
            at_once: Whether it is more than a better word for the same search.
        """
        if code == self.code or (self.code and not at_once and now_s - self._since_s < self._dwell_s):
            return False
        self.code = code
        self._since_s = now_s
        return True
