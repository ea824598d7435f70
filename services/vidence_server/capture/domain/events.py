"""What a session tells. Each class is a member of `CaptureEvent.payload` in the proto."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from vidence_server.capture.domain.challenges import Challenge
from vidence_server.capture.domain.gates import JudgedMeasure
from vidence_server.capture.domain.results import CapturedTarget, FrameTally, SessionSummary, Verification
from vidence_server.capture.domain.states import Guard, State, Trigger
from vidence_server.core.errors import DomainError
from vidence_server.vision.geometry import Quad


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """First event of a log."""

    session: SessionSummary
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class GuardResult:
    """What a guard found."""

    guard: Guard
    passed: bool
    actual: float
    required: float
    unit: str = "count"
    failing: tuple[str, ...] = ()
    """Gates that fail, where it is about gates."""


@dataclass(frozen=True, slots=True)
class TransitionTried:
    """A trigger was tried."""

    trigger: Trigger
    source: State
    to: State | None
    """None: no row of the table has this trigger in this state."""
    accepted: bool
    guards: tuple[GuardResult, ...]
    state_s: float
    """How long the session had been in `source`."""
    session_s: float
    attempt_count: int = 1
    """How many equal attempts this tells."""

    @property
    def kind(self) -> tuple[object, ...]:
        """Refusals of the same kind are equal to those who watch."""
        failed = tuple((guard.guard, guard.failing) for guard in self.guards if not guard.passed)
        return self.trigger, self.source, self.accepted, failed


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The state changed."""

    old: State
    new: State
    reason: str


@dataclass(frozen=True, slots=True)
class QualityUpdated:
    """What was measured in a frame."""

    measures: tuple[JudgedMeasure, ...]
    score: int
    passed: bool
    subject: Quad | None
    width_px: int
    height_px: int
    drift_px: float | None
    frames: FrameTally


@dataclass(frozen=True, slots=True)
class GateChanged:
    """A gate is passed, or fails, from now on: `quality_gate_passed` and `quality_gate_failed`."""

    measure: JudgedMeasure
    passed: bool


@dataclass(frozen=True, slots=True)
class CaptureStarted:
    """The countdown begins."""

    attempt: int
    countdown_s: float


@dataclass(frozen=True, slots=True)
class CaptureProgressed:
    """How far the countdown is."""

    fraction: float


@dataclass(frozen=True, slots=True)
class CaptureCompleted:
    """A picture was taken and stored."""

    captured: CapturedTarget
    measures: tuple[JudgedMeasure, ...]
    window_frames: int


@dataclass(frozen=True, slots=True)
class GuidanceGiven:
    """What the person should do now."""

    code: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something is not as it should be."""

    code: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """A frame, or a step after the capture, failed; the session goes on."""

    error: DomainError


@dataclass(frozen=True, slots=True)
class ChallengeGiven:
    """The person is asked to do something."""

    challenge: Challenge
    number: int
    total: int
    time_limit_s: float


@dataclass(frozen=True, slots=True)
class ChallengeMet:
    """The person did it."""

    challenge: Challenge


@dataclass(frozen=True, slots=True)
class ChallengeFailed:
    """The person did not."""

    challenge: Challenge
    reason: str


@dataclass(frozen=True, slots=True)
class LivenessDecided:
    """Whether liveness was shown, by one method."""

    passed: bool
    method: str
    """`passive` or `challenges`."""


@dataclass(frozen=True, slots=True)
class DocumentRead:
    """Something of the reading of the captured document."""

    kind: str
    """Which member of the payload it is, e.g. `extraction_field`."""
    encoded: bytes
    """That member, an encoded message of `vidence.extraction.v1`."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found out about document and person."""

    verification: Verification


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """Last event."""

    session: SessionSummary


SessionEvent: TypeAlias = (
    SessionStarted
    | TransitionTried
    | StateChanged
    | QualityUpdated
    | GateChanged
    | CaptureStarted
    | CaptureProgressed
    | CaptureCompleted
    | GuidanceGiven
    | Warned
    | Failed
    | ChallengeGiven
    | ChallengeMet
    | ChallengeFailed
    | LivenessDecided
    | DocumentRead
    | Verified
    | SessionEnded
)
