"""What all parts of the service stand on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from vidence_server.batch.domain.failure import BackOff
from vidence_server.batch.domain.filing import Libraries
from vidence_server.batch.domain.limits import BatchLimits
from vidence_server.batch.ledger import Ledger
from vidence_server.batch.queue.port import WorkQueue
from vidence_server.core.clock import Clock
from vidence_server.core.ids import IdFactory
from vidence_server.storage.blobs import BlobStore
from vidence_server.storage.database import Database, Transaction


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
    read_image_time: timedelta = timedelta(minutes=15)
    """How much longer the image of an item of a durable batch is kept when it was read."""
    filing_time: timedelta = timedelta(days=1)
    """How long a result is offered to a library that does not take it."""
    call_filing_time: timedelta = timedelta(seconds=30)
    """The same where a call waits for it."""
    filing_back_off: BackOff = field(default_factory=BackOff)


_WORK = "batch work"
"""Topic: another server on the same database has put something into the queue."""
_FILINGS = "batch filings"
"""Topic: it has put a result on its way into a library."""


class Bell:
    """Rings when there may be something to do; those who wait look again."""

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
    libraries: Libraries
    bell: Bell = field(default_factory=Bell)
    """There may be something to lease."""
    filing_bell: Bell = field(default_factory=Bell)
    """There may be something to file."""

    def ring_after(self, transaction: Transaction) -> None:
        """Wakes workers that wait, those of other servers too, once the change is kept."""
        transaction.after_commit(self.bell.ring)
        if self.database.shared:
            transaction.announce(_WORK)

    def file_after(self, transaction: Transaction) -> None:
        """Wakes what files results, once the change is kept."""
        transaction.after_commit(self.filing_bell.ring)
        if self.database.shared:
            transaction.announce(_FILINGS)

    @contextmanager
    def ringing_for_others(self) -> Iterator[None]:
        """Rings also for what other servers on the same database do."""
        ends = [
            self.database.listen(_WORK, self.bell.ring),
            self.database.listen(_FILINGS, self.filing_bell.ring),
        ]
        try:
            yield
        finally:
            for end in ends:
                end()
