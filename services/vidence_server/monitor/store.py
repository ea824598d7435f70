"""Keeps appearances, and puts what is told of them on its way to the bus in the same transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from types import TracebackType
from typing import Self, assert_never

import structlog

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError
from vidence_server.monitor import table
from vidence_server.monitor.domain.appearances import (
    LeaveReason,
    PersonAppeared,
    PersonChange,
    PersonIdentified,
    PersonLeft,
)
from vidence_server.storage.database import Database, Transaction
from vidence_server.storage.outbox import Outbox, OutboxEvent

_BATCH = 64


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """How changes are kept."""

    queue_limit: int = 1000
    """Changes that may wait to be written; an appearance that begins while so many wait is not told."""
    retry_delay_s: float = 1.0
    """Wait after a failed write, s."""
    seen_period_s: float = 5.0
    """How often it is written when people were last seen, s."""
    flush_s: float = 5.0
    """Longest time that the end of the context waits for the last changes, s."""
    retention: timedelta = timedelta(days=30)
    """Age at which records are removed."""
    purge_period_s: float = 3600.0
    """How often that is looked at, s."""


@dataclass(frozen=True, slots=True)
class JournalStatistics:
    """What was kept. Counters start with the process."""

    waiting: int
    """Changes that are to be written."""
    written: int
    """Changes that were."""
    dropped: int
    """Appearances that are not told, because too many changes waited when they began."""
    failures: int
    """Writes that failed; they are tried again."""
    interrupted: int
    """Appearances of a dead process that this one ended."""


class AppearanceJournal:
    """A `Journal` that writes behind the watching, from the beginning of its context to the end.

    Promises: telling it takes no time and never fails. A change and its event are one transaction, written
    within moments in the order of the changes. What was told when the context ends is written before it does.
    Appearances that a dead process left open are ended as INTERRUPTED when the next one starts; when they
    were last seen is then told as it had last been written, at most `seen_period_s` before that death.

    Overflow policy DROP_APPEARANCE: at `queue_limit` waiting changes, appearances that begin are not told at
    all; further changes of those that are always find room.

    One process at a time may have a journal on a database: the caller holds a lease.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        encode: Callable[[PersonChange], OutboxEvent],
        *,
        clock: Clock,
        settings: JournalSettings = JournalSettings(),
    ) -> None:
        """A journal at rest.

        Args:
            database: Open, migrated with `monitor/migrations`.
            outbox: Of the same database.
            encode: Makes the event of a change.
            clock: The time.
            settings: How changes are kept.
        """
        self._database = database
        self._outbox = outbox
        self._encode = encode
        self._clock = clock
        self._settings = settings
        self._log = structlog.get_logger(__name__)
        self._changes: deque[PersonChange] = deque()
        self._open: set[str] = set()
        self._seen: dict[str, datetime] = {}
        self._told = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._written = self._dropped = self._failures = self._interrupted = 0

    def record(self, change: PersonChange) -> None:
        """Keeps a change; see `Journal.record`."""
        match change:
            case PersonAppeared():
                if len(self._changes) >= self._settings.queue_limit:
                    self._drop()
                    return
                self._open.add(change.appearance_id)
            case PersonIdentified():
                if change.appearance_id not in self._open:
                    return
            case PersonLeft():
                if change.appearance_id not in self._open:
                    return
                self._open.discard(change.appearance_id)
                self._seen.pop(change.appearance_id, None)
            case _:
                assert_never(change)
        self._changes.append(change)
        self._idle.clear()
        self._told.set()

    def seen(self, appearance_id: str, time: datetime) -> None:
        """Notes that somebody is still there; the newest time of each is written now and then."""
        if appearance_id in self._open:
            self._seen[appearance_id] = time

    def statistics(self) -> JournalStatistics:
        """The numbers as they are now."""
        return JournalStatistics(
            len(self._changes), self._written, self._dropped, self._failures, self._interrupted
        )

    async def __aenter__(self) -> Self:
        """Ends the appearances of a dead process, then begins to write.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        await self._end_interrupted()
        self._tasks = [
            asyncio.create_task(self._write(), name="writer of appearances"),
            asyncio.create_task(self._note_seen(), name="who was last seen when"),
            asyncio.create_task(self._purge(), name="retention of appearances"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Writes what was told, then stops."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.flush_s):
                    await self._idle.wait()
            if not self._idle.is_set():
                self._log.error("changes are lost", waiting=len(self._changes))
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    def _drop(self) -> None:
        if not self._dropped:
            self._log.warning("appearances are not told", waiting=len(self._changes))
        self._dropped += 1

    async def _write(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            try:
                while self._changes:
                    await self._write_some()
            except Exception as error:  # noqa: BLE001  # watching goes on; the changes wait for the disk
                self._failed(error)
                self._told.set()
                await asyncio.sleep(self._settings.retry_delay_s)
            else:
                self._idle.set()

    async def _write_some(self) -> None:
        some = list(islice(self._changes, _BATCH))
        async with self._database.transaction() as transaction:
            told = [self._encode(change) for change in some if await _keep(transaction, change)]
            await self._outbox.add(transaction, *told)
            transaction.after_commit(lambda: self._kept(len(some)))

    def _kept(self, count: int) -> None:
        for _ in range(count):
            self._changes.popleft()
        self._written += count

    async def _note_seen(self) -> None:
        while True:
            await asyncio.sleep(self._settings.seen_period_s)
            seen, self._seen = self._seen, {}
            try:
                async with self._database.transaction() as transaction:
                    await table.touch(transaction, seen)
            except Exception as error:  # noqa: BLE001  # the next round writes newer times
                self._failed(error)

    async def _purge(self) -> None:
        while True:
            before = self._clock.now() - self._settings.retention
            try:
                async with self._database.transaction() as transaction:
                    await table.delete_before(transaction, before)
                    await self._outbox.forget_refused(transaction, before)
            except Exception as error:  # noqa: BLE001  # the next round tries again
                self._failed(error)
            await asyncio.sleep(self._settings.purge_period_s)

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if isinstance(error, DomainError):
            self._log.warning("appearances wait", reason=error.reason, waiting=len(self._changes))
        else:
            self._log.error("appearances wait", waiting=len(self._changes), exc_info=error)

    async def _end_interrupted(self) -> None:
        async with self._database.transaction() as transaction:
            changes = [
                PersonLeft(
                    row.id,
                    row.monitor,
                    self._clock.now(),
                    None,
                    LeaveReason.INTERRUPTED,
                    row.first_seen_time,
                    row.last_seen_time,
                )
                for row in await table.select_open(transaction)
            ]
            for change in changes:
                await table.close(transaction, change)
            await self._outbox.add(transaction, *map(self._encode, changes))
        self._interrupted = len(changes)
        if changes:
            self._log.warning("appearances of a process that died were ended", count=len(changes))


async def _keep(transaction: Transaction, change: PersonChange) -> bool:
    """Whether the change is new, so that it is to be told."""
    match change:
        case PersonAppeared():
            return await table.insert_open(transaction, change)
        case PersonIdentified():
            return await table.is_known(transaction, change.appearance_id)
        case PersonLeft():
            return await table.close(transaction, change)
        case _:
            assert_never(change)
