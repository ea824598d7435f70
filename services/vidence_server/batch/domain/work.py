"""What workers are given and what they give back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

from vidence_server.batch.domain.failure import Failure


class LeaseRef(NamedTuple):
    """Names a lease: the item, and the token that fences off whoever had it before."""

    item_id: str
    token: int


@dataclass(frozen=True, slots=True)
class Lease:
    """An item that belongs to a worker for a while."""

    ref: LeaseRef
    attempt: int
    """From 1."""
    duration_s: float
    """How long it holds unless it is prolonged, s."""
    operation: str
    document_type: str
    pdf_page: int


@dataclass(frozen=True, slots=True)
class Presence:
    """What a worker says of itself."""

    worker_id: str
    name: str
    concurrency: int
    operations: tuple[str, ...]
    running: int = 0


@dataclass(frozen=True, slots=True)
class Directive:
    """What a worker is asked to do."""

    drain: bool
    concurrency: int


@dataclass(frozen=True, slots=True)
class Done:
    """An attempt ended well."""

    result: bytes
    """What came of it, encoded."""


Outcome: TypeAlias = Done | Failure


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to a worker that asks for items."""

    leases: tuple[Lease, ...]
    directive: Directive


@dataclass(frozen=True, slots=True)
class Extension:
    """The answer to a worker that prolongs its leases."""

    lost: tuple[LeaseRef, ...]
    directive: Directive


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as operators see it."""

    worker_id: str
    name: str
    draining: bool
    concurrency: int
    running: int
    completed: int
    operations: tuple[str, ...]
    start_time: datetime
    last_seen_time: datetime


class WorkSource(Protocol):
    """Where a worker gets items: the service in the same process, or a client of it."""

    async def lease(self, worker: Presence, count: int, *, wait_s: float) -> Grant:
        """Leases up to `count` items; waits for the first up to `wait_s` seconds."""
        ...

    async def content(self, ref: LeaseRef) -> bytes:
        """The image of a leased item.

        Raises:
            DomainError: LEASE_LOST, BLOB_NOT_FOUND.
        """
        ...

    async def extend(self, worker: Presence, refs: Sequence[LeaseRef]) -> Extension:
        """Prolongs leases."""
        ...

    async def complete(self, worker_id: str, ref: LeaseRef, outcome: Outcome, duration_s: float) -> bool:
        """Commits what came of an attempt; whether that had been done before.

        Raises:
            DomainError: LEASE_LOST.
        """
        ...

    async def release(self, worker_id: str, refs: Sequence[LeaseRef]) -> None:
        """Gives items back untouched; none named: all that the worker has."""
        ...


class DocumentReader(Protocol):
    """What a worker reads images with; the suite hands it over."""

    async def read(self, content: bytes, *, document_type: str, pdf_page: int, ahead: bool) -> bytes:
        """Reads one image; cancelling stops the work.

        Args:
            content: The file.
            document_type: Key of the type; empty to detect it.
            pdf_page: From 1; ignored for images.
            ahead: Whether it goes before the others of this worker.

        Returns:
            An encoded `vidence.extraction.v1.Document`.

        Raises:
            DomainError: Why it cannot be read.
        """
        ...
