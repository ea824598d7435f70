"""Brings what was read into libraries: each result once, however often either side is away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog

from vidence_server.batch.domain.batch import Item
from vidence_server.batch.domain.failure import Failure
from vidence_server.batch.domain.filing import FilingState, Properties
from vidence_server.batch.foundation import Foundation
from vidence_server.batch.settlement import Settlement
from vidence_server.batch.store import filing_table, item_table
from vidence_server.batch.store.filing_table import FilingRow
from vidence_server.core.errors import DomainError, ErrorKind
from vidence_server.storage.database import Lease, Transaction

_LEASE = "filing of results"
_AT_ONCE = 64
_PAUSE_S = 1.0
_OF_THE_LIBRARY = frozenset(
    {ErrorKind.UNAVAILABLE, ErrorKind.RESOURCE_EXHAUSTED, ErrorKind.DEADLINE_EXCEEDED}
)
"""Failures that the next result for the same library would meet too."""


@dataclass(frozen=True, slots=True)
class FilerStatistics:
    """What went into libraries. Counters start with the process."""

    filed: int
    """Results that a library has."""
    refused: int
    """Results that no library took."""
    failures: int
    """Attempts that failed and are made again."""
    leading: bool
    """Whether this process is the one that files; of several servers on one database one is."""


class Filer:
    """Works from the beginning of its context to the end, in one task.

    A result is offered until the library has it, then the item says so. A crash between the two offers it
    again under the same id, which changes nothing in the library.
    """

    def __init__(self, foundation: Foundation, settlement: Settlement) -> None:
        self._base = foundation
        self._settlement = settlement
        self._log = structlog.get_logger(__name__)
        self._task: asyncio.Task[None] | None = None
        self._filed = self._refused = self._failures = 0
        self._leading = False

    async def __aenter__(self) -> Self:
        """Begins."""
        self._task = asyncio.create_task(self._run(), name="filing of results")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops; what is left is filed after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def statistics(self) -> FilerStatistics:
        """The numbers as they are now."""
        return FilerStatistics(self._filed, self._refused, self._failures, self._leading)

    async def _run(self) -> None:
        while True:
            try:
                async with self._base.database.exclusive(_LEASE) as lease:
                    self._leading = True
                    while True:
                        await self._round(lease)
            except Exception as error:  # noqa: BLE001  # another attempt follows, here or in another server
                self._log.warning("results wait for their libraries", exc_info=error)
            finally:
                self._leading = False
            await asyncio.sleep(_PAUSE_S)

    async def _round(self, lease: Lease) -> None:
        """Offers what is due, or waits for something."""
        bell, now = self._base.filing_bell.next, self._base.clock.now()
        lease.check()
        async with self._base.database.snapshot() as snapshot:
            rows = await filing_table.select_due(snapshot, now, limit=_AT_ONCE)
            soonest = None if rows else await filing_table.next_time(snapshot)
        for row in rows:
            lease.check()
            if not await self._offer(row):
                return  # others may have been put off with it: what is due is to be seen anew
        if not rows:
            pause_s = None if soonest is None else max(0.0, (soonest - now).total_seconds())
            await _wait(bell, pause_s)

    async def _offer(self, row: FilingRow) -> bool:
        """Offers one result; False where the library is to be left alone for a while."""
        item = await self._waiting(row)
        if item is None or item.filing is None or item.result is None:
            return True
        try:
            await self._base.libraries.put(
                item.tenant, row.library_id, item.filing.document_id, item.result, _properties(item)
            )
        except DomainError as error:
            return await self._failed(row, error)
        self._filed += await self._settle(row, None)
        return True

    async def _waiting(self, row: FilingRow) -> Item | None:
        async with self._base.database.snapshot() as snapshot:
            item = await item_table.select_one(snapshot, row.item_id, result=True)
        if item is None or item.filing is None or item.filing.state is not FilingState.PENDING:
            await self._base.database.run(lambda change: filing_table.remove(change, row.item_id))
            return None
        return item

    async def _failed(self, row: FilingRow, error: DomainError) -> bool:
        failure, now = Failure.of(error), self._base.clock.now()
        if not failure.passing or now >= row.give_up_time:
            self._log.warning("result refused by its library", item=row.item_id, reason=failure.reason)
            self._refused += await self._settle(row, failure)
            return True
        self._failures += 1
        delay_s = self._base.policy.filing_back_off.delay_s(row.attempt + 1, self._base.random())
        until = now + timedelta(seconds=max(delay_s, error.retry_after_s or 0.0))
        until = min(until, row.give_up_time)
        all_of = error.kind in _OF_THE_LIBRARY
        if row.attempt == 0:
            self._log.info("result waits for its library", item=row.item_id, reason=failure.reason)
        await self._base.database.run(lambda change: filing_table.postpone(change, row, until, all_of=all_of))
        return not all_of

    async def _settle(self, row: FilingRow, failure: Failure | None) -> bool:
        """Keeps what became of a result; False where it does not wait any more: cancelled, or told before."""

        async def work(change: Transaction) -> bool:
            if not await filing_table.remove(change, row.item_id):
                return False
            item = await item_table.select_one(change, row.item_id, result=True)
            if item is None:
                return False
            await self._settlement.filed(change, item, failure)
            return True

        return await self._base.database.run(work)


def _properties(item: Item) -> Properties:
    """Where a result comes from."""
    named = {"subject_id": item.subject_id} if item.subject_id else {}
    if item.batch_id is None:
        return {"job_id": item.id, **named}
    named |= {"file_name": item.file_name} if item.file_name else {}
    return {"batch_id": item.batch_id, "index": item.index, **named}


async def _wait(bell: asyncio.Event, longest_s: float | None) -> None:
    try:
        async with asyncio.timeout(longest_s):
            await bell.wait()
    except TimeoutError:
        pass
