"""A review and how it changes: pure decisions, from what is there and what is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from vidence_server.core.errors import DomainError, Reason


class Verdict(StrEnum):
    """What reviewers may decide; the names are those of `vidence.review.v1.Verdict`."""

    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    ESCALATED = "ESCALATED"


@dataclass(frozen=True, slots=True)
class Claim:
    """Who works on a review, and since when."""

    reviewer: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, by whom and when."""

    verdict: Verdict
    reviewer: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Note:
    """What a reviewer wrote down."""

    id: str
    reviewer: str
    text: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Attendant:
    """One window of somebody who looks at a review."""

    id: str
    reviewer: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Review:
    """What people have made of one subject."""

    tenant: str
    subject: str
    revision: int = 0
    """How often it was changed."""
    claim: Claim | None = None
    decision: Decision | None = None
    note_count: int = 0
    create_time: datetime | None = None
    update_time: datetime | None = None

    def claimed(self, reviewer: str, now: datetime, *, expected: int, take_over: bool) -> Review:
        """With somebody who works on it; the same object where nothing changes.

        Raises:
            DomainError: REVIEW_CHANGED, REVIEW_CLAIMED.
        """
        if self.claim is not None and self.claim.reviewer == reviewer:
            return self
        self._check_seen(expected)
        if not take_over:
            self._check_free(reviewer)
        return self._changed(now, claim=Claim(reviewer, now))

    def released(self, reviewer: str, now: datetime) -> Review:
        """Without the claim of a reviewer; the same object where there is none."""
        if self.claim is None or self.claim.reviewer != reviewer:
            return self
        return self._changed(now, claim=None)

    def decided(self, reviewer: str, verdict: Verdict, now: datetime, *, expected: int) -> Review:
        """With a decision; the same object where the reviewer decided just that.

        Raises:
            DomainError: REVIEW_CHANGED, REVIEW_CLAIMED.
        """
        before = self.decision
        if before is not None and (before.verdict, before.reviewer) == (verdict, reviewer):
            return self
        self._check_seen(expected)
        self._check_free(reviewer)
        return self._changed(now, decision=Decision(verdict, reviewer, now))

    def noted(self, now: datetime, *, limit: int) -> Review:
        """With one more note; raises `DomainError`, REVIEW_FULL."""
        if self.note_count >= limit:
            raise full(limit)
        return self._changed(now, note_count=self.note_count + 1)

    def _changed(self, now: datetime, **changes: object) -> Review:
        # The clock may have been set back: what is told never goes back.
        time = max(now, self.update_time or now)
        return replace(
            self,
            revision=self.revision + 1,
            create_time=self.create_time or time,
            update_time=time,
            **changes,  # type: ignore[arg-type]  # fields of this class, named by its own methods
        )

    def _check_seen(self, expected: int) -> None:
        if expected != self.revision:
            raise DomainError(
                Reason.REVIEW_CHANGED,
                "The review was changed meanwhile.",
                metadata={"revision": str(self.revision), "expected": str(expected)},
            )

    def _check_free(self, reviewer: str) -> None:
        if self.claim is not None and self.claim.reviewer != reviewer:
            # Whose it is stands in the review: names of people reach no error.
            raise DomainError(
                Reason.REVIEW_CLAIMED,
                "Somebody else works on the review.",
                metadata={"revision": str(self.revision)},
            )


def full(limit: int) -> DomainError:
    """The error of a review that takes no more notes or attendants."""
    return DomainError(Reason.REVIEW_FULL, f"The review has {limit} already.", metadata={"limit": str(limit)})
