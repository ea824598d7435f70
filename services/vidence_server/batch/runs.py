"""Runs of batches: started, cancelled, and begun again with what failed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from vidence_server.batch.domain.batch import Batch, Item
from vidence_server.batch.domain.events import BatchEvent, ItemFailed, Progress, RunStarted
from vidence_server.batch.domain.failure import Failure
from vidence_server.batch.domain.filing import FilingState
from vidence_server.batch.domain.states import BatchState, ItemState, Stage
from vidence_server.batch.foundation import Foundation
from vidence_server.batch.queue.port import QueuedWork
from vidence_server.batch.settlement import Settlement
from vidence_server.batch.store import batch_table, filing_table, item_table
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Transaction

_AGAIN = (ItemState.FAILED, ItemState.CANCELLED)


class Runs:
    """What users do with the runs of a batch."""

    def __init__(self, foundation: Foundation, settlement: Settlement) -> None:
        self._base = foundation
        self._settlement = settlement

    async def start(self, tenant: str, batch_id: str) -> Batch:
        """Starts an open batch; another is given as it is.

        Raises:
            DomainError: BATCH_NOT_FOUND, BATCH_EMPTY, QUEUE_FULL.
        """

        async def work(transaction: Transaction) -> Batch:
            batch = await find(transaction, tenant, batch_id)
            if batch.state is not BatchState.OPEN:
                return batch
            items = await item_table.select_of_batch(transaction, batch_id)
            if not items:
                raise _empty()
            await self._enqueue(transaction, batch, [i for i in items if i.state is ItemState.QUEUED])
            batch = replace(
                batch, state=BatchState.QUEUED, start_time=self._base.clock.now(), expire_time=None
            )
            refused = [item for item in items if item.state is ItemState.FAILED]
            events = [RunStarted(len(items), 0), *_refusals(len(items), refused)]
            await self._base.ledger.started(transaction, batch, events)
            return await self._settlement.end_if_done(transaction, batch)

        return await self._base.database.run(work)

    async def cancel(self, tenant: str, batch_id: str) -> Batch:
        """Cancels a batch; one that ended is given as it is.

        Raises:
            DomainError: BATCH_NOT_FOUND.
        """

        async def work(transaction: Transaction) -> Batch:
            batch = await find(transaction, tenant, batch_id)
            if batch.state.ended:
                return batch
            await self._base.queue.remove_owner(transaction, batch_id)
            now = self._base.clock.now()
            cancelled = await item_table.cancel_of_batch(transaction, batch_id, now)
            unfiled = await self._stop_filing(transaction, batch_id)
            counts = replace(
                batch.counts,
                running=0,
                cancelled=batch.counts.cancelled + cancelled,
                filing=0,
                unfiled=batch.counts.unfiled + unfiled,
            )
            batch = replace(batch, counts=counts)
            return await self._settlement.end(transaction, batch, BatchState.CANCELLED)

        return await self._base.database.run(work)

    async def retry(self, tenant: str, batch_id: str, indexes: Collection[int] = ()) -> tuple[Batch, int]:
        """Puts items of a batch that ended back into work; gives the batch in its next run, and how many.

        Args:
            tenant: Whose batch.
            batch_id: Which.
            indexes: Which items; empty: all that can be read again.

        Raises:
            DomainError: BATCH_NOT_FOUND, BATCH_WRONG_STATE, BATCH_ITEM_NOT_FOUND, BATCH_EMPTY, QUEUE_FULL.
        """
        return await self._base.database.run(
            lambda transaction: self.retry_in(transaction, tenant, batch_id, indexes)
        )

    async def retry_in(
        self, transaction: Transaction, tenant: str, batch_id: str, indexes: Collection[int]
    ) -> tuple[Batch, int]:
        """The same in a transaction of the caller."""
        batch = await find(transaction, tenant, batch_id)
        if not batch.state.ended:
            raise wrong_state(batch)
        found = await item_table.select_of_batch(transaction, batch_id, _AGAIN)
        again = {item.index: item for item in found if item.blob_id}
        unfiled = await item_table.select_unfiled(transaction, batch_id, FilingState.REFUSED)
        again |= {item.index: item for item in unfiled}
        for index in indexes:
            if index not in again:
                raise _no_item(index)
        chosen = [again[index] for index in sorted(set(indexes) or again)]
        if not chosen:
            raise _empty()
        to_file = [item for item in chosen if item.filing is not None]
        to_read = [item for item in chosen if item.filing is None]
        batch = replace(_next_run(batch, to_read, len(to_file)), start_time=self._base.clock.now())
        for item in to_read:
            await item_table.save(transaction, _fresh(item, self._base.policy.max_attempts))
        await self._enqueue(transaction, batch, to_read)
        for item in to_file:
            await item_table.save_filing(transaction, replace(item, filing=item.new_filing))
            await self._settlement.offer(transaction, item)
        await batch_table.save(transaction, batch)
        started = RunStarted(batch.counts.total, batch.counts.done)
        await self._base.ledger.started(transaction, batch, [started])
        return batch, len(chosen)

    async def _stop_filing(self, transaction: Transaction, batch_id: str) -> int:
        """What is on its way into a library goes no further; gives how many results that were."""
        await filing_table.remove_owner(transaction, batch_id)
        stopped = await item_table.select_unfiled(transaction, batch_id, FilingState.PENDING)
        for item in stopped:
            if item.filing is not None:
                filing = replace(item.filing, state=FilingState.REFUSED, failure=_cancelled())
                await item_table.save_filing(transaction, replace(item, filing=filing))
        return len(stopped)

    async def _enqueue(self, transaction: Transaction, batch: Batch, items: Sequence[Item]) -> None:
        now = self._base.clock.now()
        numbers = await self._base.queue.numbers(transaction, batch.tenant, now=now)
        waiting = numbers.waiting + numbers.delayed + numbers.leased
        self._base.policy.limits.check_waiting(waiting=waiting, added=len(items))
        work = [QueuedWork(item.id, batch.tenant, batch.id, item.operation) for item in items]
        await self._base.queue.put(transaction, work, now=now)
        self._base.ring_after(transaction)


async def find(transaction: Transaction, tenant: str, batch_id: str) -> Batch:
    """A batch; raises `DomainError`, BATCH_NOT_FOUND."""
    batch = await batch_table.select_one(transaction, tenant, batch_id)
    if batch is None:
        raise DomainError(Reason.BATCH_NOT_FOUND, "No batch that is kept has this id.")
    return batch


def wrong_state(batch: Batch) -> DomainError:
    """A batch is in a state that does not allow what is asked."""
    return DomainError(
        Reason.BATCH_WRONG_STATE,
        f"The batch is {batch.state.value}, which does not allow this.",
        metadata={"state": batch.state.value},
    )


def _refusals(total: int, refused: Sequence[Item]) -> list[BatchEvent]:
    events: list[BatchEvent] = []
    for done, item in enumerate(refused, start=1):
        if item.failure is not None:
            events.append(ItemFailed(item.index, item.file_name, item.failure, 0))
            events.append(Progress(done, total, item.index, item.file_name, Stage.DONE, 0))
    return events


def _next_run(batch: Batch, items: Sequence[Item], to_file: int) -> Batch:
    failed = sum(item.state is ItemState.FAILED for item in items)
    counts = replace(
        batch.counts,
        failed=batch.counts.failed - failed,
        cancelled=batch.counts.cancelled - (len(items) - failed),
        filing=to_file,
        unfiled=batch.counts.unfiled - to_file,
    )
    return replace(
        batch,
        state=BatchState.QUEUED,
        run=batch.run + 1,
        counts=counts,
        retried=0,
        end_time=None,
        expire_time=None,
        first_result_time=None,
        work_ms=0,
    )


def _fresh(item: Item, max_attempts: int) -> Item:
    return replace(
        item,
        state=ItemState.QUEUED,
        attempt=0,
        max_attempts=max_attempts,
        dead=False,
        failure=None,
        duration_ms=0,
        end_time=None,
    )


def _no_item(index: int) -> DomainError:
    return DomainError(
        Reason.BATCH_ITEM_NOT_FOUND,
        f"The batch has no item {index} that could be read again.",
        metadata={"index": str(index)},
    )


def _cancelled() -> Failure:
    return Failure.of(DomainError(Reason.CANCELLED, "The batch was cancelled before the library had this."))


def _empty() -> DomainError:
    return DomainError(Reason.BATCH_EMPTY, "The batch has no item to work at.")
