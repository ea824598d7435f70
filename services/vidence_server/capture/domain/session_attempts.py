"""From a picture that was taken to one that stands: liveness, confirmation, rejected attempts."""

from __future__ import annotations

from dataclasses import replace

from vidence_server.capture.domain.challenges import Progress
from vidence_server.capture.domain.events import ChallengeFailed, ChallengeMet, LivenessDecided, Warned
from vidence_server.capture.domain.gates import GateBook
from vidence_server.capture.domain.measurement import Measurement
from vidence_server.capture.domain.session_core import SessionCore
from vidence_server.capture.domain.states import Failure, State, Target, Trigger
from vidence_server.capture.domain.window import Window


class SessionAttempts(SessionCore):
    """What one attempt at a target comes to."""

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
