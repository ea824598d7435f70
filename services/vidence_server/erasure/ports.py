"""What this service asks of others; the suite hands it over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vidence_server.core.erasure import Erasure
from vidence_server.erasure.domain.purge import Purge
from vidence_server.storage.outbox import OutboxEvent


class Holder(Protocol):
    """A service that holds data of people; it may be away at any time."""

    async def erase(self, tenant: str, subject_id: str, *, dry_run: bool) -> Erasure:
        """Erases what it holds of a subject, or only counts it; raises `DomainError`."""
        ...


class Reviews(Protocol):
    """What people noted on sessions and batches."""

    async def erase(self, tenant: str, subjects: Sequence[str], *, dry_run: bool) -> Erasure:
        """Deletes the reviews of these, or only counts them; raises `DomainError`."""
        ...


class Codec(Protocol):
    """Makes messages of what is told; `convert` does."""

    def purged(self, purge: Purge) -> OutboxEvent:
        """The event that a purge is complete."""
        ...
