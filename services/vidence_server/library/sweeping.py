"""Forgets what is too old: changes that nobody can follow any more, snapshots that nobody exports."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog

from vidence_server.core.clock import Clock
from vidence_server.library.exporting import Exporting
from vidence_server.library.journal import log_name
from vidence_server.library.store import libraries
from vidence_server.runtime.service_logs import ServiceLogs
from vidence_server.storage.database import Database
from vidence_server.storage.outbox import Outbox

_PERIOD_S = 600.0
_PAGE = 100


class Sweeper:
    """One task, from the beginning of its context to the end."""

    def __init__(
        self,
        database: Database,
        logs: ServiceLogs,
        outbox: Outbox,
        exporting: Exporting,
        clock: Clock,
        *,
        retention: timedelta,
        tenants: Sequence[str],
    ) -> None:
        self._database = database
        self._logs = logs
        self._outbox = outbox
        self._exporting = exporting
        self._clock = clock
        self._retention = retention
        self._tenants = tenants
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger(__name__)

    async def __aenter__(self) -> Self:
        """Begins."""
        self._task = asyncio.create_task(self._run(), name="retention of libraries")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def sweep(self) -> None:
        """Does it once; raises `DomainError`, STORAGE_FULL or STORAGE_FAILED."""
        await self._exporting.sweep()
        before = self._clock.now() - self._retention
        before_ns = int(before.timestamp() * 1e9)
        for tenant in self._tenants:
            await self._expire(tenant, before_ns)
        async with self._database.transaction() as transaction:
            await self._outbox.forget_refused(transaction, before)

    async def _expire(self, tenant: str, before_ns: int) -> None:
        after_id = ""
        while True:
            async with self._database.snapshot() as snapshot:
                page = await libraries.page(snapshot, tenant, after_id=after_id, limit=_PAGE)
            for library in page:
                async with self._database.transaction() as transaction:
                    await self._logs.expire(transaction, log_name(tenant, library.library_id), before_ns)
            if len(page) < _PAGE:
                return
            after_id = page[-1].library_id

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_PERIOD_S)
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001  # the next round tries again
                self._log.warning("old changes stay", exc_info=error)
