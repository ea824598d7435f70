"""Libraries that take results, with fault knobs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from vidence_server.core.errors import DomainError, Reason


@dataclass
class FakeShelf:
    """What services see of libraries: fits `batch.domain.filing.Libraries` and the same of extraction."""

    known: set[str] = field(default_factory=lambda: {"mine"})
    away: asyncio.Event | None = None
    """Set: nobody answers."""
    refuses: Mapping[str, Reason] = field(default_factory=dict)
    """By the end of a document's id."""
    loses: int = 0
    """So many documents are taken, and the answer is lost on its way."""
    documents: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    """What was taken, by tenant, library and document."""
    properties: dict[str, Mapping[str, str | float]] = field(default_factory=dict)
    offered: Counter[str] = field(default_factory=Counter)
    """How often each document was offered."""

    async def check(self, tenant: str, library_id: str) -> None:
        if self.away is not None and self.away.is_set():
            raise DomainError(Reason.NOT_READY, "away")
        if library_id not in self.known:
            raise DomainError(Reason.LIBRARY_NOT_FOUND, "no such library")

    async def put(
        self,
        tenant: str,
        library_id: str,
        document_id: str,
        result: bytes,
        properties: Mapping[str, str | float],
    ) -> None:
        self.offered[document_id] += 1
        await self.check(tenant, library_id)
        for ending, reason in self.refuses.items():
            if document_id.endswith(ending):
                raise DomainError(reason, "not this one")
        self.documents[tenant, library_id, document_id] = result
        self.properties[document_id] = properties
        if self.loses:
            self.loses -= 1
            raise DomainError(Reason.NOT_READY, "the answer was lost")

    def ids(self) -> list[str]:
        """The documents that it has, of all libraries."""
        return sorted(document_id for _, _, document_id in self.documents)
