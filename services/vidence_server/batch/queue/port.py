"""The queue as the service sees it. SQL is behind it today; another engine fits the same conformance suite.

An item waits, is leased to one worker, and is finished, given back, or taken back when its lease runs out.
Every method takes the transaction of the change that it belongs to: an implementation outside the service's
database acts when that is committed, and may act twice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vidence_server.batch.domain.work import LeaseRef
from vidence_server.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class QueuedWork:
    """An item that is to be worked at."""

    item_id: str
    tenant: str
    owner: str
    """The batch or job that it belongs to; owners of a tenant take turns."""
    operation: str
    """What a worker must be able to do."""


@dataclass(frozen=True, slots=True)
class Held:
    """An item that a worker has."""

    ref: LeaseRef
    worker_id: str
    attempt: int
    """From 1: how often the item was leased since it was put, and not given back untouched."""


@dataclass(frozen=True, slots=True)
class QueueNumbers:
    """A tenant's part of the queue."""

    waiting: int
    delayed: int
    leased: int
    oldest_available: datetime | None
    """Since when the item could be worked at that waits longest."""


class WorkQueue(Protocol):
    """Items and leases."""

    async def put(self, transaction: Transaction, work: Sequence[QueuedWork], *, now: datetime) -> None:
        """Adds items of one tenant and owner, in order, with no attempts behind them."""
        ...

    async def lease(
        self,
        transaction: Transaction,
        *,
        worker_id: str,
        operations: Collection[str],
        count: int,
        now: datetime,
        until: datetime,
    ) -> list[Held]:
        """Leases up to `count` items: tenants take turns, and within a tenant its owners do.

        Every lease gets a token above all that were given before.
        """
        ...

    async def holds(self, transaction: Transaction, ref: LeaseRef) -> Held | None:
        """The lease where it is the item's newest one; None where the item is lost."""
        ...

    async def extend(
        self, transaction: Transaction, refs: Sequence[LeaseRef], *, until: datetime
    ) -> list[LeaseRef]:
        """Prolongs leases; gives those that are lost."""
        ...

    async def remove(self, transaction: Transaction, item_ids: Sequence[str]) -> None:
        """Takes items out, leased or not."""
        ...

    async def remove_owner(self, transaction: Transaction, owner: str) -> None:
        """Takes all items of an owner out, leased or not."""
        ...

    async def give_back(
        self, transaction: Transaction, ref: LeaseRef, *, available: datetime, counts: bool
    ) -> bool:
        """Lets a leased item wait again; False where it is lost.

        Args:
            transaction: Of the change.
            ref: The lease.
            available: When it may be leased again.
            counts: Whether the attempt counts.
        """
        ...

    async def expired(self, transaction: Transaction, *, now: datetime, limit: int) -> list[Held]:
        """Leases that ran out and were not taken back yet."""
        ...

    async def held_by(self, transaction: Transaction, prefix: str, *, limit: int) -> list[Held]:
        """Leases of workers whose id begins with a prefix."""
        ...

    async def next_available(self, transaction: Transaction, operations: Collection[str]) -> datetime | None:
        """When the next item can be leased that waits; None where none waits."""
        ...

    async def numbers(self, transaction: Transaction, tenant: str, *, now: datetime) -> QueueNumbers:
        """A tenant's part of the queue."""
        ...
