"""Tells what happens: entries in the logs of batches and jobs, and events on their way to the bus.

Always in the transaction of the change itself: what is told did happen, and nothing that happened is untold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vidence_server.batch.domain.batch import Batch, Item
from vidence_server.batch.domain.events import BatchEvent, JobEvent, RunEnded
from vidence_server.runtime.service_logs import Encoder, LogName, ServiceLogs
from vidence_server.storage.database import Transaction
from vidence_server.storage.outbox import Outbox, OutboxEvent


class Codec(Protocol):
    """Makes messages of what is told; `convert` does."""

    def batch_entry(self, event: BatchEvent, batch: Batch) -> Encoder:
        """An entry of a batch's log."""
        ...

    def job_entry(self, event: JobEvent, job: Item) -> Encoder:
        """An entry of a job's log."""
        ...

    def started(self, batch: Batch) -> OutboxEvent:
        """The event that a run was started."""
        ...

    def ended(self, batch: Batch) -> OutboxEvent:
        """The event that a run ended."""
        ...


def batch_log(tenant: str, batch_id: str, run: int) -> LogName:
    """The log of a run of a batch."""
    return LogName(tenant, f"batch/{batch_id}/{run}")


def job_log(tenant: str, job_id: str, run: int) -> LogName:
    """The log of a run of a job."""
    return LogName(tenant, f"job/{job_id}/{run}")


class Ledger:
    """Writes logs and outbox."""

    def __init__(self, logs: ServiceLogs, outbox: Outbox, codec: Codec) -> None:
        self._logs = logs
        self._outbox = outbox
        self._codec = codec

    async def started(self, transaction: Transaction, batch: Batch, events: Sequence[BatchEvent]) -> None:
        """A run was started; `events` begin its log."""
        await self.tell(transaction, batch, events)
        await self._outbox.add(transaction, self._codec.started(batch))

    async def tell(self, transaction: Transaction, batch: Batch, events: Sequence[BatchEvent]) -> None:
        """Something happened in a run."""
        encoders = [self._codec.batch_entry(event, batch) for event in events]
        await self._logs.append(transaction, batch_log(batch.tenant, batch.id, batch.run), encoders)

    async def ended(self, transaction: Transaction, batch: Batch) -> None:
        """A run ended; its log ends with it."""
        entry = self._codec.batch_entry(RunEnded(batch), batch)
        name = batch_log(batch.tenant, batch.id, batch.run)
        await self._logs.append(transaction, name, [entry], end=True)
        await self._outbox.add(transaction, self._codec.ended(batch))

    async def tell_job(
        self, transaction: Transaction, job: Item, event: JobEvent, *, end: bool = False
    ) -> None:
        """Something happened in a run of a job."""
        name = job_log(job.tenant, job.id, job.run)
        await self._logs.append(transaction, name, [self._codec.job_entry(event, job)], end=end)

    async def delete_batch(self, transaction: Transaction, batch: Batch) -> None:
        """Removes the logs of all runs."""
        for run in range(1, batch.run + 1):
            await self._logs.delete(transaction, batch_log(batch.tenant, batch.id, run))

    async def forget_runs(self, transaction: Transaction, batch: Batch) -> None:
        """Removes what was told in all runs; of a batch that ended only that is told again."""
        await self.delete_batch(transaction, batch)
        if batch.state.ended:
            entry = self._codec.batch_entry(RunEnded(batch), batch)
            await self._logs.append(
                transaction, batch_log(batch.tenant, batch.id, batch.run), [entry], end=True
            )

    async def delete_job(self, transaction: Transaction, job: Item) -> None:
        """Removes the logs of all runs."""
        for run in range(1, job.run + 1):
            await self._logs.delete(transaction, job_log(job.tenant, job.id, run))
