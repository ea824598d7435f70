"""What a session is to do, and the rules by which it does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from vidence_server.capture.domain.challenges import ChallengeRule
from vidence_server.capture.domain.gates import Gates
from vidence_server.capture.domain.states import Target
from vidence_server.core.errors import DomainError, FieldViolation, Reason


@dataclass(frozen=True, slots=True)
class Moment:
    """One point in time on both clocks."""

    s: float
    """Monotonic, seconds."""
    time: datetime
    """UTC."""


@dataclass(frozen=True, slots=True)
class HoldRule:
    """How steady is steady enough."""

    stable_frames: int = 5
    """Frames in a row that pass all gates without movement."""
    stable_s: float = 0.4
    """Time for which that lasts."""
    max_drift_px: float = 12.0
    """Movement that is allowed, px of a picture 640 px wide."""
    countdown_s: float = 0.8
    """From the lock to the capture."""


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a session is to do."""

    targets: tuple[Target, ...]
    hold: HoldRule = field(default_factory=HoldRule)
    language: str = "en"
    reference: str = ""
    """What the caller finds it by."""
    subject_id: str = ""
    """Whose session it is; empty: nobody said."""
    passive_liveness: bool = False
    challenge_count: int = 0
    extraction: bool = False
    document_type: str = ""
    """Key of the type; empty: it is detected."""
    verification: bool = False
    confirm_by_person: bool = False

    def __post_init__(self) -> None:
        """Refuses plans that contradict themselves; raises `DomainError`, REQUEST_INVALID."""
        needs = {
            "plan.liveness": (self.liveness, {Target.FACE}),
            "plan.extraction": (self.extraction, {Target.DOCUMENT_FRONT}),
            "plan.verification": (self.verification, {Target.FACE, Target.DOCUMENT_FRONT}),
        }
        wrong = [
            FieldViolation(name, f"needs the targets {', '.join(sorted(targets))}")
            for name, (asked, targets) in needs.items()
            if asked and not targets <= set(self.targets)
        ]
        if wrong:
            raise DomainError(
                Reason.REQUEST_INVALID, "The plan asks for more than its targets give.", fields=tuple(wrong)
            )

    @property
    def liveness(self) -> bool:
        """Whether liveness is to be shown at all."""
        return self.passive_liveness or self.challenge_count > 0

    @property
    def processing(self) -> bool:
        """Whether there is work to do when all pictures stand."""
        return self.extraction or self.verification


@dataclass(frozen=True, slots=True)
class Rules:
    """How all sessions of a server decide."""

    gates: Gates
    challenge: ChallengeRule = field(default_factory=ChallengeRule)
    max_attempts: int = 3
    """Rejected pictures and challenges per target, the last one ends the session."""
    quality_period_s: float = 0.1
    """Least time between two quality updates."""
    guidance_dwell_s: float = 0.5
    """Least time for which an advice stands while the person looks for the right place."""
    refusal_period_s: float = 1.0
    """How often equal refusals of a transition are told again."""
    stall_s: float = 1.5
    """Time without a frame after which what was locked is let go."""
    no_frames_s: float = 5.0
    """Time without a frame after which the session says so."""
    liveness_frames: int = 5
    """Frames that passive liveness rests on, at least."""
    liveness_threshold: float = 0.7
    """Least mean of their scores."""
    replay_signs: int = 3
    """So many signs of a replay end a session that asks for liveness."""
