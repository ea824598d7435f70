"""What nobody asks for: rescue of stuck items, and the end of what has expired."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from vidence_server.batch.batches import Batches
from vidence_server.batch.desk import Desk
from vidence_server.batch.domain.batch import Batch
from vidence_server.batch.foundation import Foundation
from vidence_server.batch.jobs import Jobs
from vidence_server.batch.runs import Runs
from vidence_server.batch.store import batch_table, item_table
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.rounds import Round, Rounds

_AT_ONCE = 64


class Housekeeping:
    """Rescues and deletes, in a few tasks."""

    def __init__(
        self,
        foundation: Foundation,
        batches: Batches,
        runs: Runs,
        jobs: Jobs,
        desk: Desk,
        *,
        sweep_period_s: float,
    ) -> None:
        self._base = foundation
        self._batches = batches
        self._runs = runs
        self._jobs = jobs
        self._desk = desk
        self._sweep_period_s = sweep_period_s

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Ends what a process before left behind, then works until the context ends.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        rescue_period_s = min(self._base.policy.lease_s / 4, 5.0)
        rounds = [
            self._round(self._rescue, rescue_period_s, "rescue of stuck items"),
            self._round(self.sweep, self._sweep_period_s, "retention of batches"),
        ]
        if self._base.database.shared:
            # It takes a while to tell whether another server is dead: nobody waits for that.
            rounds.append(self._round(self.clear_up, rescue_period_s, "what dead servers left"))
        else:
            await self.clear_up()
        async with Rounds(*rounds):
            yield

    async def clear_up(self) -> None:
        """Takes back what workers in dead servers had, and deletes the batches of their calls."""
        await self._desk.rescue_local()
        await self.end_calls()

    async def end_calls(self) -> None:
        """Deletes the batches of calls that a dead process served."""
        async with self._base.database.snapshot() as snapshot:
            left = await batch_table.select_ephemeral(snapshot)
        gone = await self._base.database.gone({server for server, _ in left})
        for server, batch in left:
            if server in gone:
                await self._end_call(batch)

    async def sweep(self) -> None:
        """Deletes what has expired."""
        now = self._base.clock.now()
        async with self._base.database.snapshot() as snapshot:
            batches = await batch_table.select_expired(snapshot, now, limit=_AT_ONCE)
            jobs = await item_table.select_expired_jobs(snapshot, now, limit=_AT_ONCE)
            images = await item_table.select_expired_images(snapshot, now, limit=_AT_ONCE)
        for batch in batches:
            await self._delete(batch.tenant, batch.id)
        for job in jobs:
            await self._jobs.delete(job)
        await self._batches.forget_images(images)
        if _AT_ONCE in (len(batches), len(jobs), len(images)):
            await self.sweep()

    async def _end_call(self, batch: Batch) -> None:
        with suppress(DomainError):  # another server was quicker; else the next round
            await self._runs.cancel(batch.tenant, batch.id)
            await self._batches.delete(batch.tenant, batch.id)

    async def _delete(self, tenant: str, batch_id: str) -> None:
        try:
            await self._batches.delete(tenant, batch_id)
        except DomainError as error:
            # Meanwhile somebody deleted it, or put its items back into work.
            if error.reason not in {Reason.BATCH_NOT_FOUND, Reason.BATCH_WRONG_STATE}:
                raise

    async def _rescue(self) -> None:
        while await self._desk.rescue() == _AT_ONCE:
            pass

    @staticmethod
    def _round(work: Callable[[], Awaitable[None]], period_s: float, name: str) -> Round:
        return Round(work, period_s, name, "housekeeping failed", at_once=True)
