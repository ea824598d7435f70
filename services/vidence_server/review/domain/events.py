"""What is told of a review."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from vidence_server.review.domain.review import Attendant, Note, Review


@dataclass(frozen=True, slots=True)
class Claimed:
    """Somebody works on it now."""

    review: Review
    taken_over: bool
    """Whether somebody else did until now."""


@dataclass(frozen=True, slots=True)
class Released:
    """Nobody works on it any more."""

    review: Review


@dataclass(frozen=True, slots=True)
class Noted:
    """A note was added."""

    review: Review
    note: Note


@dataclass(frozen=True, slots=True)
class Decided:
    """Something was decided."""

    review: Review


@dataclass(frozen=True, slots=True)
class Presence:
    """Who looks at it from now on."""

    attendants: tuple[Attendant, ...]


Change: TypeAlias = Claimed | Released | Noted | Decided
"""What raises the revision."""
ReviewEvent: TypeAlias = Change | Presence
