"""Results on their way into libraries: how far they are, and what a library is to this service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from vidence_server.batch.domain.failure import Failure

Properties: TypeAlias = Mapping[str, str | float]


class FilingState(StrEnum):
    """How far a result is on its way into a library."""

    PENDING = "PENDING"
    FILED = "FILED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Filing:
    """What becomes of a result that is to go into a library."""

    library_id: str
    document_id: str
    state: FilingState = FilingState.PENDING
    failure: Failure | None = None
    """Why it is not there."""


class Libraries(Protocol):
    """Libraries as this service needs them; the suite hands it over. They may be away at any time."""

    async def check(self, tenant: str, library_id: str) -> None:
        """Whether there is such a library.

        Raises:
            DomainError: LIBRARY_NOT_FOUND; NOT_READY, DEADLINE_EXCEEDED where nobody can tell now.
        """
        ...

    async def put(
        self, tenant: str, library_id: str, document_id: str, result: bytes, properties: Properties
    ) -> None:
        """Makes a result a document, or recognises that it is one already.

        Args:
            tenant: Whose library.
            library_id: Which.
            document_id: Its id there; the same for the same result.
            result: An encoded `vidence.extraction.v1.Document`.
            properties: Where it comes from, beside what was read.

        Raises:
            DomainError: Why not; of kind UNAVAILABLE, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, ABORTED or
                INTERNAL where trying again may help.
        """
        ...


def document_id_of(batch_id: str | None, index: int, item_id: str) -> str:
    """The id of an item's result in a library: never two results with one, never another for the same."""
    return f"{batch_id}-{index}" if batch_id else item_id
