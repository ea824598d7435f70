"""Probes of the review service, on a review of their own."""

from __future__ import annotations

from typing import Any

from vidence_cli.smoke.probe import Json, Kept, Probe, having

_SERVICE = "vidence.review.v1.ReviewService"


def _about(**more: object) -> Any:
    def request(kept: Kept) -> Json:
        return {"subject": f"events/smoke-{kept.run}", **more}

    return request


PROBES = (
    Probe(f"{_SERVICE}/AttendReview", _about(reviewer="smoke", attendance_id="smoke")),
    Probe(f"{_SERVICE}/ClaimReview", _about(reviewer="smoke")),
    Probe(f"{_SERVICE}/AddNote", _about(reviewer="smoke", note_id="one", text="A probe.")),
    Probe(f"{_SERVICE}/GetReview", _about()),
    Probe(f"{_SERVICE}/ListReviews", lambda _kept: {"page_size": 1}),
    Probe(f"{_SERVICE}/WatchReview", _about(position="START_POSITION_EARLIEST"), having()),
    # The claim made it another revision than the one that nobody saw.
    Probe(
        f"{_SERVICE}/SetVerdict",
        _about(reviewer="smoke", verdict="VERDICT_APPROVED", expected_revision=1000),
        refusal="REVIEW_CHANGED",
    ),
    Probe(f"{_SERVICE}/ReleaseReview", _about(reviewer="smoke")),
    Probe(f"{_SERVICE}/LeaveReview", _about(attendance_id="smoke")),
    Probe(f"{_SERVICE}/DeleteReview", _about()),
)
CLEAN_UP = (Probe(f"{_SERVICE}/DeleteReview", _about()),)
