"""The workers' side: hands items out, takes back what came of them, and rescues those that got stuck."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import structlog

from vidence_server.batch.domain.batch import Item
from vidence_server.batch.domain.failure import Failure, worker_lost
from vidence_server.batch.domain.work import Extension, Grant, Lease, LeaseRef, Outcome, Presence
from vidence_server.batch.foundation import Foundation
from vidence_server.batch.queue.port import Held
from vidence_server.batch.settlement import Settlement
from vidence_server.batch.store import item_table
from vidence_server.batch.workers import Workers
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Transaction

LOCAL_PREFIX = "wrk_local_"
"""Workers inside a server's process, which die with it; the instance of its database follows."""
_INSTANCE = 32
"""Length of `Database.instance`."""
_AT_ONCE = 64
_LAST_WORDS = 4096


class Desk:
    """A `WorkSource`: workers in the process use it as it is, others over gRPC."""

    def __init__(
        self, foundation: Foundation, settlement: Settlement, workers: Workers, *, stop: asyncio.Event
    ) -> None:
        """A desk.

        Args:
            foundation: The service's.
            settlement: The steps of items.
            workers: Who is heard of.
            stop: Set when the server drains: nobody waits for work any more.
        """
        self._base = foundation
        self._settlement = settlement
        self._workers = workers
        self._stop = stop
        self._local = itertools.count(1)
        self._log = structlog.get_logger(__name__)

    def new_local_worker(self) -> str:
        """An id for a worker in this process."""
        return f"{LOCAL_PREFIX}{self._base.database.instance}_{next(self._local)}"

    async def lease(self, worker: Presence, count: int, *, wait_s: float) -> Grant:
        """Leases items; see `WorkSource.lease`."""
        until_s = self._base.clock.monotonic() + wait_s
        while True:
            directive = self._workers.heard(worker)
            if directive.drain:  # maybe since it began to wait here
                return Grant((), directive)
            if self._stop.is_set():
                raise DomainError(Reason.DRAINING, "The server is shutting down.", retry_after_s=1.0)
            bell = self._base.bell.next
            leases, pause_s = await self._try_lease(worker, count)
            left_s = until_s - self._base.clock.monotonic()
            if leases or left_s <= 0 or not count:
                return Grant(tuple(leases), self._workers.heard(worker))
            await self._wait(bell, left_s if pause_s is None else min(left_s, pause_s))

    async def content(self, ref: LeaseRef) -> bytes:
        """The image of a leased item; see `WorkSource.content`."""
        async with self._base.database.snapshot() as snapshot:
            held = await self._base.queue.holds(snapshot, ref)
            item = None if held is None else await item_table.select_one(snapshot, ref.item_id)
        if item is None:
            raise _lost()
        return await self._base.blobs.get(item.blob_id, tenant=item.tenant)

    async def extend(self, worker: Presence, refs: Sequence[LeaseRef]) -> Extension:
        """Prolongs leases; see `WorkSource.extend`."""
        directive = self._workers.heard(worker)
        until = self._base.clock.now() + timedelta(seconds=self._base.policy.lease_s)
        lost: list[LeaseRef] = []
        if refs:
            lost = await self._base.database.run(
                lambda transaction: self._base.queue.extend(transaction, refs, until=until)
            )
        return Extension(tuple(lost), directive)

    async def complete(self, worker_id: str, ref: LeaseRef, outcome: Outcome, duration_s: float) -> bool:
        """Commits what came of an attempt; see `WorkSource.complete`."""

        async def settle(transaction: Transaction) -> str | None:
            held = await self._base.queue.holds(transaction, ref)
            item = await item_table.select_one(transaction, ref.item_id)
            if item is not None and held is not None:
                return await self._settle(transaction, item, held, outcome, duration_s)
            if item is not None and item.finish_token == ref.token:
                return None  # told before: the answer was lost on its way
            raise _lost()

        done_with = await self._base.database.run(settle)
        if done_with is None:
            return True
        self._workers.completed(worker_id)
        if done_with:
            # What a crash or a failure leaves here expires by itself.
            with suppress(DomainError):
                await self._base.blobs.delete(done_with)
        return False

    async def release(self, worker_id: str, refs: Sequence[LeaseRef]) -> None:
        """Takes items back untouched; see `WorkSource.release`."""

        async def give_back(transaction: Transaction) -> None:
            held = await self._base.queue.held_by(transaction, worker_id, limit=_LAST_WORDS)
            for each in held:
                item = await item_table.select_one(transaction, each.ref.item_id)
                if item is not None and (not refs or each.ref in refs):
                    await self._settlement.give_back(transaction, item, each)

        await self._base.database.run(give_back)

    async def rescue(self) -> int:
        """Takes back items whose lease ran out; gives how many.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """

        async def take(transaction: Transaction) -> int:
            stuck = await self._base.queue.expired(transaction, now=self._base.clock.now(), limit=_AT_ONCE)
            await self._take_back(transaction, stuck)
            return len(stuck)

        return await self._base.database.run(take)

    async def rescue_local(self) -> int:
        """Takes back the items of workers that died with their server, at once."""
        database = self._base.database
        async with database.snapshot() as snapshot:
            held = await self._base.queue.held_by(snapshot, LOCAL_PREFIX, limit=_LAST_WORDS)
        gone = await database.gone({_server_of(each) for each in held})
        stuck = [each for each in held if _server_of(each) in gone]

        async def take(transaction: Transaction) -> None:
            # Meanwhile others may have taken some of them.
            await self._take_back(
                transaction, [each for each in stuck if await self._base.queue.holds(transaction, each.ref)]
            )

        if stuck:
            await database.run(take)
        return len(stuck)

    async def _take_back(self, transaction: Transaction, stuck: Sequence[Held]) -> None:
        for held in stuck:
            self._log.warning("worker fell silent", worker=held.worker_id, attempt=held.attempt)
            item = await item_table.select_one(transaction, held.ref.item_id)
            if item is None:
                await self._base.queue.remove(transaction, [held.ref.item_id])
            else:
                lost = worker_lost(held.attempt)
                await self._settlement.fail(transaction, item, held, lost, 0.0)

    async def _settle(
        self, transaction: Transaction, item: Item, held: Held, outcome: Outcome, duration_s: float
    ) -> str:
        """Gives the image that is needed no more; empty: none."""
        if isinstance(outcome, Failure):
            await self._settlement.fail(transaction, item, held, outcome, duration_s)
            return ""
        return await self._settlement.succeed(transaction, item, held, outcome.result, duration_s)

    async def _try_lease(self, worker: Presence, count: int) -> tuple[list[Lease], float | None]:
        """Leases what is there; else how long until something may be, s, None where nothing waits."""
        if not count:
            return [], None
        async with self._base.database.snapshot() as snapshot:
            soonest = await self._base.queue.next_available(snapshot, worker.operations)
        now = self._base.clock.now()
        if soonest is None:
            return [], None
        if soonest > now:
            return [], (soonest - now).total_seconds()
        until = now + timedelta(seconds=self._base.policy.lease_s)

        async def take(transaction: Transaction) -> list[Lease]:
            held = await self._base.queue.lease(
                transaction,
                worker_id=worker.worker_id,
                operations=worker.operations,
                count=count,
                now=now,
                until=until,
            )
            begun = [(each, await self._settlement.begin(transaction, each)) for each in held]
            return [self._lease(each, item) for each, item in begun if item is not None]

        return await self._base.database.run(take), 0.0

    def _lease(self, held: Held, item: Item) -> Lease:
        return Lease(
            ref=held.ref,
            attempt=held.attempt,
            duration_s=self._base.policy.lease_s,
            operation=item.operation,
            document_type=item.document_type,
            pdf_page=item.pdf_page,
        )

    async def _wait(self, bell: asyncio.Event, longest_s: float) -> None:
        waiting = [
            asyncio.create_task(bell.wait(), name="wait for work"),
            asyncio.create_task(self._stop.wait(), name="wait for the drain"),
        ]
        try:
            await asyncio.wait(waiting, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()


def _server_of(held: Held) -> str:
    return held.worker_id.removeprefix(LOCAL_PREFIX)[:_INSTANCE]


def _lost() -> DomainError:
    return DomainError(Reason.LEASE_LOST, "The item does not belong to this worker any more.")
