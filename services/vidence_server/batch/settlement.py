"""Brings items forward: begun, read, failed, put off; and with the last of them their batch to its end.

Each step is a part of one transaction: the item, its batch's numbers, the queue, the log and the outbox
change together or not at all.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from vidence_server.batch.domain.batch import Batch, Item
from vidence_server.batch.domain.events import (
    BatchEvent,
    ItemFailed,
    ItemFiled,
    ItemRead,
    JobAttempted,
    JobEnded,
    JobRetried,
    Progress,
)
from vidence_server.batch.domain.failure import Failure
from vidence_server.batch.domain.filing import FilingState
from vidence_server.batch.domain.states import BatchState, ItemState, Stage
from vidence_server.batch.foundation import Foundation
from vidence_server.batch.queue.port import Held
from vidence_server.batch.store import batch_table, filing_table, item_table
from vidence_server.storage.database import Transaction


class Settlement:
    """The steps of an item."""

    def __init__(self, foundation: Foundation) -> None:
        self._base = foundation

    async def begin(self, transaction: Transaction, held: Held) -> Item | None:
        """A worker has the item now; None where it is gone, which takes it from the queue too."""
        item = await item_table.select_one(transaction, held.ref.item_id)
        if item is None:
            await self._base.queue.remove(transaction, [held.ref.item_id])
            return None
        item = replace(item, state=ItemState.RUNNING, attempt=held.attempt)
        await item_table.save(transaction, item)
        if item.batch_id is None:
            await self._base.ledger.tell_job(transaction, item, JobAttempted(item.attempt))
            return item
        batch = await self._batch_of(transaction, item)
        counts = replace(batch.counts, running=batch.counts.running + 1)
        batch = replace(batch, state=BatchState.RUNNING, counts=counts)
        await batch_table.save(transaction, batch)
        await self._base.ledger.tell(transaction, batch, [_progress(batch, item, Stage.READING)])
        return item

    async def succeed(
        self, transaction: Transaction, item: Item, held: Held, result: bytes, duration_s: float
    ) -> str:
        """The item was read; gives the image that is to be deleted when this is kept, empty for none."""
        await self._base.queue.remove(transaction, [item.id])
        item = replace(
            item,
            result=result,
            failure=None,
            finish_token=held.ref.token,
            duration_ms=round(duration_s * 1000),
            filing=item.new_filing,
        )
        if item.batch_id is None:
            await self._job_read(transaction, item)
            return item.blob_id
        batch = await self._batch_of(transaction, item)
        now, blob_id = self._base.clock.now(), item.blob_id
        keep_s = timedelta(0) if batch.ephemeral else self._base.policy.read_image_time
        item = replace(item, state=ItemState.SUCCEEDED, end_time=now)
        item = replace(item, image_expire_time=now + keep_s) if keep_s else replace(item, blob_id="")
        await item_table.save(transaction, item)
        if item.filing is not None:
            await self.offer(transaction, item, ephemeral=batch.ephemeral)
        counts = replace(
            batch.counts,
            running=batch.counts.running - 1,
            succeeded=batch.counts.succeeded + 1,
            filing=batch.counts.filing + (item.filing is not None),
        )
        batch = replace(
            batch,
            counts=counts,
            first_result_time=batch.first_result_time or now,
            work_ms=batch.work_ms + item.duration_ms,
        )
        read = ItemRead(item.index, item.file_name, result, item.attempt, duration_s)
        await self._step(transaction, batch, [read, _progress(batch, item, Stage.DONE)])
        return "" if item.blob_id else blob_id

    async def offer(self, transaction: Transaction, item: Item, *, ephemeral: bool = False) -> None:
        """An item's result is on its way into its library from now on."""
        now, policy = self._base.clock.now(), self._base.policy
        row = filing_table.FilingRow(
            item_id=item.id,
            owner=item.owner,
            library_id=item.library_id,
            attempt=0,
            available_time=now,
            give_up_time=now + (policy.call_filing_time if ephemeral else policy.filing_time),
        )
        await filing_table.insert(transaction, [row])
        self._base.file_after(transaction)

    async def filed(self, transaction: Transaction, item: Item, failure: Failure | None) -> None:
        """An item's result is in its library, or will never be, where there is a failure.

        Args:
            transaction: Of the change.
            item: With its result.
            failure: Why it is not there.
        """
        filing = item.filing or item.new_filing
        if filing is None:
            raise RuntimeError("what is filed has a library")
        state = FilingState.REFUSED if failure else FilingState.FILED
        item = replace(item, filing=replace(filing, state=state, failure=failure))
        if item.batch_id is None:
            await self._end_job(transaction, item)
            return
        await item_table.save_filing(transaction, item)
        batch = await self._batch_of(transaction, item)
        counts = replace(
            batch.counts,
            filing=batch.counts.filing - 1,
            filed=batch.counts.filed + (failure is None),
            unfiled=batch.counts.unfiled + (failure is not None),
        )
        told = ItemFiled(item.index, item.file_name, replace(filing, state=state, failure=failure))
        await self._step(transaction, replace(batch, counts=counts), [told])

    async def fail(
        self, transaction: Transaction, item: Item, held: Held, failure: Failure, duration_s: float
    ) -> None:
        """An attempt failed: another follows, or the item has failed for good."""
        item = replace(item, failure=failure, duration_ms=round(duration_s * 1000))
        if failure.passing and item.attempt < item.max_attempts:
            await self._put_off(transaction, item, held, failure)
        else:
            await self._give_up(transaction, item, held, failure)

    async def give_back(self, transaction: Transaction, item: Item, held: Held) -> None:
        """A worker stops before it is done: the item waits again as if it had not been begun."""
        await self._base.queue.give_back(
            transaction, held.ref, available=self._base.clock.now(), counts=False
        )
        await self._waits(transaction, replace(item, attempt=item.attempt - 1))
        self._base.ring_after(transaction)

    async def end_if_done(self, transaction: Transaction, batch: Batch) -> Batch:
        """Ends a batch whose items all ended and are filed."""
        if not batch.counts.settled:
            await batch_table.save(transaction, batch)
            return batch
        return await self.end(transaction, batch, batch.counts.final_state)

    async def end(self, transaction: Transaction, batch: Batch, state: BatchState) -> Batch:
        """Ends a batch."""
        now = self._base.clock.now()
        batch = replace(batch, state=state, end_time=now, expire_time=now + self._base.policy.retention)
        await batch_table.save(transaction, batch)
        await self._base.ledger.ended(transaction, batch)
        return batch

    async def _job_read(self, transaction: Transaction, job: Item) -> None:
        """A job's image was read: it ends, or when its result is in the library."""
        job = replace(job, blob_id="")
        if job.filing is None:
            await self._end_job(transaction, job)
            return
        await item_table.save(transaction, job)
        await self.offer(transaction, job)

    async def _end_job(self, transaction: Transaction, job: Item) -> None:
        now: datetime = self._base.clock.now()
        job = replace(
            job, state=ItemState.SUCCEEDED, end_time=now, expire_time=now + self._base.policy.retention
        )
        await item_table.save(transaction, job)
        ended = JobEnded(job.state, job.operation, job.attempt, result=job.result, filing=job.filing)
        await self._base.ledger.tell_job(transaction, job, ended, end=True)

    async def _put_off(self, transaction: Transaction, item: Item, held: Held, failure: Failure) -> None:
        delay_s = self._base.policy.back_off.delay_s(item.attempt, self._base.random())
        available = self._base.clock.now() + timedelta(seconds=delay_s)
        await self._base.queue.give_back(transaction, held.ref, available=available, counts=True)
        batch = await self._waits(transaction, item)
        if batch is None:
            retried = JobRetried(item.attempt, failure, delay_s)
            await self._base.ledger.tell_job(transaction, item, retried)
        else:
            batch = replace(batch, retried=batch.retried + 1, work_ms=batch.work_ms + item.duration_ms)
            await self._step(transaction, batch, [_progress(batch, item, Stage.RETRY)])
        self._base.ring_after(transaction)

    async def _give_up(self, transaction: Transaction, item: Item, held: Held, failure: Failure) -> None:
        now = self._base.clock.now()
        await self._base.queue.remove(transaction, [item.id])
        item = replace(
            item,
            state=ItemState.FAILED,
            dead=failure.passing,
            finish_token=held.ref.token,
            end_time=now,
            expire_time=None if item.batch_id else now + self._base.policy.retention,
        )
        await item_table.save(transaction, item)
        if item.batch_id is None:
            ended = JobEnded(item.state, item.operation, item.attempt, failure=failure)
            await self._base.ledger.tell_job(transaction, item, ended, end=True)
            return
        batch = await self._batch_of(transaction, item)
        counts = replace(batch.counts, running=batch.counts.running - 1, failed=batch.counts.failed + 1)
        batch = replace(batch, counts=counts, work_ms=batch.work_ms + item.duration_ms)
        failed = ItemFailed(item.index, item.file_name, failure, item.attempt)
        await self._step(transaction, batch, [failed, _progress(batch, item, Stage.DONE)])

    async def _waits(self, transaction: Transaction, item: Item) -> Batch | None:
        """The item is with no worker any more; gives its batch, saved, if it has one."""
        await item_table.save(transaction, replace(item, state=ItemState.QUEUED))
        if item.batch_id is None:
            return None
        batch = await self._batch_of(transaction, item)
        batch = replace(batch, counts=replace(batch.counts, running=batch.counts.running - 1))
        await batch_table.save(transaction, batch)
        return batch

    async def _step(self, transaction: Transaction, batch: Batch, events: list[BatchEvent]) -> None:
        await self._base.ledger.tell(transaction, batch, events)
        await self.end_if_done(transaction, batch)

    async def _batch_of(self, transaction: Transaction, item: Item) -> Batch:
        batch = await batch_table.select_one(transaction, item.tenant, item.batch_id or "")
        if batch is None:
            raise RuntimeError("an item has a batch as long as it is kept")
        return batch


def _progress(batch: Batch, item: Item, stage: Stage) -> Progress:
    return Progress(
        current=batch.counts.done,
        total=batch.counts.total,
        index=item.index,
        file_name=item.file_name,
        stage=stage,
        attempt=item.attempt,
    )
