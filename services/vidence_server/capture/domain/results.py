"""What came of a session: pictures, verdicts, and what they rest on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from vidence_server.capture.domain.challenges import Challenge
from vidence_server.capture.domain.plan import SessionPlan
from vidence_server.capture.domain.states import Failure, State, Target


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A stored picture."""

    id: str
    """`img_` and a UUIDv7."""
    sha256: str
    media_type: str
    width_px: int
    height_px: int
    expire_time: datetime | None
    """None: told elsewhere, in the event that names the picture."""


@dataclass(frozen=True, slots=True)
class CapturedTarget:
    """A picture of a target."""

    target: Target
    image: ImageRef
    crop: ImageRef | None
    """The face, or the document straightened."""
    score: int
    """The lowest score of the gated measures in its frame, 0–100."""
    frame_number: int
    receive_time: datetime


class CheckVerdict(StrEnum):
    """What a check says."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a verification."""

    name: str
    verdict: CheckVerdict
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found out about document and person."""

    checks: tuple[Check, ...]
    image_sha256s: tuple[str, ...]
    models: tuple[str, ...]

    @property
    def verdict(self) -> CheckVerdict:
        """FAILED if any check failed, PASSED if all passed."""
        verdicts = {check.verdict for check in self.checks}
        if CheckVerdict.FAILED in verdicts:
            return CheckVerdict.FAILED
        return CheckVerdict.PASSED if verdicts == {CheckVerdict.PASSED} else CheckVerdict.UNDECIDED


@dataclass(slots=True)
class FrameTally:
    """What became of the frames of a session."""

    received: int = 0
    processed: int = 0
    superseded: int = 0
    unneeded: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By reason."""

    def copy(self) -> FrameTally:
        """As it is now."""
        return FrameTally(
            self.received, self.processed, self.superseded, self.unneeded, Counter(self.refused)
        )

    def add(self, other: FrameTally) -> None:
        """Adds the frames of another session."""
        self.received += other.received
        self.processed += other.processed
        self.superseded += other.superseded
        self.unneeded += other.unneeded
        self.refused.update(other.refused)


@dataclass(frozen=True, slots=True)
class PassiveEvidence:
    """Passive liveness of one attempt."""

    scores: tuple[float, ...]
    threshold: float

    @property
    def mean(self) -> float:
        """Mean of the scores; 0 where there are none."""
        return sum(self.scores) / len(self.scores) if self.scores else 0.0

    @property
    def passed(self) -> bool:
        """Whether the mean is high enough."""
        return bool(self.scores) and self.mean >= self.threshold


@dataclass(frozen=True, slots=True)
class ChallengeEvidence:
    """How a challenge went."""

    challenge: Challenge
    met: bool
    reason: str
    """Why not."""
    duration_s: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What verdicts rest on; for back ends only."""

    passive: tuple[PassiveEvidence, ...] = ()
    challenges: tuple[ChallengeEvidence, ...] = ()
    replay_signs: tuple[tuple[str, int], ...] = ()
    portrait_similarity: float | None = None
    portrait_threshold: float | None = None
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session as it is told."""

    session_id: str
    plan: SessionPlan
    state: State
    target: Target | None
    captured: tuple[CapturedTarget, ...]
    rejected_attempts: int
    create_time: datetime
    expire_time: datetime
    end_time: datetime | None
    failure: Failure | None
    frames: FrameTally
    liveness_passed: bool | None
    """None: not asked, or not known yet."""
    verification: Verification | None
    guidance: str = ""
    """What the person is told now, as a code; empty: nothing, or not known any more."""
