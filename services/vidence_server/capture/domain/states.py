"""Names of the state machine: targets, states, triggers, guards."""

from __future__ import annotations

from enum import StrEnum


class Target(StrEnum):
    """What a person is asked to show."""

    FACE = "FACE"
    DOCUMENT_FRONT = "DOCUMENT_FRONT"
    DOCUMENT_BACK = "DOCUMENT_BACK"


class State(StrEnum):
    """Where a session is; `domain.table` says how it gets from one to another."""

    SEARCHING = "SEARCHING"
    LOCKED = "LOCKED"
    COUNTDOWN = "COUNTDOWN"
    CAPTURED = "CAPTURED"
    CHALLENGE = "CHALLENGE"
    CONFIRMED = "CONFIRMED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


TERMINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.EXPIRED})
"""States that nothing leads out of."""
LIVE = tuple(state for state in State if state not in TERMINAL)
"""The others, in order."""
LOOKING = frozenset({State.SEARCHING, State.LOCKED, State.COUNTDOWN, State.CHALLENGE})
"""States in which frames are looked at."""


class Trigger(StrEnum):
    """What may move a session on."""

    SUBJECT_READY = "subject_ready"
    """There is a face or document."""
    SUBJECT_LOST = "subject_lost"
    """There is none any more."""
    GATE_FAILED = "gate_failed"
    """A measure left its gate."""
    MOVED = "moved"
    """The subject is further from where it was locked than it may be."""
    STEADY = "steady"
    """One more frame without movement."""
    STALLED = "stalled"
    """No frame came for too long."""
    ELAPSED = "elapsed"
    """The countdown is over."""
    REJECTED = "rejected"
    """The picture could not be stored, or shows no live person."""
    RETAKE = "retake"
    """The person wants another picture."""
    CONFIRM = "confirm"
    """The picture is good."""
    CHALLENGE_MET = "challenge_met"
    """The person did what was asked."""
    CHALLENGE_FAILED = "challenge_failed"
    """The person did not, or something else."""
    NEXT_TARGET = "next_target"
    """On to what is to be shown next."""
    FINISH = "finish"
    """All pictures stand."""
    PROCESSED = "processed"
    """Pictures are read and compared."""
    CANCEL = "cancel"
    """Somebody does not want it any more."""
    EXPIRE = "expire"
    """Its time is over."""
    SUSPECT = "suspect"
    """The frames are those of a recording."""
    RESTART = "restart"
    """The server was started again."""


class Guard(StrEnum):
    """What must hold for a transition; `domain.session` has what each looks at."""

    GATES_PASSED = "gates_passed"
    STABLE_FRAMES = "stable_frames"
    STABLE_DURATION = "stable_duration"
    COUNTDOWN_DURATION = "countdown_duration"
    LIVENESS_FRAMES = "liveness_frames"
    LIVENESS_PASSED = "liveness_passed"
    CHALLENGES_DUE = "challenges_due"
    CHALLENGES_LEFT = "challenges_left"
    ATTEMPTS_LEFT = "attempts_left"
    TARGETS_LEFT = "targets_left"
    PROCESSING_DUE = "processing_due"


class Failure(StrEnum):
    """Why a session failed."""

    ATTEMPTS_EXHAUSTED = "ATTEMPTS_EXHAUSTED"
    REPLAY_SUSPECTED = "REPLAY_SUSPECTED"
    LIVENESS_FAILED = "LIVENESS_FAILED"
