"""A worker: leases items, reads some at a time, tells what came of each, gives back what it cannot finish."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import structlog

from vidence_server.batch.domain.batch import READ_DOCUMENT
from vidence_server.batch.domain.failure import BackOff, Failure
from vidence_server.batch.domain.work import (
    Directive,
    DocumentReader,
    Done,
    Lease,
    LeaseRef,
    Outcome,
    Presence,
    WorkSource,
)
from vidence_server.batch.worker.patience import Patience
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason

_BUSY_S = 0.5


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker behaves."""

    wait_s: float = 20.0
    """How long one request for items waits for some."""
    beat_s: float = 2.0
    """How often it prolongs its leases at least, and so learns what was cancelled, s."""
    grace_s: float = 10.0
    """At its end, time to finish what it has."""
    back_off: BackOff = field(default_factory=lambda: BackOff(0.2, 5.0))
    """Where the service does not answer."""


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """A worker in numbers. Counters start with the worker."""

    running: int
    completed: int
    """Items that were read."""
    failed: int
    """Attempts that failed."""
    lost: int
    """Attempts that were dropped, because the lease was lost or the item cancelled."""
    unreachable: int
    """Requests that the service did not answer."""


class Worker:
    """Works from the beginning of its context to the end.

    Bound: as many items as its concurrency; it asks for no more than it can begin at once.
    """

    def __init__(
        self,
        source: WorkSource,
        reader: DocumentReader,
        *,
        worker_id: str,
        name: str,
        concurrency: int,
        clock: Clock,
        random: Callable[[], float],
        settings: WorkerSettings | None = None,
    ) -> None:
        """A worker at rest.

        Args:
            source: Where items come from.
            reader: What reads them.
            worker_id: `wrk_…`, of this worker only.
            name: For people.
            concurrency: Items at once, until an operator asks for another number.
            clock: For durations.
            random: Numbers in [0, 1), for jitter.
            settings: How it behaves; None: the defaults.
        """
        self._source = source
        self._reader = reader
        self._worker_id = worker_id
        self._name = name
        self._clock = clock
        self._settings = settings = settings or WorkerSettings()
        self._patience = Patience(settings.back_off, random)
        self._directive = Directive(drain=False, concurrency=concurrency)
        self._concurrency = concurrency
        self._items: dict[LeaseRef, asyncio.Task[None]] = {}  # bound: the concurrency
        self._ends_s: dict[LeaseRef, float] = {}  # bound: the same; when each lease ends unless prolonged
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._beat_s = settings.beat_s
        self._lease_s = 0.0
        self._completed = self._failed = self._lost = 0
        self._log = structlog.get_logger(__name__)

    async def __aenter__(self) -> Self:
        """Begins to work."""
        self._tasks = [
            asyncio.create_task(self._lease_again(), name=f"leases of {self._worker_id}"),
            asyncio.create_task(self._beat(), name=f"heartbeat of {self._worker_id}"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Takes nothing new, finishes what it can within the grace, and gives the rest back."""
        leasing, beating = self._tasks
        leasing.cancel()
        await asyncio.wait({leasing})
        if self._items:
            await asyncio.wait(set(self._items.values()), timeout=self._settings.grace_s)
        left = set(self._items.values())
        for task in (*left, beating):
            task.cancel()
        await asyncio.wait({*left, beating})
        with suppress(DomainError):  # else the leases run out
            await self._source.release(self._worker_id, ())

    def statistics(self) -> WorkerStatistics:
        """The numbers as they are now."""
        return WorkerStatistics(
            len(self._items), self._completed, self._failed, self._lost, self._patience.unreachable
        )

    def _presence(self) -> Presence:
        return Presence(
            self._worker_id, self._name, self._concurrency, (READ_DOCUMENT,), running=len(self._items)
        )

    async def _lease_again(self) -> None:
        failures = 0
        while True:
            self._changed.clear()
            free = self._directive.concurrency - len(self._items)
            if self._directive.drain or free <= 0:
                await self._changed.wait()
                continue
            asked_s = self._clock.monotonic()
            try:
                grant = await self._source.lease(self._presence(), free, wait_s=self._settings.wait_s)
            except DomainError as error:
                failures += 1
                await self._patience.pause(failures, error)
                continue
            failures = 0
            self._follow(grant.directive)
            for lease in grant.leases:
                # It was given later than it was asked for; how much later is not known here.
                self._begin(lease, asked_s + lease.duration_s)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._beat_s)
            try:
                lost = await self._extend(list(self._items))
            except DomainError as error:
                self._patience.unreachable += 1
                self._log.warning("leases were not prolonged", reason=error.reason)
                continue
            for ref in lost:
                task = self._items.get(ref)
                if task is not None:
                    self._lost += 1
                    task.cancel()

    async def _extend(self, refs: Sequence[LeaseRef]) -> tuple[LeaseRef, ...]:
        asked_s = self._clock.monotonic()
        extension = await self._source.extend(self._presence(), refs)
        self._follow(extension.directive)
        for ref in set(refs) - set(extension.lost):
            if ref in self._items:
                self._ends_s[ref] = asked_s + self._lease_s
        return extension.lost

    def _follow(self, directive: Directive) -> None:
        if directive != self._directive:
            self._log.info("worker directed", drain=directive.drain, concurrency=directive.concurrency)
            self._directive = directive
            self._changed.set()

    def _begin(self, lease: Lease, end_s: float) -> None:
        self._lease_s = lease.duration_s
        self._beat_s = min(self._settings.beat_s, lease.duration_s / 3)
        self._ends_s[lease.ref] = end_s
        ahead = not self._items
        task = asyncio.create_task(self._work(lease, ahead=ahead), name=f"item {lease.ref.item_id}")
        self._items[lease.ref] = task
        task.add_done_callback(lambda _: self._over(lease.ref))

    def _over(self, ref: LeaseRef) -> None:
        del self._items[ref], self._ends_s[ref]
        self._changed.set()

    async def _work(self, lease: Lease, *, ahead: bool) -> None:
        begin_s = self._clock.monotonic()
        try:
            outcome = await self._outcome(lease, ahead=ahead)
            await self._tell(lease, outcome, self._clock.monotonic() - begin_s)
        except DomainError as error:
            if error.reason is not Reason.LEASE_LOST:
                self._log.error("item was left", item=lease.ref.item_id, exc_info=error)
            self._lost += 1

    async def _outcome(self, lease: Lease, *, ahead: bool) -> Outcome:
        """Raises `DomainError`, LEASE_LOST, where the item is not this worker's any more."""
        try:
            content = await self._patience.ask(lambda: self._source.content(lease.ref))
            return Done(await self._read(lease, content, ahead=ahead))
        except DomainError as error:
            if error.reason is Reason.LEASE_LOST:
                raise
            return Failure.of(error)
        except Exception as error:  # noqa: BLE001  # a defect in one reading must not end the worker
            self._log.error("reading failed", item=lease.ref.item_id, exc_info=error)
            return Failure.of(DomainError(Reason.INTERNAL, "Internal error of the worker."))

    async def _read(self, lease: Lease, content: bytes, *, ahead: bool) -> bytes:
        while True:
            await self._make_sure(lease.ref)
            try:
                return await self._reader.read(
                    content, document_type=lease.document_type, pdf_page=lease.pdf_page, ahead=ahead
                )
            except DomainError as error:
                # The engine is busy with what goes first: the item waits here, which is no failed attempt.
                if error.reason is not Reason.QUEUE_FULL:
                    raise
                await asyncio.sleep(error.retry_after_s or _BUSY_S)

    async def _make_sure(self, ref: LeaseRef) -> None:
        """Returns while the item is this worker's for sure; raises `DomainError`, LEASE_LOST.

        A worker that was slow to begin may have lost it to one that has read it meanwhile.
        """
        while self._clock.monotonic() >= self._ends_s[ref]:
            if ref in await self._patience.ask(lambda: self._extend([ref])):
                raise DomainError(Reason.LEASE_LOST, "The lease ran out before the reading began.")

    async def _tell(self, lease: Lease, outcome: Outcome, duration_s: float) -> None:
        """Tells until it is taken: the work is done, and losing it would do it twice."""
        await self._patience.ask(
            lambda: self._source.complete(self._worker_id, lease.ref, outcome, duration_s)
        )
        self._completed += isinstance(outcome, Done)
        self._failed += isinstance(outcome, Failure)
