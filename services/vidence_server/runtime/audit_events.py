"""Tells on the bus of the operators' tenant who was refused, and who changed what."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

import structlog
from google.protobuf.message import Message

from vidence.access.v1 import audit_events_pb2
from vidence.event.v1 import event_pb2
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, ErrorKind
from vidence_server.core.ids import IdFactory
from vidence_server.storage.outbox import OutboxEvent
from vidence_server.storage.relay import EventSink

SOURCE = "vidence/audit"
_UNTOLD = frozenset({"events.publish", "capture.session", "batch.work"})
"""Scopes of calls that come with every event, every frame, every item: their lines in the log must do.

The first one also keeps the publishing of these events from being told of.
"""
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.1, 5.0
_LAST_S = 1.0
"""At the end, time to tell what waits, where the bus is there."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One call, without anything of its contents."""

    principal: str
    tenant: str
    service: str
    method: str
    outcome: str
    """OK, CANCELLED or the reason of the failure."""
    duration_s: float
    request_id: str


@dataclass(frozen=True, slots=True)
class AuditRules:
    """How much is told."""

    tenant: str
    """On whose bus."""
    waiting: int = 1000
    """Entries that wait, of refused calls and of others each; a further one is dropped and counted."""
    per_s: float = 100.0
    """Entries per second in the long run: whoever is refused again and again must not push others out."""
    batch: int = 100
    """Entries per call of the bus."""


@dataclass(frozen=True, slots=True)
class AuditStatistics:
    """Counters start with the process."""

    waiting: int
    published: int
    dropped: int
    """Entries of which only the line in the log is left."""
    failures: int
    """Attempts that failed."""


def is_action(scope: str) -> bool:
    """Whether a call with this scope changes something that is worth an event."""
    return bool(scope) and not scope.endswith(".read") and scope not in _UNTOLD


class AuditEvents:
    """Publishes entries from the beginning of its context to the end, in one task.

    Entries wait in memory, so a call never waits for the bus. Lost are those for which there was no place,
    and those that wait when the process ends while the bus is away; the log has a line of each.
    """

    def __init__(
        self,
        sink: EventSink,
        rules: AuditRules,
        *,
        clock: Clock,
        ids: IdFactory,
        random: Callable[[], float],
    ) -> None:
        """At rest.

        Args:
            sink: The bus; it may be away at any time.
            rules: How much is told.
            clock: When it happened.
            ids: Names events.
            random: Numbers in [0, 1), for jitter.
        """
        self._sink = sink
        self._rules = rules
        self._clock = clock
        self._ids = ids
        self._random = random
        # Two queues: a flood of refusals leaves the place of what others did.
        self._refused: deque[OutboxEvent] = deque()
        self._made: deque[OutboxEvent] = deque()
        self._some = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._published = self._failures = self._dropped = self._untold = 0
        self._notice: OutboxEvent | None = None
        """Tells what was dropped; kept until the bus has it."""
        self._told = ""
        self._log = structlog.get_logger(__name__)

    async def __aenter__(self) -> Self:
        """Begins."""
        self._task = asyncio.create_task(self._run(), name="audit events")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Tells what still waits where that takes no time, then stops."""
        if self._task is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        try:
            async with asyncio.timeout(_LAST_S):
                while batch := self._next():
                    await self._publish(batch)
        except Exception as problem:  # noqa: BLE001  # the process ends, whatever the bus does
            self._log.warning(
                "audit events lost", count=self.statistics().waiting, error=type(problem).__qualname__
            )

    def tell(self, entry: AuditEntry, *, refused: bool) -> None:
        """Puts an entry where the task finds it; never waits, never fails."""
        queue = self._refused if refused else self._made
        if len(queue) >= self._rules.waiting:
            self._dropped += 1
            self._untold += 1
            return
        queue.append(self._event(_kind(entry, refused=refused), _payload(entry), refused=refused))
        self._some.set()

    def statistics(self) -> AuditStatistics:
        """The numbers as they are now."""
        waiting = len(self._refused) + len(self._made)
        return AuditStatistics(waiting, self._published, self._dropped, self._failures)

    async def _run(self) -> None:
        failures = 0
        while True:
            batch = self._next()
            if not batch:
                self._some.clear()
                await self._some.wait()
                continue
            try:
                await self._publish(batch)
            except Exception as error:  # noqa: BLE001  # whatever the bus does, later entries must not stay behind
                failures += 1
                self._tell_failure(error)
                longest_s = min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** min(failures - 1, 30))
                asked_s = (error.retry_after_s or 0.0) if isinstance(error, DomainError) else 0.0
                await asyncio.sleep(min(_LONGEST_DELAY_S, max(longest_s * self._random(), asked_s)))
            else:
                failures, self._told = 0, ""
                await asyncio.sleep(len(batch) / self._rules.per_s)

    def _next(self) -> list[OutboxEvent]:
        """What goes next, of both queues, so that none waits for the other; it stays until it is there."""
        half = max(1, self._rules.batch // 2)
        return [*list(self._made)[:half], *list(self._refused)[:half]]

    async def _publish(self, batch: Sequence[OutboxEvent]) -> None:
        if self._untold and self._notice is None:
            dropped = audit_events_pb2.EntriesDropped(dropped_count=self._untold)
            self._notice, self._untold = self._event("audit.entries_dropped", dropped, refused=True), 0
        events = list(batch) if self._notice is None else [*batch, self._notice]
        try:
            # An attempt that is repeated names its events alike: the bus takes each once.
            await self._sink.publish(events)
        except DomainError as error:
            self._failures += 1
            if error.kind is not ErrorKind.INVALID_ARGUMENT:
                raise
            # It will never be taken; what comes behind it may.
            self._log.error("audit events refused by the bus", reason=error.reason, count=len(batch))
            self._dropped += len(batch)
        except Exception:
            self._failures += 1
            raise
        else:
            self._published += len(events)
        self._notice = None
        self._forget(batch)

    def _forget(self, batch: Sequence[OutboxEvent]) -> None:
        done = {event.event_id for event in batch}
        for queue in (self._made, self._refused):
            while queue and queue[0].event_id in done:
                queue.popleft()

    def _event(self, kind: str, payload: Message, *, refused: bool) -> OutboxEvent:
        now, event_id = self._clock.now(), self._ids.new("aud_")
        subject = payload.method if isinstance(payload, audit_events_pb2.CallAudited) else ""
        return OutboxEvent(
            self._rules.tenant,
            SOURCE,
            event_id,
            kind,
            subject,
            _encoded(event_id, kind, subject, payload, now, refused=refused),
            now,
        )

    def _tell_failure(self, error: Exception) -> None:
        """Logs a failure that is not the one before it again."""
        reason = str(error.reason) if isinstance(error, DomainError) else type(error).__qualname__
        if reason != self._told:
            self._told = reason
            numbers = self.statistics()
            self._log.warning(
                "audit events wait", reason=reason, waiting=numbers.waiting, dropped=numbers.dropped
            )


def _kind(entry: AuditEntry, *, refused: bool) -> str:
    if not refused:
        return "audit.call_made"
    return "audit.credential_rejected" if entry.outcome.startswith("CREDENTIAL_") else "audit.call_denied"


def _payload(entry: AuditEntry) -> audit_events_pb2.CallAudited:
    made = audit_events_pb2.CallAudited(
        # A caller with nothing but a session token is named by an address: that stays in the log.
        principal="session" if entry.principal.startswith("session ") else entry.principal[:256],
        tenant=entry.tenant,
        method=f"{entry.service}/{entry.method}",
        outcome=entry.outcome,
        request_id=entry.request_id,
    )
    made.duration.FromNanoseconds(round(entry.duration_s * 1e9))
    return made


def _encoded(
    event_id: str, kind: str, subject: str, payload: Message, now: datetime, *, refused: bool
) -> bytes:
    severity = event_pb2.SEVERITY_WARNING if refused else event_pb2.SEVERITY_INFO
    event = event_pb2.Event(source=SOURCE, id=event_id, type=kind, subject=subject, severity=severity)
    event.occurrence_time.FromDatetime(now)
    event.data.Pack(payload)
    return event.SerializeToString()
