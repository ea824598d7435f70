"""Settings of the review service."""

from __future__ import annotations

from pydantic import Field

from vidence_server.runtime.settings import Section


class ReviewSettings(Section):
    """How long reviews are kept, and how large they get."""

    retention_days: float = Field(
        90, gt=0, description="A review that nobody has changed for so long is deleted, days."
    )
    log_retention_days: float = Field(7, gt=0, description="How long changes can be followed, days.")
    max_notes: int = Field(500, ge=1, le=10_000, description="Most notes of a review.")
    max_attendants: int = Field(100, ge=1, le=1000, description="Most windows that look at one review.")
    presence_lease_s: float = Field(
        45, ge=0.1, description="How long somebody counts as present who says nothing, seconds."
    )
    presence_sweep_s: float = Field(
        2, ge=0.05, description="How often those who said nothing are looked for, seconds."
    )
    sweep_period_s: float = Field(600, ge=0.1, description="How often old reviews are looked for, seconds.")
