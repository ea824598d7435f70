"""One capture session: takes what is seen, time and decisions, and says what happens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from vidence_server.capture.domain.challenges import Progress
from vidence_server.capture.domain.effects import Effects
from vidence_server.capture.domain.events import (
    CaptureCompleted,
    CaptureProgressed,
    CaptureStarted,
    ChallengeFailed,
    ChallengeMet,
    DocumentRead,
    Failed,
    GateChanged,
    LivenessDecided,
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
from vidence_server.capture.domain.session_core import SessionCore
from vidence_server.capture.domain.states import Failure, State, Target, Trigger
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


class CaptureSession(SessionCore):
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
        self._last_frame_s = now.s
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

    def tick(self, now: Moment) -> Effects:
        """Lets time pass; that it began is told before anything else."""
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
        silent_s = now.s - max(self._last_frame_s, self._machine.since_s)
        if self.state is State.CHALLENGE:
            if self._series.late(now.s):
                self._challenge_failed(Trigger.CHALLENGE_FAILED, Progress.TIMEOUT)
            elif silent_s >= self.rules.stall_s:
                self._challenge_failed(Trigger.STALLED, "stalled")
        elif self.state in _HELD and silent_s >= self.rules.stall_s:
            self._let_go(Trigger.STALLED)
        elif self.state is State.SEARCHING and silent_s >= self.rules.no_frames_s:
            self._warn_no_frames()
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

    def _challenged(self, seen: Measurement) -> None:
        if seen.subjects != 1:
            self._challenge_failed(Trigger.SUBJECT_LOST, "subject_lost")
            return
        progress = self._series.observe(seen, self._now.s)
        if progress is Progress.PENDING:
            return
        if progress is not Progress.MET:
            self._challenge_failed(Trigger.CHALLENGE_FAILED, progress)
            return
        self._end_challenge("")
        self._fire(Trigger.CHALLENGE_MET)
        if self.state is State.CHALLENGE:
            self._tell(self._series.give(self._now.s))
        else:
            self._decide_liveness(LivenessDecided(passed=True, method="challenges"))
            self._stand()

    def _challenge_failed(self, trigger: Trigger, reason: str) -> None:
        self._end_challenge(reason)
        self._decide_liveness(LivenessDecided(passed=False, method="challenges"))
        self._reject(trigger, Failure.LIVENESS_FAILED)

    def _end_challenge(self, reason: str) -> None:
        ended = self._series.end(reason, self._now.s)
        self._tell(ChallengeFailed(ended.challenge, reason) if reason else ChallengeMet(ended.challenge))
        self.evidence = replace(self.evidence, challenges=(*self.evidence.challenges, ended))

    def _confirm(self) -> bool:
        if not self._fire(Trigger.CONFIRM):
            return False
        if self.state is State.CHALLENGE:
            self._series.begin(None if self.window is None else self.window.latest.pose)
            self._tell(self._series.give(self._now.s))
        else:
            self._stand()
        return True

    def _stand(self) -> None:
        """The picture stands: on to the next target, or to the end."""
        if self._taken is None:
            return
        self.captured.append(self._taken)
        self._taken, self.window, self._report, self.rejected = None, None, None, 0
        self._quality.drop()
        self._effects.persist = True
        if self.target is not None:
            self._gates = GateBook(self.rules.gates[self.target])
            self._fire(Trigger.NEXT_TARGET)
        else:
            self._fire(Trigger.FINISH)
            self._effects.process = self.state is State.PROCESSING

    def _reject(self, trigger: Trigger, failure: Failure) -> bool:
        """Counts an attempt and begins anew, or ends; whether the table allows it."""
        self.rejected += 1
        if not self._fire(trigger, failure=failure):
            self.rejected -= 1
            return False
        self._taken, self.window = None, None
        self._effects.forget = self._effects.persist = True
        if not self.over:
            self._tell(Warned("attempts_left", self.rules.max_attempts - self.rejected))
        return True

    def _passive_failed(self, window: Window) -> bool:
        if not (self.plan.passive_liveness and self.target is Target.FACE):
            return False
        found = window.passive(self.rules.liveness_threshold)
        self.evidence = replace(self.evidence, passive=(*self.evidence.passive, found))
        self._decide_liveness(LivenessDecided(found.passed, "passive"))
        return not found.passed

    def _decide_liveness(self, decided: LivenessDecided) -> None:
        self._tell(decided)
        last = decided.method == "challenges" or not self.plan.challenge_count
        if last or not decided.passed:
            self.liveness_passed = decided.passed

    def _suspect(self) -> None:
        signs = self.replay.signs
        self.evidence = replace(self.evidence, replay_signs=tuple(sorted(signs.items())))
        enough = sum(signs.values()) >= self.rules.replay_signs
        if self.plan.liveness and enough and not self.over:
            self._fire(Trigger.SUSPECT, failure=Failure.REPLAY_SUSPECTED)

    def _warn_no_frames(self) -> None:
        if not self._warned_no_frames:
            self._warned_no_frames = True
            self._tell(Warned("no_frames"))
