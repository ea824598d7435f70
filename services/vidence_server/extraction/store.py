"""Keeps run records, and puts what became of each run on its way to the bus in the same transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from types import TracebackType
from typing import Self

import structlog

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError
from vidence_server.extraction import run_table
from vidence_server.extraction.domain.runs import EndedRun, StartedRun, interrupted
from vidence_server.storage.database import Database
from vidence_server.storage.outbox import Outbox, OutboxEvent

_BATCH = 256


@dataclass(frozen=True, slots=True)
class RunStoreSettings:
    """How records are kept."""

    retention: timedelta = timedelta(days=30)
    """Age at which records are removed."""
    purge_period_s: float = 3600.0
    """How often that is looked at, s."""
    interrupted_period_s: float = 60.0
    """How often runs of dead processes are looked for, where several share the database, s."""
    queue_limit: int = 10_000
    """Records that may wait to be written; a run that begins while so many wait is not recorded."""
    retry_delay_s: float = 1.0
    """Wait after a failed write, s."""
    flush_s: float = 5.0
    """Longest time that the end of the context waits for the last records, s."""


@dataclass(frozen=True, slots=True)
class RunStoreStatistics:
    """What was kept. Counters start with the process."""

    waiting: int
    """Records that are to be written."""
    open: int
    """Runs that have begun and not ended, of those that are recorded."""
    written: int
    """Ends of runs that were written."""
    dropped: int
    """Runs that are not recorded, because too many records waited when they began."""
    failures: int
    """Writes that failed; they are tried again."""


class RunStore:
    """A `RunRecorder` that writes behind the readings, from the beginning of its context to the end.

    Promises: telling it takes no time. The end of a run and its event are one transaction, written within
    moments, in groups; a client may see the end of its reading just before. What was told when the context
    ends is written before it does. A run that a dead process left open becomes FAILED, and its event is
    published, when the next process starts, or soon after where several share the database; a run that ended
    in the last moments of a killed process may be among them, and one that also began in them may leave no
    record.

    Overflow policy DROP_RUN: at `queue_limit` waiting records, runs that begin are not recorded at all; the
    ends of those that are recorded always find room, so at most `queue_limit` and one for each open run wait.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        encode: Callable[[EndedRun], OutboxEvent],
        *,
        clock: Clock,
        settings: RunStoreSettings = RunStoreSettings(),
    ) -> None:
        """A store at rest.

        Args:
            database: Open, migrated with `extraction/migrations`.
            outbox: Of the same database.
            encode: Makes the event of an ended run.
            clock: For the age of records.
            settings: How records are kept.
        """
        self._database = database
        self._outbox = outbox
        self._encode = encode
        self._clock = clock
        self._settings = settings
        self._log = structlog.get_logger(__name__)
        # By extraction id, in the order in which they are to be written. A run that ends before its start was
        # written needs one record only.
        self._starts: dict[str, StartedRun] = {}
        self._ends: dict[str, EndedRun] = {}
        self._open: set[str] = set()
        self._told = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._written = 0
        self._dropped = 0
        self._failures = 0

    def started(self, run: StartedRun) -> None:
        """Records a run, or drops it where too many wait."""
        if len(self._starts) + len(self._ends) >= self._settings.queue_limit:
            if not self._dropped:
                self._log.warning("runs are not recorded", waiting=len(self._starts) + len(self._ends))
            self._dropped += 1
            return
        self._open.add(run.extraction_id)
        self._starts[run.extraction_id] = run
        self._wake()

    def ended(self, run: EndedRun) -> None:
        """Records how a run ended that is recorded."""
        if run.start.extraction_id in self._open:
            self._open.remove(run.start.extraction_id)
            self._ends[run.start.extraction_id] = run
            self._wake()

    def statistics(self) -> RunStoreStatistics:
        """The numbers as they are now."""
        return RunStoreStatistics(
            waiting=len(self._starts) + len(self._ends),
            open=len(self._open),
            written=self._written,
            dropped=self._dropped,
            failures=self._failures,
        )

    async def __aenter__(self) -> Self:
        """Ends the runs of a dead process, where that can only be the one before, then begins to write.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        if not self._database.shared:
            await self._end_interrupted()
        self._tasks = [
            asyncio.create_task(self._write(), name="writer of run records"),
            asyncio.create_task(self._purge(), name="retention of run records"),
        ]
        if self._database.shared:  # others may be at work, and who is dead shows after a while only
            self._tasks.append(asyncio.create_task(self._watch_others(), name="runs of dead processes"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Writes what was told, then stops."""
        try:
            await self._flush()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    def _wake(self) -> None:
        self._idle.clear()
        self._told.set()

    async def _flush(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.flush_s):
                await self._idle.wait()
        if not self._idle.is_set():
            self._log.error("run records are lost", waiting=len(self._starts) + len(self._ends))

    async def _write(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            try:
                while self._starts or self._ends:
                    await self._write_some()
            except Exception as error:  # noqa: BLE001  # readings go on; the records wait for the disk
                await self._back_off(error)
            else:
                self._idle.set()

    async def _write_some(self) -> None:
        starts = dict(islice(self._starts.items(), _BATCH))
        ends = dict(islice(self._ends.items(), _BATCH))
        begun = [run for key, run in starts.items() if key not in ends]
        whole = [run for key, run in ends.items() if key in self._starts]
        rest = [run for key, run in ends.items() if key not in self._starts]
        instance = self._database.instance
        async with self._database.transaction(f"runs/{instance}") as transaction:
            await run_table.insert(transaction, started=begun, ended=whole, instance=instance)
            await run_table.update_ended(transaction, rest)
            await self._outbox.add(transaction, *map(self._encode, ends.values()))
            transaction.after_commit(lambda: self._kept(starts, ends))

    def _kept(self, starts: dict[str, StartedRun], ends: dict[str, EndedRun]) -> None:
        for key in starts.keys() | ends.keys():
            self._starts.pop(key, None)
        for key in ends:
            del self._ends[key]
        self._written += len(ends)

    async def _back_off(self, error: Exception) -> None:
        self._failures += 1
        if isinstance(error, DomainError):
            self._log.warning("run records wait", reason=error.reason, failures=self._failures)
        else:
            self._log.error("run records wait", failures=self._failures, exc_info=error)
        self._told.set()
        await asyncio.sleep(self._settings.retry_delay_s)

    async def _watch_others(self) -> None:
        while True:
            try:
                await self._end_interrupted()
            except Exception as error:  # noqa: BLE001  # the next round tries again
                self._log.warning("interrupted readings stay open", exc_info=error)
            await asyncio.sleep(self._settings.interrupted_period_s)

    async def _end_interrupted(self) -> None:
        async with self._database.exclusive("runs of dead processes"):
            async with self._database.snapshot() as reading:
                found = await run_table.select_instances(reading)
            gone = await self._database.gone(found)
            if gone:
                await self._end_runs(gone)

    async def _end_runs(self, instances: set[str]) -> None:
        count = 0
        while True:
            async with self._database.transaction() as transaction:
                left = await run_table.select_open(transaction, instances, limit=_BATCH)
                runs = [interrupted(run, self._clock.now()) for run in left]
                await run_table.update_ended(transaction, runs)
                await self._outbox.add(transaction, *map(self._encode, runs))
            count += len(runs)
            if len(runs) < _BATCH:
                break
        if count:
            self._log.warning("readings were interrupted", count=count)

    async def _purge(self) -> None:
        while True:
            before = self._clock.now() - self._settings.retention
            try:
                async with self._database.exclusive("retention of run records"):
                    await self._remove_before(before)
            except Exception as error:  # noqa: BLE001  # the next round tries again
                self._log.warning("old run records stay", exc_info=error)
            await asyncio.sleep(self._settings.purge_period_s)

    async def _remove_before(self, before: datetime) -> None:
        removed = _BATCH
        while removed == _BATCH:
            async with self._database.transaction() as transaction:
                removed = await run_table.delete_before(transaction, before, limit=_BATCH)
                await self._outbox.forget_refused(transaction, before)
