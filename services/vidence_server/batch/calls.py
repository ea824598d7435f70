"""Batches that live as long as a call: `ProcessBatch` and `ReadBatch`.

They go through the same queue as all others, so that they use every worker and take their turns; nothing of
them outlives the call, and what a killed server leaves is deleted at its next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

from vidence_server.batch.batches import Batches
from vidence_server.batch.domain.batch import Batch, Image, Item
from vidence_server.batch.ledger import batch_log
from vidence_server.batch.runs import Runs
from vidence_server.core.errors import DomainError
from vidence_server.runtime.service_logs import ServiceLogs
from vidence_server.runtime.watch_streams import Subscribable
from vidence_server.streams.frames import Batch as Entries
from vidence_server.streams.frames import End, EndReason
from vidence_server.streams.requests import Earliest, SubscriptionRequest

_QUIET_S = 3600.0


class Calls:
    """Processes batches within calls."""

    def __init__(self, batches: Batches, runs: Runs, logs: ServiceLogs) -> None:
        self._batches = batches
        self._runs = runs
        self._logs = logs

    async def process(
        self, tenant: str, images: Sequence[Image], *, document_type: str = "", library_id: str = ""
    ) -> AsyncGenerator[bytes, None]:
        """Reads images; closing the generator cancels the work.

        Yields:
            The batch's log from its start to its end, as the bytes of watch responses.

        Raises:
            DomainError: BATCH_TOO_MANY_IMAGES, BATCH_TOO_LARGE, LIBRARY_NOT_FOUND, QUEUE_FULL, DRAINING,
                STORAGE_FAILED.
        """
        async with (
            self._own(tenant, images, document_type, library_id) as batch,
            aclosing(self._entries(batch)) as entries,
        ):
            async for message in entries:
                yield message

    async def read(
        self, tenant: str, images: Sequence[Image], *, document_type: str = "", library_id: str = ""
    ) -> tuple[Batch, list[Item]]:
        """Reads images; gives the batch as it ended and its items by index.

        Raises:
            DomainError: As `process`.
        """
        async with self._own(tenant, images, document_type, library_id) as batch:
            async with aclosing(self._entries(batch)) as entries:
                async for _ in entries:
                    pass
            items: list[Item] = []
            token = ""
            while True:
                page = await self._batches.item_page(tenant, batch.id, page_size=1000, page_token=token)
                items += page.items
                token = page.next_page_token
                if not token:
                    return await self._batches.get(tenant, batch.id), items

    @asynccontextmanager
    async def _own(
        self, tenant: str, images: Sequence[Image], document_type: str, library_id: str
    ) -> AsyncIterator[Batch]:
        batch = await self._batches.create(
            tenant, document_type=document_type, library_id=library_id, ephemeral=True
        )
        try:
            await self._batches.add_all(batch, images)
            yield batch
        finally:
            # To its end also where the call is cancelled: what is left would be read for nobody.
            await _to_its_end(self._forget(batch))

    async def _forget(self, batch: Batch) -> None:
        with suppress(DomainError):  # the next start of the server deletes it
            await self._runs.cancel(batch.tenant, batch.id)
            await self._batches.delete(batch.tenant, batch.id)

    async def _entries(self, batch: Batch) -> AsyncGenerator[bytes, None]:
        source: Subscribable = self._logs.of(batch_log(batch.tenant, batch.id, batch.run))
        subscription = await source.subscribe(
            SubscriptionRequest(start=Earliest(), connection_id=batch.id, heartbeat_period_s=_QUIET_S)
        )
        try:
            await self._runs.start(batch.tenant, batch.id)
            while True:
                frame = await subscription.next()
                if isinstance(frame, Entries):
                    yield frame.message
                elif isinstance(frame, End):
                    if frame.reason is not EndReason.ENDED:
                        raise RuntimeError(f"the log of a call ended: {frame.reason}")
                    return
        finally:
            source.close(subscription)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
