"""The purge of one subject: what each service held, and how far it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from vidence_server.core.canonical import canonical_hash
from vidence_server.core.erasure import Erasure, KindCount

SUBJECT_FORMAT = "vidence.subject/1"
BUSY = "BUSY"
"""Why a service is not done that still has something in work."""


class PurgeState(StrEnum):
    """How far a purge is."""

    DRY_RUN = "DRY_RUN"
    RUNNING = "RUNNING"
    PARTIAL = "PARTIAL"
    COMPLETE = "COMPLETE"


@dataclass(frozen=True, slots=True)
class ServicePart:
    """What became of a subject's data in one service."""

    service: str
    done: bool = False
    reason: str = ""
    """Why it is not done."""
    kinds: tuple[KindCount, ...] = ()

    def planned(self, found: Erasure) -> ServicePart:
        """With what is known to be there, before it is erased: it survives a crash in between."""
        kinds = _merged(self.kinds, found.kinds, erased=False)
        return replace(self, done=not found.found, reason="", kinds=kinds)

    def erased(self, told: Erasure) -> ServicePart:
        """After the service has erased: what was planned and is not told again is gone."""
        kinds = _merged(self.kinds, told.kinds, erased=True)
        failed = any(kind.failed for kind in kinds)
        return replace(self, done=not failed, reason=BUSY if failed else "", kinds=kinds)

    def failed(self, reason: str) -> ServicePart:
        """The service could not be asked, or could not do it."""
        return replace(self, done=False, reason=reason)


@dataclass(frozen=True, slots=True)
class Purge:
    """The purge of one subject."""

    id: str
    tenant: str
    subject_digest: str
    request_id: str
    state: PurgeState
    create_time: datetime
    complete_time: datetime | None = None
    attempts: int = 0
    subject_id: str = ""
    """Needed to go on; empty once it is complete."""
    parts: tuple[ServicePart, ...] = ()
    """By service, in the order in which they are asked."""
    review_subjects: tuple[str, ...] = ()
    """What went, so that its reviews can go; empty once it is complete."""
    receipt: str = field(default="", repr=False)
    receipt_hash: str = ""

    @property
    def erased(self) -> int:
        """Everything that is gone, all kinds together."""
        return sum(kind.erased for part in self.parts for kind in part.kinds)

    def part(self, service: str) -> ServicePart:
        """What is known of a service."""
        return next((part for part in self.parts if part.service == service), ServicePart(service))

    def with_part(self, part: ServicePart, review_subjects: Iterable[str] = ()) -> Purge:
        """With news of a service."""
        parts = {known.service: known for known in self.parts} | {part.service: part}
        subjects = tuple(sorted({*self.review_subjects, *review_subjects}))
        return replace(self, parts=tuple(parts.values()), review_subjects=subjects)


def digest_of(tenant: str, subject_id: str) -> str:
    """Stands for a subject where its id must not: a pseudonym that whoever knows the id can check."""
    return canonical_hash({"format": SUBJECT_FORMAT, "subject_id": subject_id, "tenant": tenant})


def _merged(known: Iterable[KindCount], told: Iterable[KindCount], *, erased: bool) -> tuple[KindCount, ...]:
    before: Mapping[str, KindCount] = {kind.kind: kind for kind in known}
    now: Mapping[str, KindCount] = {kind.kind: kind for kind in told}
    made = []
    for kind in dict.fromkeys((*before, *now)):
        old, new = before.get(kind, KindCount(kind, 0)), now.get(kind, KindCount(kind, 0))
        # What was erased before is not found again: what is there now comes on top of it.
        found = max(old.found, old.erased + new.found)
        made.append(
            KindCount(kind, found, found - new.failed, new.failed)
            if erased
            else KindCount(kind, found, old.erased)
        )
    return tuple(made)
