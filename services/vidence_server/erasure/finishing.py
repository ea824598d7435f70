"""What nobody asks for: purges that are gone on with, and the end of old receipts."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError
from vidence_server.erasure import store
from vidence_server.erasure.service import ErasureService
from vidence_server.erasure.settings import ErasureSettings
from vidence_server.storage.database import Database
from vidence_server.storage.outbox import Outbox

_AT_ONCE = 64


class Finisher:
    """One task, from the beginning of its context to the end; several servers may share one database."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        service: ErasureService,
        clock: Clock,
        settings: ErasureSettings,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._service = service
        self._clock = clock
        self._settings = settings
        self._log = structlog.get_logger(__name__)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begins; first with what a process before left."""
        self._task = asyncio.create_task(self._run(), name="purges that are not complete")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends the task; the next process goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def finish(self) -> None:
        """Goes on with the oldest purges that are not complete, one after another.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        async with self._database.snapshot() as snapshot:
            left = await store.select_unfinished(snapshot, limit=_AT_ONCE)
        for tenant, purge_id in left:
            try:
                await self._service.go_on(tenant, purge_id)
            except DomainError as error:
                self._log.warning("purge waits", purge_id=purge_id, reason=error.reason)

    async def forget(self) -> None:
        """Removes old receipts; raises `DomainError`, STORAGE_FULL, STORAGE_FAILED."""
        before = self._clock.now() - timedelta(days=self._settings.receipt_retention_days)
        async with self._database.transaction() as transaction:
            await store.delete_before(transaction, before)
            await self._outbox.forget_refused(transaction, before)

    async def _run(self) -> None:
        while True:
            # Calls come first: one that has just begun a purge is not overtaken.
            await asyncio.sleep(self._settings.retry_period_s)
            try:
                await self.finish()
                await self.forget()
            except Exception as error:  # noqa: BLE001  # the next round tries again
                self._log.warning("purges wait", exc_info=error)
