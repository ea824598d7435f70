"""Runs: that a document was read, when, and how it ended. Never what was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vidence_server.core.errors import Reason


class RunState(StrEnum):
    """How far a run is."""

    STARTED = "STARTED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A reading has begun: its picture is decoded."""

    tenant: str
    extraction_id: str
    document_type: str
    """Key of the type; empty while it is to be detected."""
    start_time: datetime


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A reading is over."""

    start: StartedRun
    state: RunState
    """Not STARTED."""
    document_type: str
    """Key of the type; empty where it was never known."""
    end_time: datetime
    total_s: float
    """How long it took, s; of an interrupted run, until that was found out."""
    field_count: int = 0
    """Fields of the final document; 0 where there is none."""
    invalid_field_count: int = 0
    """How many of them a validator found wrong."""
    reason: Reason | None = None
    """Why it did not complete; None where it did."""


def interrupted(start: StartedRun, now: datetime) -> EndedRun:
    """The end of a run whose process died, as the next process finds out."""
    return EndedRun(
        start=start,
        state=RunState.FAILED,
        document_type=start.document_type,
        end_time=now,
        total_s=max(0.0, (now - start.start_time).total_seconds()),
        reason=Reason.SERVER_LOST,
    )
