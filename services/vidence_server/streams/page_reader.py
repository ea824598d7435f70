"""Reads stretches of a log for subscribers that are behind the ring, once for those at the same place."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from vidence_server.streams.log import LogPage, ReadableLog
from vidence_server.streams.view import MAX_BATCH_BYTES

_MAX_READS = 4
_MAX_PAGES = 64
_PAGE_EVENTS = 1024


class PageReader:
    """Pages of one log, the last ones kept. Bounds: 4 readings at once, others wait; 64 pages of 64 kB."""

    def __init__(self, log: ReadableLog) -> None:
        self._log = log
        self._reading: dict[int, asyncio.Task[LogPage]] = {}  # bound: one per place, all owned here
        self._pages: OrderedDict[int, LogPage] = OrderedDict()
        self._places = asyncio.Semaphore(_MAX_READS)

    async def read(self, after: int, until: int) -> LogPage:
        """Items after an offset, up to `until`; raises what the log raises."""
        page = self._pages.get(after)
        if page is not None and after >= self._log.bounds().oldest:
            self._pages.move_to_end(after)
            return page
        task = self._reading.get(after)
        if task is None:
            task = self._reading[after] = asyncio.create_task(self._read(after, until), name="log page")
            task.add_done_callback(lambda _: self._reading.pop(after, None))
        # Shielded: one subscriber that leaves must not cancel what others wait for.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Ends the readings that still run."""
        tasks = set(self._reading.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _read(self, after: int, until: int) -> LogPage:
        async with self._places:
            page = await self._log.read(after, until=until, limit=_PAGE_EVENTS, max_bytes=MAX_BATCH_BYTES)
        if page.items:
            self._pages[after] = page
            if len(self._pages) > _MAX_PAGES:
                self._pages.popitem(last=False)
        return page
