"""Jobs, and what operators see of the queue."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from vidence_server.batch.domain.batch import READ_DOCUMENT, Image, Item
from vidence_server.batch.domain.events import JobEnded
from vidence_server.batch.domain.pages import DEFAULT_PAGE_SIZE, decode_token, encode_token
from vidence_server.batch.domain.states import ItemState
from vidence_server.batch.foundation import Foundation
from vidence_server.batch.intake import Intake, sha256_of
from vidence_server.batch.queue.port import QueuedWork, QueueNumbers
from vidence_server.batch.runs import Runs
from vidence_server.batch.store import filing_table, item_table
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs, or dead letters, of a listing."""

    jobs: list[Item]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class QueueReport:
    """The queue as a tenant may know it."""

    numbers: QueueNumbers
    dead_letters: int
    now: datetime


class Jobs:
    """What users do with jobs, and operators with dead letters."""

    def __init__(self, foundation: Foundation, intake: Intake, runs: Runs) -> None:
        self._base = foundation
        self._intake = intake
        self._runs = runs

    async def submit(
        self,
        tenant: str,
        image: Image,
        *,
        idempotency_key: str = "",
        max_attempts: int = 0,
        library_id: str = "",
    ) -> Item:
        """Submits the reading of one image; the same key gives the same job.

        Raises:
            DomainError: The IMAGE_… reasons, LIBRARY_NOT_FOUND, IDEMPOTENCY_CONFLICT, QUEUE_FULL.
        """
        self._base.policy.limits.check_image(image.content)
        await self._intake.check_library(tenant, library_id)
        async with self._base.database.snapshot() as snapshot:
            known = await _by_key(snapshot, tenant, idempotency_key)
        if known is not None:
            return _same(known, await sha256_of(image.content))
        async with self._intake.kept(tenant, image) as blob:
            job = self._new(tenant, image, max_attempts)
            job = replace(job, blob_id=blob.id, sha256=blob.sha256, library_id=library_id)
            async with self._base.database.transaction() as transaction:
                known = await _by_key(transaction, tenant, idempotency_key)
                if known is None:
                    await item_table.insert(transaction, [job], idempotency_key)
                    await self._enqueue(transaction, job)
                    return job
        await self._intake.forget([blob.id])
        return _same(known, blob.sha256)

    async def get(self, tenant: str, job_id: str) -> Item:
        """A job with its result; raises `DomainError`, JOB_NOT_FOUND."""
        async with self._base.database.snapshot() as snapshot:
            return await self._find(snapshot, tenant, job_id)

    async def page(
        self, tenant: str, states: Collection[ItemState], *, page_size: int = 0, page_token: str = ""
    ) -> JobPage:
        """A page of jobs, the newest first; raises `DomainError`, PAGE_TOKEN_INVALID."""
        listing = (tenant, "jobs", *sorted(states))
        before, limit = decode_token(page_token, *listing), page_size or DEFAULT_PAGE_SIZE
        async with self._base.database.snapshot() as snapshot:
            found = await item_table.select_jobs(snapshot, tenant, states, before=before, limit=limit + 1)
        return _page(found, limit, listing)

    async def cancel(self, tenant: str, job_id: str) -> Item:
        """Cancels a job; one that ended is given as it is. Raises `DomainError`, JOB_NOT_FOUND."""
        now = self._base.clock.now()
        async with self._base.database.transaction() as transaction:
            job = await self._find(transaction, tenant, job_id)
            if job.state.ended:
                return job
            await self._base.queue.remove(transaction, [job_id])
            await filing_table.remove(transaction, job_id)
            expire_time = now + self._base.policy.retention
            job = replace(job, state=ItemState.CANCELLED, end_time=now, expire_time=expire_time)
            await item_table.save(transaction, replace(job, blob_id="", result=None, filing=None))
            ended = JobEnded(job.state, job.operation, job.attempt)
            await self._base.ledger.tell_job(transaction, job, ended, end=True)
        await self._intake.forget([job.blob_id])
        return job

    async def dead_letters(self, tenant: str, *, page_size: int = 0, page_token: str = "") -> JobPage:
        """A page of dead letters, the newest first; raises `DomainError`, PAGE_TOKEN_INVALID."""
        listing = (tenant, "dead letters")
        before, limit = decode_token(page_token, *listing), page_size or DEFAULT_PAGE_SIZE
        async with self._base.database.snapshot() as snapshot:
            found = await item_table.select_dead(snapshot, tenant, before=before, limit=limit + 1)
        return _page(found, limit, listing)

    async def requeue(self, tenant: str, item_ids: Sequence[str]) -> int:
        """Puts dead letters back into work, all or none; gives how many there were.

        Raises:
            DomainError: BATCH_WRONG_STATE, QUEUE_FULL.
        """

        async def work(transaction: Transaction) -> int:
            count = 0
            by_batch: dict[str, list[int]] = {}
            for item_id in dict.fromkeys(item_ids):
                item = await item_table.select_one(transaction, item_id)
                if item is None or not item.dead or item.tenant != tenant:
                    continue
                count += 1
                if item.batch_id is None:
                    await self._requeue_job(transaction, item)
                else:
                    by_batch.setdefault(item.batch_id, []).append(item.index)
            for batch_id, indexes in by_batch.items():
                await self._runs.retry_in(transaction, tenant, batch_id, indexes)
            return count

        return await self._base.database.run(work)

    async def report(self, tenant: str) -> QueueReport:
        """The numbers of the queue."""
        now = self._base.clock.now()
        async with self._base.database.snapshot() as snapshot:
            numbers = await self._base.queue.numbers(snapshot, tenant, now=now)
            return QueueReport(numbers, await item_table.count_dead(snapshot, tenant), now)

    async def delete(self, job: Item) -> None:
        """Deletes a job that ended with all that is kept of it."""

        async def work(transaction: Transaction) -> None:
            await item_table.delete_one(transaction, job.id)
            await self._base.ledger.delete_job(transaction, job)

        await self._base.database.run(work)
        await self._intake.forget([job.blob_id])

    async def _requeue_job(self, transaction: Transaction, job: Item) -> None:
        job = replace(
            job,
            state=ItemState.QUEUED,
            run=job.run + 1,
            attempt=0,
            dead=False,
            failure=None,
            end_time=None,
            expire_time=None,
        )
        await item_table.save(transaction, job)
        await self._enqueue(transaction, job)

    async def _enqueue(self, transaction: Transaction, job: Item) -> None:
        now = self._base.clock.now()
        numbers = await self._base.queue.numbers(transaction, job.tenant, now=now)
        waiting = numbers.waiting + numbers.delayed + numbers.leased
        self._base.policy.limits.check_waiting(waiting=waiting, added=1)
        work = QueuedWork(job.id, job.tenant, job.id, job.operation)
        await self._base.queue.put(transaction, [work], now=now)
        self._base.ring_after(transaction)

    async def _find(self, transaction: Transaction, tenant: str, job_id: str) -> Item:
        job = await item_table.select_job(transaction, tenant, job_id)
        if job is None:
            raise DomainError(Reason.JOB_NOT_FOUND, "No job that is kept has this id.")
        return job

    def _new(self, tenant: str, image: Image, max_attempts: int) -> Item:
        return Item(
            id=self._base.ids.new("job"),
            tenant=tenant,
            batch_id=None,
            index=0,
            operation=READ_DOCUMENT,
            state=ItemState.QUEUED,
            run=1,
            file_name="",
            document_type=image.document_type,
            pdf_page=image.pdf_page,
            subject_id=image.subject_id,
            sha256="",
            size_bytes=len(image.content),
            blob_id="",
            attempt=0,
            max_attempts=max_attempts or self._base.policy.max_attempts,
            dead=False,
            failure=None,
            finish_token=0,
            duration_ms=0,
            create_time=self._base.clock.now(),
            end_time=None,
            expire_time=None,
        )


async def _by_key(transaction: Transaction, tenant: str, idempotency_key: str) -> Item | None:
    if not idempotency_key:
        return None
    return await item_table.select_job_by_key(transaction, tenant, idempotency_key)


def _page(found: list[Item], limit: int, listing: tuple[object, ...]) -> JobPage:
    token = encode_token(found[limit - 1].id, *listing) if len(found) > limit else ""
    return JobPage(found[:limit], token)


def _same(job: Item, sha256: str) -> Item:
    if job.sha256 != sha256:
        raise DomainError(Reason.IDEMPOTENCY_CONFLICT, "The idempotency key was used for another request.")
    return job
