"""One capture session: takes what is seen, time and decisions, and says what happens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vidence_server.capture.domain.challenges import Progress
from vidence_server.capture.domain.effects import Effects
from vidence_server.capture.domain.events import (
    CaptureCompleted,
    CaptureProgressed,
    CaptureStarted,
    DocumentRead,
    Failed,
    GateChanged,
    SessionStarted,
    Verified,
    Warned,
)
from vidence_server.capture.domain.gates import GateBook, GateReport
from vidence_server.capture.domain.measurement import Measurement
from vidence_server.capture.domain.plan import Moment
from vidence_server.capture.domain.results import (
    CapturedTarget,
    Evidence,
    Verification,
)
from vidence_server.capture.domain.session_attempts import SessionAttempts
from vidence_server.capture.domain.states import Failure, State, Trigger
from vidence_server.capture.domain.window import Window
from vidence_server.core.errors import DomainError

_HELD = frozenset({State.LOCKED, State.COUNTDOWN})


@dataclass(frozen=True, slots=True)
class Restored:
    """What of a session survived a restart."""

    state: State
    captured: tuple[CapturedTarget, ...]
    rejected: int
    evidence: Evidence
    liveness_passed: bool | None


class CaptureSession(SessionAttempts):
    """One session from its creation to its end.

    Every public method takes the time and gives `Effects`. None fails because of the state: what the table
    does not allow is an attempt that is told and refused.
    """

    def start(self, now: Moment) -> Effects:
        """Tells that it began."""
        self._step(now)
        self._told_start = True
        self._tell(SessionStarted(self.summary()))
        return self._advised(at_once=True)

    def resume(self, restored: Restored, create_time: datetime, now: Moment) -> Effects:
        """Takes it up again after a restart: confirmed pictures stand, the rest begins anew."""
        self._step(now)
        self._told_start = True
        self._machine.state = restored.state
        self._create_time = create_time
        self.captured = list(restored.captured)
        self.rejected = restored.rejected
        self.evidence = restored.evidence
        self.liveness_passed = restored.liveness_passed
        if self.target is not None:
            self._gates = GateBook(self.rules.gates[self.target])
        self._tell(SessionStarted(self.summary(), resumed=True))
        self._fire(Trigger.RESTART)
        self._effects.process = self.state is State.PROCESSING
        return self._advised(at_once=True)

    def observe(self, seen: Measurement, number: int, now: Moment) -> Effects:
        """Takes what was seen in a frame."""
        self._step(now)
        if not self.looking:
            self.frames.unneeded += 1
            return self._effects
        self.flow.looked_at(now.s)
        self._warned_no_frames = False
        self.frames.processed += 1
        report = self._report = self._gates.judge(seen)
        for one in report.changed:
            self._tell(GateChanged(one, passed=one.measure.name not in report.failing))
        self._measured(seen, report)
        before = self.state
        match before:
            case State.SEARCHING:
                if seen.subjects and self._fire(Trigger.SUBJECT_READY):
                    self._lock(seen, report, number)
            case State.CHALLENGE:
                self._challenged(seen)
            case _:
                self._hold(seen, report, number)
        return self._advised(at_once=self.state is not before or before is not State.SEARCHING)

    def tick(self, now: Moment, *, frame_in_work: bool = False) -> Effects:
        """Lets time pass; that it began is told before anything else.

        Args:
            now: The time.
            frame_in_work: Whether a frame is being looked at: then the camera is not silent.
        """
        self._step(now)
        if self.over or not self._told_start:
            return self._effects
        if now.time >= self._expire_time:
            self._fire(Trigger.EXPIRE)
            return self._effects
        self._tell(*self._machine.due(now.s))
        update = self._quality.due(now.s)
        if update is not None:
            self._tell(update)
        if self.state is State.CHALLENGE and self._series.late(now.s):
            self._challenge_failed(Trigger.CHALLENGE_FAILED, Progress.TIMEOUT)
        elif not frame_in_work:
            self._listen()
        return self._advised(at_once=False)

    def warn(self, code: str, count: int, now: Moment) -> Effects:
        """Tells a warning; signs of a replay end a session that asks for liveness when there are enough."""
        self._step(now)
        self._tell(Warned(code, count))
        self._suspect()
        return self._effects

    def refuse(self, error: DomainError, now: Moment) -> Effects:
        """Tells that a frame was refused, and counts it."""
        self._step(now)
        self.frames.refused[error.reason] += 1
        self._tell(Failed(error))
        self._suspect()
        return self._effects

    def stored(self, taken: CapturedTarget, now: Moment) -> Effects:
        """The picture that was taken is stored."""
        self._step(now)
        window = self.window
        if self.state is not State.CAPTURED or window is None:
            return self._effects
        self._taken = taken
        self._tell(CaptureCompleted(taken, window.best.judged, window.frames))
        if self._passive_failed(window):
            self._reject(Trigger.REJECTED, Failure.LIVENESS_FAILED)
        elif not self.plan.confirm_by_person:
            self._confirm()
        return self._advised(at_once=True)

    def not_stored(self, error: DomainError, now: Moment) -> Effects:
        """The picture that was taken could not be stored."""
        self._step(now)
        if self.state is State.CAPTURED:
            self._tell(Failed(error))
            self._reject(Trigger.REJECTED, Failure.ATTEMPTS_EXHAUSTED)
        return self._advised(at_once=True)

    def confirm(self, now: Moment) -> Effects:
        """The person finds the picture good."""
        self._step(now)
        if self._taken is None or not self._confirm():
            self._refuse(Trigger.CONFIRM)
        return self._advised(at_once=True)

    def retake(self, now: Moment) -> Effects:
        """The person wants another picture."""
        self._step(now)
        if self._taken is None or not self._reject(Trigger.RETAKE, Failure.ATTEMPTS_EXHAUSTED):
            self._refuse(Trigger.RETAKE)
        return self._advised(at_once=True)

    def read(self, part: DocumentRead, now: Moment) -> Effects:
        """Tells a part of the reading of the document."""
        self._step(now)
        if self.state is State.PROCESSING:
            self._tell(part)
        return self._effects

    def processed(self, verification: Verification | None, evidence: Evidence, now: Moment) -> Effects:
        """Everything is read and compared."""
        self._step(now)
        if self.state is State.PROCESSING:
            self.verification, self.evidence = verification, evidence
            if verification is not None:
                self._tell(Verified(verification))
            self._fire(Trigger.PROCESSED)
        return self._effects

    def cancel(self, now: Moment) -> Effects:
        """Somebody does not want it any more."""
        self._step(now)
        if not self.over:
            self._fire(Trigger.CANCEL)
        return self._effects

    def _listen(self) -> None:
        """Lets go of what was locked when the camera has been silent for long."""
        silent_s = min(self.flow.silent_s(self._now.s), self._now.s - self._machine.since_s)
        stalled = silent_s >= self.flow.patience_s(self.rules.stall_s)
        if self.state is State.CHALLENGE and stalled:
            self._challenge_failed(Trigger.STALLED, "stalled")
        elif self.state in _HELD and stalled:
            self._let_go(Trigger.STALLED)
        elif self.state is State.SEARCHING and silent_s >= self.rules.no_frames_s:
            self._warn_no_frames()

    def _hold(self, seen: Measurement, report: GateReport, number: int) -> None:
        """One frame of a locked subject: steady, or let go within this frame."""
        window = self.window
        if window is None or not seen.subjects:
            self._let_go(Trigger.SUBJECT_LOST)
        elif not report.passed:
            self._let_go(Trigger.GATE_FAILED, report.failing[0])
        elif window.drift_px(seen) > self.plan.hold.max_drift_px:
            self._fire(Trigger.MOVED)
            self._lock(seen, report, number)
        else:
            self._effects.keep = window.add(seen, report, number)
            if window.countdown_s is not None:
                self._count_down(self._now.s - window.countdown_s)
            elif self._fire(Trigger.STEADY):
                window.countdown_s = self._now.s
                self._tell(CaptureStarted(self.rejected + 1, self.plan.hold.countdown_s))

    def _lock(self, seen: Measurement, report: GateReport, number: int) -> None:
        self.window = Window(seen, self._now.s)
        self._effects.keep = self.window.add(seen, report, number)

    def _count_down(self, elapsed_s: float) -> None:
        whole_s = self.plan.hold.countdown_s
        self._tell(CaptureProgressed(min(1.0, elapsed_s / whole_s) if whole_s else 1.0))
        if elapsed_s >= whole_s and self._fire(Trigger.ELAPSED):
            self._effects.capture = True

    def _let_go(self, trigger: Trigger, detail: str = "") -> None:
        self._fire(trigger, detail=detail)
        self.window = None
        self._effects.forget = True

    def _warn_no_frames(self) -> None:
        if not self._warned_no_frames:
            self._warned_no_frames = True
            self._tell(Warned("no_frames"))
