"""One log of a service for as long as somebody watches it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Self

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.stored_log import StoredLog
from vidence_server.storage.log_table import EntryRow, LogHead
from vidence_server.streams.broadcast import Broadcast
from vidence_server.streams.frames import EndReason
from vidence_server.streams.ring import RingLimits


class WatchedLog:
    """A log with subscribers: its broadcast, and a task that reads what this process did not append."""

    def __init__(self, log: StoredLog, broadcast: Broadcast, stack: AsyncExitStack) -> None:
        self.log = log
        self.broadcast = broadcast
        self.subscribers = 0
        self._stack = stack
        self._behind = asyncio.Event()
        self._task = asyncio.create_task(self._catch_up(), name="reader of a watched log")

    @classmethod
    async def open(cls, log: StoredLog, ring: RingLimits, clock: Clock) -> Self:
        """Begins at the log's newest entry."""
        stack = AsyncExitStack()
        broadcast = await stack.enter_async_context(Broadcast(log, ring, clock))
        return cls(log, broadcast, stack)

    def at_close(self, call: Callable[[], None]) -> None:
        """Calls back when it is closed."""
        self._stack.callback(call)

    async def close(self) -> None:
        """Ends what runs."""
        self._task.cancel()
        await asyncio.wait({self._task})
        await self._stack.aclose()

    def take(self, head: LogHead, rows: Sequence[EntryRow]) -> None:
        """Tells what was committed; out of turn it is read from the database, in turn."""
        if rows and rows[0].position != self.broadcast.ring.head + 1:
            self.look()
            return
        self.log.head = head
        self.broadcast.extend([self.log.entry(row) for row in rows])
        if head.ended:
            self.broadcast.end(EndReason.ENDED)

    def look(self) -> None:
        """Looks into the database for what is new."""
        self._behind.set()

    async def _catch_up(self) -> None:
        while True:
            await self._behind.wait()
            self._behind.clear()
            try:
                await self._read_on()
            except DomainError as error:
                if error.reason not in {Reason.STORAGE_FAILED, Reason.STORAGE_FULL}:
                    raise
                await asyncio.sleep(error.retry_after_s or 1.0)
                self._behind.set()

    async def _read_on(self) -> None:
        head = await self.log.current_head()
        if head is None:
            self.broadcast.end(EndReason.ENDED)
            return
        while (after := self.broadcast.ring.head) < head.newest:
            rows = await self.log.rows(after, head.newest)
            # Meanwhile `take` may have told some of them.
            rows = [row for row in rows if row.position > self.broadcast.ring.head]
            if rows:
                self.log.head = replace(head, newest=rows[-1].position)
                self.broadcast.extend([self.log.entry(row) for row in rows])
        if self.broadcast.ring.head == head.newest:
            self.log.head = head
            if head.ended:
                self.broadcast.end(EndReason.ENDED)
