"""Brings events from an outbox to the bus: in order, each at least once, however often either is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import structlog

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, ErrorKind
from vidence_server.storage.database import Lease
from vidence_server.storage.outbox import Outbox, OutboxEvent, OutboxRow


class EventSink(Protocol):
    """The bus, as services see it: the event service itself, or a client of it."""

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        """Publishes events in order, all or none; returns when they survive the death of the bus.

        An event whose tenant, source and id the bus has already is no error and is not published again.

        Raises:
            DomainError: Of kind INVALID_ARGUMENT where an event will never be taken; of any other kind where
                trying again may help.
        """
        ...


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """How the relay works."""

    batch_limit: int = 256
    """Events per call of the bus."""
    batch_max_bytes: int = 1 << 20
    """Their encoded bytes, about."""
    first_delay_s: float = 0.1
    """Longest wait after the first failure; it doubles with each further one."""
    max_delay_s: float = 5.0
    """Longest wait ever."""
    last_s: float = 1.0
    """At the end, time to bring what still waits, where the bus is there."""


@dataclass(frozen=True, slots=True)
class RelayStatistics:
    """What waits and what went. Counters start with the process."""

    waiting: int
    """Events that the bus does not have yet, as far as this process knows."""
    oldest_age_s: float
    """How long the oldest of them waits; 0 where none does."""
    relayed: int
    """Events that the bus acknowledged; one that was repeated after a failure counts again."""
    refused: int
    """Events set aside because the bus will never take them."""
    failures: int
    """Attempts that failed, of bus or database."""
    leading: bool
    """Whether this process is the one that empties the outbox; of the replicas of a service one is."""


class Relay:
    """Works from the beginning of its context to the end, in one task.

    An event is removed after the bus acknowledged it, so a crash between the two repeats it, and the bus
    knows it by its source and id. What is left at the end waits for the next process.

    Of the replicas of a service one works, the others wait for its lease. One that has lost the lease and
    does not know yet can do no more than publish its batch again, which the next one has published first:
    the bus knows those events, so that the order holds.
    """

    def __init__(
        self,
        outbox: Outbox,
        sink: EventSink,
        *,
        clock: Clock,
        random: Callable[[], float],
        settings: RelaySettings = RelaySettings(),
    ) -> None:
        """A relay at rest.

        Args:
            outbox: What to empty; nobody else may.
            sink: The bus.
            clock: For ages.
            random: Gives numbers in [0, 1), for jitter.
            settings: How to work.
        """
        self._outbox = outbox
        self._sink = sink
        self._clock = clock
        self._random = random
        self._settings = settings
        self._log = structlog.get_logger(__name__)
        self._task: asyncio.Task[None] | None = None
        self._relayed = 0
        self._refused = 0
        self._failures = 0
        self._failures_in_a_row = 0
        self._told = ""
        self._lease: Lease | None = None

    async def __aenter__(self) -> Self:
        """Counts what waits, where this process alone can know it, and begins.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        await self._outbox.prepare()
        self._task = asyncio.create_task(self._run(), name="relay of the outbox")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Brings what still waits where that takes no time, then stops."""
        if self._task is not None:
            if not self._failures_in_a_row:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.last_s):
                        await self._outbox.wait_empty()
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def statistics(self) -> RelayStatistics:
        """The numbers as they are now."""
        oldest = self._outbox.oldest
        age_s = 0.0 if oldest is None else max(0.0, (self._clock.now() - oldest).total_seconds())
        return RelayStatistics(
            waiting=self._outbox.waiting,
            oldest_age_s=age_s,
            relayed=self._relayed,
            refused=self._refused,
            failures=self._failures,
            leading=self._lease is not None,
        )

    async def _run(self) -> None:
        while True:
            try:
                async with self._outbox.leading() as lease:
                    self._lease = lease
                    await self._lead(lease)
            except Exception as error:  # noqa: BLE001  # the same: another attempt, here or in another process
                await self._back_off(error)
            finally:
                self._lease = None

    async def _lead(self, lease: Lease) -> None:
        """Empties the outbox until the lease is lost, which it raises."""
        while True:
            await self._outbox.wait_filled()
            lease.check()
            try:
                rows = await self._outbox.read(
                    limit=self._settings.batch_limit, max_bytes=self._settings.batch_max_bytes
                )
                while rows:
                    rows = await self._relay(rows)
            except Exception as error:  # noqa: BLE001  # whatever bus or database do, events must not stay behind
                lease.check()
                await self._back_off(error)
            else:
                self._recovered()

    async def _relay(self, rows: list[OutboxRow]) -> list[OutboxRow]:
        """Publishes the first rows; gives those that are left to do."""
        try:
            await self._publish(rows)
        except DomainError as error:
            if error.kind is not ErrorKind.INVALID_ARGUMENT:
                raise
            if len(rows) == 1:
                await self._set_aside(rows[0], error)
                return []
            half = len(rows) // 2  # the refused event is in one of the halves
            left = await self._relay(rows[:half])
            return [*left, *rows[half:]]
        return []

    async def _publish(self, rows: Sequence[OutboxRow]) -> None:
        if self._lease is not None:
            self._lease.check()
        await self._sink.publish([row.event for row in rows])
        self._relayed += len(rows)
        await self._outbox.remove(rows)

    async def _set_aside(self, row: OutboxRow, error: DomainError) -> None:
        await self._outbox.set_aside(row, error.reason)
        self._refused += 1
        self._log.error(
            "event refused by the bus and set aside",
            source=row.event.source,
            event_id=row.event.event_id,
            type=row.event.type,
            reason=error.reason,
            size_bytes=len(row.event.encoded),
        )

    async def _back_off(self, error: Exception) -> None:
        """Waits before the next attempt: exponential, full jitter, never shorter than the bus asks for."""
        self._failures += 1
        self._failures_in_a_row += 1
        self._tell(error)
        longest_s = self._settings.first_delay_s * 2 ** min(self._failures_in_a_row - 1, 30)
        asked_s = (error.retry_after_s or 0.0) if isinstance(error, DomainError) else 0.0
        delay_s = max(self._random() * longest_s, asked_s)
        self._outbox.look_again()
        await asyncio.sleep(min(delay_s, self._settings.max_delay_s))

    def _tell(self, error: Exception) -> None:
        """Logs a failure that is not the one before it again."""
        reason = str(error.reason) if isinstance(error, DomainError) else type(error).__qualname__
        if reason == self._told:
            return
        self._told = reason
        if isinstance(error, DomainError):
            self._log.warning("events wait", reason=reason, waiting=self._outbox.waiting)
        else:
            self._log.error("events wait", waiting=self._outbox.waiting, exc_info=error)

    def _recovered(self) -> None:
        if self._failures_in_a_row:
            self._log.info("events flow again", failures=self._failures_in_a_row)
        self._failures_in_a_row, self._told = 0, ""
