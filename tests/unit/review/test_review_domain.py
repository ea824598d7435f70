"""What a review allows, from what is there and what is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vidence_server.core.errors import DomainError, Reason
from vidence_server.review.domain.review import Review, Verdict

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NEW = Review("default", "batches/bat_1")


def reason_of(refused: pytest.ExceptionInfo[DomainError]) -> tuple[Reason, dict[str, str]]:
    return refused.value.reason, dict(refused.value.metadata)


@pytest.mark.requirement("R-WE5")
def test_each_change_raises_the_revision_by_one() -> None:
    claimed = NEW.claimed("Ana", NOW, expected=0, take_over=False)
    noted = claimed.noted(NOW, limit=5)
    decided = noted.decided("Ana", Verdict.APPROVED, NOW, expected=2)
    released = decided.released("Ana", NOW)
    assert [each.revision for each in (claimed, noted, decided, released)] == [1, 2, 3, 4]
    assert released.claim is None
    assert released.decision is not None
    assert released.decision.verdict is Verdict.APPROVED
    assert released.create_time == NOW


@pytest.mark.requirement("R-WE5")
def test_who_decides_on_what_was_changed_meanwhile_is_told_the_revision() -> None:
    review = NEW.noted(NOW, limit=5)
    with pytest.raises(DomainError) as decision:
        review.decided("Ben", Verdict.REJECTED, NOW, expected=0)
    with pytest.raises(DomainError) as claim:
        review.claimed("Ben", NOW, expected=0, take_over=True)
    told = (Reason.REVIEW_CHANGED, {"revision": "1", "expected": "0"})
    assert reason_of(decision) == reason_of(claim) == told


@pytest.mark.requirement("R-WE5")
def test_only_who_has_the_claim_decides_until_somebody_takes_it_over() -> None:
    review = NEW.claimed("Ana", NOW, expected=0, take_over=False)
    with pytest.raises(DomainError) as decision:
        review.decided("Ben", Verdict.REJECTED, NOW, expected=1)
    with pytest.raises(DomainError) as claim:
        review.claimed("Ben", NOW, expected=1, take_over=False)
    assert reason_of(decision) == reason_of(claim) == (Reason.REVIEW_CLAIMED, {"revision": "1"})
    assert "Ana" not in str(decision.value)
    taken = review.claimed("Ben", NOW, expected=1, take_over=True)
    assert taken.claim is not None
    assert taken.claim.reviewer == "Ben"


@pytest.mark.requirement("R-WE5")
def test_a_repeated_call_changes_nothing() -> None:
    review = NEW.claimed("Ana", NOW, expected=0, take_over=False)
    assert review.claimed("Ana", NOW, expected=0, take_over=False) is review
    assert review.released("Ben", NOW) is review
    decided = review.decided("Ana", Verdict.APPROVED, NOW, expected=1)
    assert decided.decided("Ana", Verdict.APPROVED, NOW, expected=1) is decided


@pytest.mark.requirement("R-WE5")
def test_notes_are_bounded_and_time_never_goes_back() -> None:
    review = NEW.noted(NOW, limit=2).noted(NOW - timedelta(hours=1), limit=2)
    assert review.update_time == NOW
    with pytest.raises(DomainError) as refused:
        review.noted(NOW, limit=2)
    assert reason_of(refused) == (Reason.REVIEW_FULL, {"limit": "2"})
