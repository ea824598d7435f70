"""What each guard of the table looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from vidence_server.capture.domain.events import GuardResult
from vidence_server.capture.domain.gates import GateReport
from vidence_server.capture.domain.plan import Rules, SessionPlan
from vidence_server.capture.domain.results import CapturedTarget, Evidence
from vidence_server.capture.domain.states import Guard, Target
from vidence_server.capture.domain.window import Window


class Facts(Protocol):
    """What guards know of a session."""

    plan: SessionPlan
    rules: Rules
    captured: list[CapturedTarget]
    evidence: Evidence
    window: Window | None
    rejected: int
    liveness_passed: bool | None

    @property
    def target(self) -> Target | None:
        """What is being captured."""
        ...

    @property
    def challenges_met(self) -> int:
        """Challenges of this attempt that were met."""
        ...


def ask(guard: Guard, session: Facts, report: GateReport | None, now_s: float) -> GuardResult:
    """What a guard finds.

    Args:
        guard: Which.
        session: What it looks at.
        report: What the gates said of the newest frame; None: there is none yet.
        now_s: Monotonic time, s.
    """
    if guard is Guard.GATES_PASSED:
        failing = () if report is None else report.failing
        passed = report is not None and report.passed
        return GuardResult(guard, passed, float(len(failing)), 0.0, failing=failing)
    if guard in _AT_LEAST:
        actual, required, unit = _AT_LEAST[guard](session, now_s)
        return GuardResult(guard, actual >= required, actual, required, unit)
    actual = float(_YES[guard](session))
    return GuardResult(guard, actual > 0, actual, 1.0)


def _stable_frames(session: Facts, _now_s: float) -> tuple[float, float, str]:
    return float(session.window.frames if session.window else 0), session.plan.hold.stable_frames, "count"


def _stable_duration(session: Facts, now_s: float) -> tuple[float, float, str]:
    begin_s = session.window.begin_s if session.window else now_s
    return now_s - begin_s, session.plan.hold.stable_s, "s"


def _countdown(session: Facts, now_s: float) -> tuple[float, float, str]:
    begin_s = session.window.countdown_s if session.window else None
    return now_s - (now_s if begin_s is None else begin_s), session.plan.hold.countdown_s, "s"


def _liveness_frames(session: Facts, _now_s: float) -> tuple[float, float, str]:
    asked = session.plan.passive_liveness and session.target is Target.FACE
    count = len(session.window.scores) if session.window else 0
    return float(count), float(session.rules.liveness_frames if asked else 0), "count"


_AT_LEAST: Mapping[Guard, Callable[[Facts, float], tuple[float, float, str]]] = {
    Guard.STABLE_FRAMES: _stable_frames,
    Guard.STABLE_DURATION: _stable_duration,
    Guard.COUNTDOWN_DURATION: _countdown,
    Guard.LIVENESS_FRAMES: _liveness_frames,
}
"""Guards that compare: what is, what must be at least, unit."""


def _liveness_passed(session: Facts) -> bool:
    asked = session.plan.passive_liveness and session.target is Target.FACE
    return not asked or (bool(session.evidence.passive) and session.evidence.passive[-1].passed)


_YES: Mapping[Guard, Callable[[Facts], int]] = {
    Guard.LIVENESS_PASSED: _liveness_passed,
    Guard.CHALLENGES_DUE: lambda session: (
        session.plan.challenge_count if session.target is Target.FACE else 0
    ),
    Guard.CHALLENGES_LEFT: lambda session: session.plan.challenge_count - session.challenges_met,
    Guard.ATTEMPTS_LEFT: lambda session: session.rules.max_attempts - session.rejected,
    Guard.TARGETS_LEFT: lambda session: len(session.plan.targets) - len(session.captured),
    Guard.PROCESSING_DUE: lambda session: int(session.plan.processing),
}
"""Guards that ask whether there is any: how many."""
