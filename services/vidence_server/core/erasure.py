"""What a service tells of the erasure of a person's data, the same in all services."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KindCount:
    """How much of one kind was there, and what became of it."""

    kind: str
    found: int
    erased: int = 0
    """Gone, also from the files of the service."""
    failed: int = 0
    """Still there: in work, say."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What a service held of a subject."""

    kinds: tuple[KindCount, ...] = ()
    """Those of which something was found."""
    review_subjects: tuple[str, ...] = ()
    """What was found that may have been reviewed: `sessions/…`, `batches/…`."""

    @property
    def found(self) -> int:
        """All kinds together."""
        return sum(kind.found for kind in self.kinds)


def counted(kinds: Iterable[KindCount], review_subjects: Iterable[str] = ()) -> Erasure:
    """An erasure of those kinds of which something was found."""
    return Erasure(tuple(kind for kind in kinds if kind.found), tuple(review_subjects))
