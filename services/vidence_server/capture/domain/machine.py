"""Moves a session along the table, and tells every attempt."""

from __future__ import annotations

from dataclasses import dataclass

from vidence_server.capture.domain import guards
from vidence_server.capture.domain.events import GuardResult, SessionEvent, StateChanged, TransitionTried
from vidence_server.capture.domain.gates import GateReport
from vidence_server.capture.domain.states import State, Trigger
from vidence_server.capture.domain.table import rows_of
from vidence_server.capture.domain.telling import AttemptTeller


@dataclass(frozen=True, slots=True)
class Move:
    """What came of a trigger."""

    accepted: bool
    events: list[SessionEvent]
    """The attempt, unless it is told later, and the change of the state."""


class Machine:
    """The state of one session. Only `fire` changes it, and only as the table says."""

    def __init__(self, begin_s: float, refusal_period_s: float) -> None:
        self.state = State.SEARCHING
        self.since_s = begin_s
        """When the state was entered, monotonic."""
        self._begin_s = begin_s
        self._attempts = AttemptTeller(refusal_period_s)

    def fire(
        self,
        trigger: Trigger,
        facts: guards.Facts,
        report: GateReport | None,
        now_s: float,
        *,
        detail: str = "",
    ) -> Move:
        """Tries a trigger.

        Args:
            trigger: What happened.
            facts: What the guards look at.
            report: What the gates said of the newest frame.
            now_s: Monotonic time, s.
            detail: Follows the trigger in the reason of the change, after a colon.
        """
        source = self.state
        to, accepted, results = self._decide(trigger, facts, report, now_s)
        attempt = TransitionTried(
            trigger,
            source,
            to,
            accepted,
            results,
            state_s=now_s - self.since_s,
            session_s=now_s - self._begin_s,
        )
        events = self._attempts.tell(attempt, now_s)
        if accepted and to is not None:
            self.since_s = now_s
            if to is not source:
                self.state = to
                reason = f"{trigger}:{detail}" if detail else str(trigger)
                events.append(StateChanged(source, to, reason))
        return Move(accepted, events)

    def no_way(self, trigger: Trigger, now_s: float) -> list[SessionEvent]:
        """Tells an attempt that is refused before the table is asked: there is nothing to act on."""
        attempt = TransitionTried(
            trigger,
            self.state,
            None,
            accepted=False,
            guards=(),
            state_s=now_s - self.since_s,
            session_s=now_s - self._begin_s,
        )
        return self._attempts.tell(attempt, now_s)

    def due(self, now_s: float) -> list[SessionEvent]:
        """Attempts that were counted and are to be told by now."""
        return self._attempts.due(now_s)

    def flush(self, now_s: float) -> list[SessionEvent]:
        """Attempts that were counted and not told yet."""
        return self._attempts.flush(now_s)

    def _decide(
        self, trigger: Trigger, facts: guards.Facts, report: GateReport | None, now_s: float
    ) -> tuple[State | None, bool, tuple[GuardResult, ...]]:
        """The first row whose guards all pass; else the last one that was tried, or none."""
        to: State | None = None
        results: list[GuardResult] = []
        for row in rows_of(self.state, trigger):
            to, results = row.to, []
            for guard in row.guards:
                results.append(guards.ask(guard, facts, report, now_s))
                if not results[-1].passed:
                    break
            else:
                return to, True, tuple(results)
        return to, False, tuple(results)
