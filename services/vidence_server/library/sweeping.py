"""Forgets what is too old: changes that nobody can follow any more, snapshots that nobody exports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from vidence_server.core.clock import Clock
from vidence_server.library.exporting import Exporting
from vidence_server.library.journal import log_name
from vidence_server.library.store import libraries
from vidence_server.runtime.rounds import Round, Rounds
from vidence_server.runtime.service_logs import ServiceLogs
from vidence_server.storage.database import Database
from vidence_server.storage.outbox import Outbox

_PERIOD_S = 600.0
_PAGE = 100


class Sweeper:
    """Forgets it, once or again and again."""

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

    def rounds(self) -> Rounds:
        """Does it again and again."""
        return Rounds(Round(self.sweep, _PERIOD_S, "retention of libraries", "old changes stay"))

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
