"""What all parts of the service stand on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from vidence_server.batch.domain.failure import BackOff
from vidence_server.batch.domain.limits import BatchLimits
from vidence_server.batch.ledger import Ledger
from vidence_server.batch.queue.port import WorkQueue
from vidence_server.core.clock import Clock
from vidence_server.core.ids import IdFactory
from vidence_server.storage.blobs import BlobStore
from vidence_server.storage.database import Database, Transaction

DEFAULT_TENANT = "default"
"""Whose batches every call means until there are credentials that say more."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is accepted, how often it is tried, and how long anything is kept."""

    limits: BatchLimits = field(default_factory=BatchLimits)
    max_attempts: int = 3
    back_off: BackOff = field(default_factory=BackOff)
    lease_s: float = 30.0
    retention: timedelta = timedelta(days=1)
    open_time: timedelta = timedelta(days=1)
    image_time: timedelta = timedelta(days=30)
    """Bound for images that were lost sight of; all others go with their item."""


_WORK = "batch work"
"""Topic: another server on the same database has put something into the queue."""


class Bell:
    """Rings when there may be something to lease; those who wait look again."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def ring(self) -> None:
        """Wakes all who wait."""
        self._next.set()
        self._next = asyncio.Event()

    @property
    def next(self) -> asyncio.Event:
        """Set by the next ring; to be taken before one looks."""
        return self._next


@dataclass(frozen=True, slots=True)
class Foundation:
    """What all parts of the service share."""

    database: Database
    blobs: BlobStore
    queue: WorkQueue
    ledger: Ledger
    clock: Clock
    ids: IdFactory
    random: Callable[[], float]
    """Numbers in [0, 1), for jitter."""
    policy: Policy
    bell: Bell = field(default_factory=Bell)

    def ring_after(self, transaction: Transaction) -> None:
        """Wakes workers that wait, those of other servers too, once the change is kept."""
        transaction.after_commit(self.bell.ring)
        if self.database.shared:
            transaction.announce(_WORK)

    def ring_for_others(self) -> Callable[[], None]:
        """Rings also for what other servers on the same database do; gives what ends it."""
        return self.database.listen(_WORK, self.bell.ring)
