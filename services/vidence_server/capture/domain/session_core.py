"""What every step of a session needs: what is known of it, the machine, and what is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from vidence_server.capture.domain import advice
from vidence_server.capture.domain.effects import Effects
from vidence_server.capture.domain.events import (
    GuidanceGiven,
    QualityUpdated,
    SessionEnded,
    SessionEvent,
)
from vidence_server.capture.domain.flow import FrameFlow
from vidence_server.capture.domain.gates import GateBook, GateReport
from vidence_server.capture.domain.machine import Machine
from vidence_server.capture.domain.measurement import Measurement
from vidence_server.capture.domain.plan import Moment, Rules, SessionPlan
from vidence_server.capture.domain.replay import ReplayWatch
from vidence_server.capture.domain.results import (
    CapturedTarget,
    Evidence,
    FrameTally,
    SessionSummary,
    Verification,
)
from vidence_server.capture.domain.series import ChallengeSeries
from vidence_server.capture.domain.states import LOOKING, TERMINAL, Failure, State, Target, Trigger
from vidence_server.capture.domain.telling import Conflated, GuidanceTeller
from vidence_server.capture.domain.window import Window
from vidence_server.core.errors import DomainError, Reason

_HELD = frozenset({State.LOCKED, State.COUNTDOWN})


class SessionCore:
    """The knowledge of one session. Its steps are those of `CaptureSession`."""

    def __init__(
        self,
        session_id: str,
        plan: SessionPlan,
        rules: Rules,
        *,
        begin: Moment,
        expire_time: datetime,
        choose: Callable[[int], int],
    ) -> None:
        """A session that searches for its first target.

        Args:
            session_id: Its name.
            plan: What it is to do.
            rules: By which it decides.
            begin: When it was created, or taken up again.
            expire_time: When it is over at the latest, UTC.
            choose: Gives a random number from 0 to its argument, exclusive; orders the challenges.
        """
        self.session_id = session_id
        self.plan = plan
        self.rules = rules
        self.captured: list[CapturedTarget] = []  # bound: the targets of the plan
        self.rejected = 0
        self.frames = FrameTally()
        self.replay = ReplayWatch()
        self.flow = FrameFlow(begin.s)
        self.evidence = Evidence()
        self.verification: Verification | None = None
        self.liveness_passed: bool | None = None
        self.window: Window | None = None
        self._machine = Machine(begin.s, rules.refusal_period_s)
        self._create_time = begin.time
        self._expire_time = expire_time
        self._end_time: datetime | None = None
        self._failure: Failure | None = None
        self._told_start = False
        self._warned_no_frames = False
        self._gates = GateBook(rules.gates[plan.targets[0]])
        self._report: GateReport | None = None
        self._series = ChallengeSeries(plan.challenge_count, rules.challenge, choose)
        self._taken: CapturedTarget | None = None
        self._quality: Conflated[QualityUpdated] = Conflated(rules.quality_period_s)
        self._guidance = GuidanceTeller(rules.guidance_dwell_s)
        self._now = begin
        self._effects = Effects()

    @property
    def state(self) -> State:
        """Where it is."""
        return self._machine.state

    @property
    def target(self) -> Target | None:
        """What is being captured; None when everything was."""
        done = len(self.captured)
        return self.plan.targets[done] if done < len(self.plan.targets) else None

    @property
    def over(self) -> bool:
        """Whether it ended."""
        return self.state in TERMINAL

    @property
    def looking(self) -> bool:
        """Whether frames are needed."""
        return self.state in LOOKING

    @property
    def conflated(self) -> int:
        """Quality updates that a newer one replaced."""
        return self._quality.replaced

    @property
    def challenges_met(self) -> int:
        """Challenges of this attempt that were met."""
        return self._series.done

    def summary(self) -> SessionSummary:
        """The session as it is now."""
        return SessionSummary(
            session_id=self.session_id,
            plan=self.plan,
            state=self.state,
            target=None if self.over else self.target,
            captured=tuple(self.captured),
            rejected_attempts=self.rejected,
            create_time=self._create_time,
            expire_time=self._expire_time,
            end_time=self._end_time,
            failure=self._failure,
            frames=self.frames.copy(),
            liveness_passed=self.liveness_passed,
            verification=self.verification,
            guidance=self._guidance.code,
        )

    def _fire(self, trigger: Trigger, *, detail: str = "", failure: Failure | None = None) -> bool:
        """Tries a trigger; whether the session moved on."""
        move = self._machine.fire(trigger, self, self._report, self._now.s, detail=detail)
        self._tell(*move.events)
        if move.accepted and self.over:
            self._end(failure)
        return move.accepted

    def _end(self, failure: Failure | None) -> None:
        self._failure = failure if self.state is State.FAILED else None
        self._end_time = self._now.time
        self._taken = self.window = None
        self._quality.drop()
        self._effects.forget = self._effects.persist = self._effects.ended = True
        self._tell(*self._machine.flush(self._now.s))
        self._advised(at_once=True)
        self._tell(SessionEnded(self.summary()))

    def _refuse(self, trigger: Trigger) -> None:
        """What the person asked for is not allowed now."""
        if self._taken is None:
            self._tell(*self._machine.no_way(trigger, self._now.s))
        self._effects.refusal = DomainError(
            Reason.TRANSITION_REFUSED,
            "The session does not allow this now.",
            metadata={"state": str(self.state), "trigger": str(trigger)},
        )

    def _measured(self, seen: Measurement, report: GateReport) -> None:
        drift_px = None
        if self.window is not None and self.state in _HELD and seen.anchors:
            drift_px = self.window.drift_px(seen)
        update = QualityUpdated(
            measures=report.judged,
            score=report.score if seen.subjects else 0,
            passed=report.passed,
            subject=seen.quad,
            width_px=seen.width_px,
            height_px=seen.height_px,
            drift_px=None if drift_px == float("inf") else drift_px,
            frames=self.frames.copy(),
        )
        due = self._quality.put(update, self._now.s)
        if due is not None:
            self._tell(due)

    def _advised(self, *, at_once: bool) -> Effects:
        code = advice.advice(
            self.state,
            self.target,
            self._report,
            challenge=self._series.current,
            to_be_confirmed=self.plan.confirm_by_person and self._taken is not None,
        )
        told = self._effects.ended and self._end_is_told()
        if code and not told and self._guidance.tell(code, self._now.s, at_once=at_once):
            self._tell(GuidanceGiven(code))
        return self._effects

    def _end_is_told(self) -> bool:
        return bool(self._effects.events) and isinstance(self._effects.events[-1], SessionEnded)

    def _step(self, now: Moment) -> None:
        self._now = now
        self._effects = Effects()

    def _tell(self, *events: SessionEvent) -> None:
        self._effects.events.extend(events)
