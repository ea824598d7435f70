"""The one writer of a file of logs: requests in from the loop, groups out to a thread, answers back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.append import AppendResult, Draft, Durability
from vidence_server.streams.durable.durable_log import DurableLog
from vidence_server.streams.durable.failures import storage_error
from vidence_server.streams.durable.group_commit import BLOCK, GroupCommit
from vidence_server.streams.durable.requests import Answer, AppendRequest, Outcome
from vidence_server.streams.durable.retention import Retention
from vidence_server.streams.durable.store import RecordReader, RecordStore, StoreError
from vidence_server.streams.durable.tail import LogTail
from vidence_server.streams.durable.threads import Runner
from vidence_server.streams.durable.waiting import WaitingRequests
from vidence_server.streams.durable.writer_statistics import WriterStatistics

T = TypeVar("T")
KeyOf: TypeAlias = Callable[[bytes], object]
"""Gives the key of an encoded event, for `Entry.key`."""
_Future: TypeAlias = asyncio.Future[Sequence[AppendResult]]
_DRAINING_RETRY_S = 1.0
# Then whatever else waits for the thread, such as the opening of a log, has its turn.
_GROUPS_PER_TURN = 64


@dataclass(frozen=True, slots=True)
class WriterSettings:
    """Bounds of a writer."""

    max_pending_events: int = 65_536
    """Events that wait for their commit; the next call is refused, QUEUE_FULL."""
    max_pending_bytes: int = 64 * 2**20
    max_group_events: int = 4_096
    """Events of one commit; the ring of a broadcast must hold more."""
    max_group_bytes: int = 4 * 2**20
    block: int = BLOCK
    """Offsets that are reserved at a time."""
    retention_period_s: float = 10.0
    """How often an idle writer looks for what is too old, in seconds."""


@dataclass(slots=True)
class _OpenLog:
    log: DurableLog
    retention: Retention = field(default_factory=Retention)


class LogWriter:
    """Writes the logs of one file.

    Owned by `async with`, which opens the file and, at the end, writes all that waits.

    Groups form by themselves: what arrives during a commit is the next group.

    Args:
        open_store: Opens the file; called in the writer's thread.
        key_of: Gives the key of a body that is read back.
        settings: Bounds.
        clock: For ages and for the epoch of new logs.
        writing: Runs one function at a time.
        reading: Runs reads.
    """

    def __init__(
        self,
        open_store: Callable[[], RecordStore],
        key_of: KeyOf,
        settings: WriterSettings,
        clock: Clock,
        *,
        writing: Runner,
        reading: Runner,
    ) -> None:
        self._open_store = open_store
        self._key_of = key_of
        self._settings = settings
        self._clock = clock
        self._writing = writing
        self._reading = reading
        self._logs: dict[int, _OpenLog] = {}
        self._waiting: WaitingRequests[_Future] = WaitingRequests(
            max_events=settings.max_pending_events,
            max_bytes=settings.max_pending_bytes,
            max_group_events=settings.max_group_events,
            max_group_bytes=settings.max_group_bytes,
        )
        self._groups = self._group_events_max = self._expiry_failed = 0
        # Bound: that of the requests, since each holds its place until its outcome is carried out.
        self._outcomes: deque[Outcome[_Future]] = deque()
        self._outcome_told = False
        self._wake = asyncio.Event()
        self._closing = self._closed = False

    async def __aenter__(self) -> Self:
        """Opens the file.

        Raises:
            DomainError: DATABASE_IN_USE, DATABASE_INCOMPATIBLE, STORAGE_FAILED, STORAGE_FULL.
        """
        self._loop = asyncio.get_running_loop()
        try:
            self._store = await self._writing.run(self._open_store)
        except StoreError as error:
            raise storage_error(error) from error
        self._commit: GroupCommit[_Future] = GroupCommit(self._store, block=self._settings.block)
        self._arm()
        self._task = asyncio.create_task(self._work(), name="log writer")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Writes what waits, and stops cleanly."""
        self._closing = True
        self._tick.cancel()
        self._wake.set()
        await self._task
        self._closed = True
        try:
            outcome = await self._writing.run(self._commit.close)
        except StoreError as failure:
            raise storage_error(failure) from failure
        if outcome is not None:
            self._outcomes.append(outcome)
        self._carry_out()

    async def open_log(self, tenant: str, name: str, retention: Retention | None = None) -> DurableLog:
        """Opens a log, or makes it. `DurableLog.attach` then says who broadcasts it.

        Raises:
            DomainError: STORAGE_FAILED, STORAGE_FULL.
        """
        # Milliseconds: a file that is replaced within a second must not look like the same log.
        epoch = int(self._clock.now().timestamp() * 1000) & 0xFFFF_FFFF
        try:
            tail = await self._writing.run(partial(self._commit.open_log, tenant, name, epoch=epoch))
        except StoreError as error:
            raise storage_error(error) from error
        if tail.number not in self._logs:
            self._logs[tail.number] = _OpenLog(DurableLog(tail, self), retention or Retention())
        return self._logs[tail.number].log

    def statistics(self) -> WriterStatistics:
        """The numbers as they are now."""
        return WriterStatistics(
            pending_events=self._waiting.events,
            pending_bytes=self._waiting.size_bytes,
            groups=self._groups,
            group_events_max=self._group_events_max,
            queue_full=self._waiting.refused_events,
            expiry_failed=self._expiry_failed,
        )

    @property
    def key_of(self) -> KeyOf:
        """Gives the key of a body that is read back."""
        return self._key_of

    async def append(
        self, tail: LogTail, drafts: Sequence[Draft], durability: Durability, *, atomic: bool
    ) -> Sequence[AppendResult]:
        """Appends to a log; see `DurableLog.append`."""
        if self._closing:
            raise _draining()
        future: _Future = self._loop.create_future()
        request = AppendRequest(tail, drafts, durability, atomic, future)
        self._waiting.put(request)
        if not self._wake.is_set():
            self._wake.set()
        return await future

    async def read(self, function: Callable[[RecordReader], T]) -> T:
        """The result of a function that reads, run beside the writer.

        Raises:
            DomainError: STORAGE_FAILED, DRAINING.
        """
        if self._closed:
            raise _draining()
        try:
            return await self._reading.run(partial(function, self._store))
        except StoreError as error:
            raise storage_error(error) from error

    def _arm(self) -> None:
        """Wakes the writer now and then, for what becomes too old."""
        self._wake.set()
        self._tick = self._loop.call_later(self._settings.retention_period_s, self._arm)

    async def _work(self) -> None:
        more = False
        while more or self._waiting or not self._closing:
            if not more and not self._waiting:
                await self._wake.wait()
            self._wake.clear()
            more = await self._writing.run(self._drain)

    def _drain(self) -> bool:
        """Commits group after group, in the writer's thread; tells whether there may be more to do."""
        for _ in range(_GROUPS_PER_TURN):
            group = self._waiting.take_group()
            if group:
                self._commit_group(group)
            else:
                self._settle()
            expired = self._expire()
            if not group and not expired:
                return False
        return True

    def _commit_group(self, group: Sequence[AppendRequest[_Future]]) -> None:
        self._groups += 1
        events = sum([len(request.drafts) for request in group])
        self._group_events_max = max(self._group_events_max, events)
        try:
            prepared = self._commit.prepare(group)
            if prepared.early is not None:
                self._hand_over(prepared.early)
            self._hand_over(self._commit.commit(prepared))
        except Exception as error:  # noqa: BLE001 a defect must not leave its callers waiting, nor end the writer
            internal = DomainError(
                Reason.INTERNAL, f"The writer of the event log met a {type(error).__name__}."
            )
            internal.__cause__ = error
            self._commit.abandon(group)
            self._hand_over(Outcome((), (), [(request, internal) for request in group]))

    def _settle(self) -> None:
        try:
            outcome = self._commit.settle()
        except StoreError:
            return  # asked again at the next tick
        if outcome is not None:
            self._hand_over(outcome)

    def _expire(self) -> bool:
        """Removes a slice of each log that keeps too much."""
        now_ns = int(self._clock.now().timestamp() * 1_000_000_000)
        removed = False
        for open_log in tuple(self._logs.values()):
            try:
                removed |= self._commit.expire(open_log.log.tail, open_log.retention, now_ns)
            except StoreError:
                self._expiry_failed += 1
        return removed

    def _hand_over(self, outcome: Outcome[_Future]) -> None:
        self._outcomes.append(outcome)
        if not self._outcome_told:
            self._outcome_told = True
            self._loop.call_soon_threadsafe(self._carry_out)

    def _carry_out(self) -> None:
        """Broadcasts and answers, on the loop."""
        self._outcome_told = False
        while self._outcomes:
            outcome = self._outcomes.popleft()
            try:
                for tail, newest in outcome.committed:
                    self._logs[tail.number].log.committed(newest)
                for tail, records in outcome.items:
                    self._logs[tail.number].log.broadcast(records)
            finally:
                for request, answer in outcome.answers:
                    self._answer(request, answer)

    def _answer(self, request: AppendRequest[_Future], answer: Answer) -> None:
        self._waiting.answered(request)
        if request.caller.done():
            return  # nobody waits any more
        if isinstance(answer, DomainError):
            request.caller.set_exception(answer)
        else:
            request.caller.set_result(answer)


def _draining() -> DomainError:
    return DomainError(Reason.DRAINING, "The event log is closing.", retry_after_s=_DRAINING_RETRY_S)
