"""Erases a person's images and what was read of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from vidence_server.batch.batches import Batches
from vidence_server.batch.domain.batch import Batch, Item
from vidence_server.batch.domain.states import ItemState
from vidence_server.batch.foundation import Foundation
from vidence_server.batch.jobs import Jobs
from vidence_server.batch.runs import Runs
from vidence_server.batch.store import batch_table, filing_table, item_table, subject_table
from vidence_server.core.erasure import Erasure, KindCount, counted
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Transaction
from vidence_server.storage.erasure import empty_log


@dataclass(frozen=True, slots=True)
class _Held:
    """What there is of a subject."""

    jobs: list[Item]
    own: dict[str, int]
    """Batches that have nobody else's items, with how many there are."""
    shared: dict[str, list[Item]]
    """Its items in batches that have others too."""

    @property
    def batches(self) -> list[str]:
        """All of them."""
        return sorted({*self.own, *self.shared})

    @property
    def item_count(self) -> int:
        """Its items in all of them."""
        return sum(self.own.values()) + sum(map(len, self.shared.values()))


@dataclass(frozen=True, slots=True)
class SubjectErasing:
    """What of a subject is in batches and jobs, and its end."""

    base: Foundation
    batches: Batches
    runs: Runs
    jobs: Jobs

    async def erase(self, tenant: str, subject_id: str, *, dry_run: bool) -> Erasure:
        """Erases a subject's items and jobs, or only counts them.

        A batch of nobody else is cancelled and deleted, a job too. In a batch of several people items lose
        image, result and names; while it runs they count as failed.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED; to be repeated.
        """
        held = await self._held(tenant, subject_id)
        failed = 0
        if not dry_run:
            for job in held.jobs:
                await self._delete_job(tenant, job)
            for batch_id in held.own:
                await self._delete_batch(tenant, batch_id)
            for batch_id, items in held.shared.items():
                failed += 0 if await self._empty(tenant, batch_id, items) else len(items)
            await empty_log(self.base.database)
        found = {"job": len(held.jobs), "batch": len(held.own), "batch_item": held.item_count}
        return counted(
            [
                _kind(kind, count, failed * (kind == "batch_item"), dry_run=dry_run)
                for kind, count in found.items()
            ],
            [f"batches/{batch_id}" for batch_id in held.batches],
        )

    async def _held(self, tenant: str, subject_id: str) -> _Held:
        by_batch: dict[str, list[Item]] = defaultdict(list)
        jobs: list[Item] = []
        async with self.base.database.snapshot() as snapshot:
            for item in await subject_table.select_of_subject(snapshot, tenant, subject_id):
                if item.batch_id is None:
                    jobs.append(item)
                else:
                    by_batch[item.batch_id].append(item)
            own: dict[str, int] = {}
            for batch_id, items in by_batch.items():
                batch = await batch_table.select_one(snapshot, tenant, batch_id)
                if batch is not None and batch.counts.total == len(items):
                    own[batch_id] = len(items)
        shared = {batch_id: items for batch_id, items in by_batch.items() if batch_id not in own}
        return _Held(jobs, own, shared)

    async def _delete_job(self, tenant: str, job: Item) -> None:
        with _unless_gone():
            await self.jobs.cancel(tenant, job.id)
        # Bytes first: while there is a row, a repetition finds them.
        await self._delete_images([job])
        await self.jobs.delete(job)

    async def _delete_batch(self, tenant: str, batch_id: str) -> None:
        with _unless_gone():
            await self.runs.cancel(tenant, batch_id)
            async with self.base.database.snapshot() as snapshot:
                items = await item_table.select_of_batch(snapshot, batch_id)
            await self._delete_images(items)
            await self.batches.delete(tenant, batch_id)

    async def _empty(self, tenant: str, batch_id: str, items: Sequence[Item]) -> bool:
        """Takes what is a subject's out of a batch of several people; False where it runs."""
        async with self.base.database.snapshot() as snapshot:
            seen = await batch_table.select_one(snapshot, tenant, batch_id)
        if seen is None:
            return True
        if seen.state.active:
            return False
        await self._delete_images(items)

        async def work(transaction: Transaction) -> bool:
            batch = await batch_table.select_one(transaction, tenant, batch_id)
            if batch is None or batch.state.active:
                return batch is None
            for item in items:
                await filing_table.remove(transaction, item.id)
                await item_table.save(transaction, _emptied(item))
            await batch_table.save(transaction, _with_cancelled(batch, items))
            await self.base.ledger.forget_runs(transaction, batch)
            return True

        return await self.base.database.run(work)

    async def _delete_images(self, items: Sequence[Item]) -> None:
        for item in items:
            if item.blob_id:
                await self.base.blobs.delete(item.blob_id)


def _emptied(item: Item) -> Item:
    """What is left of an item: its place, and how it ended."""
    return replace(
        item,
        state=item.state if item.state.ended else ItemState.CANCELLED,
        file_name="",
        sha256="",
        blob_id="",
        image_expire_time=None,
        dead=False,
        failure=None,
        result=None,
        filing=None,
        subject_id="",
    )


def _with_cancelled(batch: Batch, items: Sequence[Item]) -> Batch:
    waiting = sum(not item.state.ended for item in items)
    return replace(batch, counts=replace(batch.counts, cancelled=batch.counts.cancelled + waiting))


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Meanwhile somebody else may have deleted it."""
    try:
        yield
    except DomainError as error:
        if error.reason not in {Reason.BATCH_NOT_FOUND, Reason.JOB_NOT_FOUND}:
            raise


def _kind(kind: str, found: int, failed: int, *, dry_run: bool) -> KindCount:
    return KindCount(kind, found) if dry_run else KindCount(kind, found, found - failed, failed)
