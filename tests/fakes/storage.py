"""A bus with fault knobs, and databases to fill its outbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fakes.postgres import Home
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Database
from vidence_server.storage.outbox import Outbox, OutboxEvent

NOW = datetime(2026, 5, 4, 12, 30, 15, 250_000, UTC)
EXTRACTION_MIGRATIONS = (
    Path(__file__).parents[2] / "services" / "vidence_server" / "extraction" / "migrations"
)


def event(number: int, *, size: int = 10, created: datetime = NOW) -> OutboxEvent:
    """An event that is recognised by its number."""
    return OutboxEvent(
        tenant="default",
        source="vidence/test",
        event_id=f"event-{number}",
        type="thing.done",
        subject=f"things/{number}",
        encoded=b"x" * size,
        create_time=created,
    )


@dataclass
class FakeBus:
    """An `EventSink` that keeps each (source, id) once, as the bus does."""

    failures: list[Exception] = field(default_factory=list)
    """Raised by the next calls, one each, before anything is taken."""
    refused: Callable[[OutboxEvent], bool] = lambda _event: False
    """Which events are never taken."""
    lost_answers: int = 0
    """So many calls take their events and fail all the same."""
    away: bool = False
    log: list[OutboxEvent] = field(default_factory=list)
    """What was taken, each once."""
    calls: list[list[str]] = field(default_factory=list)
    """Event ids of every call, also of those that failed."""
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something was taken."""
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: calls take their events and are not answered."""

    def __post_init__(self) -> None:
        self.answering.set()

    @property
    def ids(self) -> list[str]:
        return [event.event_id for event in self.log]

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        self.calls.append([event.event_id for event in events])
        if self.failures:
            raise self.failures.pop(0)
        if self.away:
            raise DomainError(Reason.NOT_READY, "away")
        if any(map(self.refused, events)):
            raise DomainError(Reason.EVENT_TOO_LARGE, "too large")
        known = {(event.source, event.event_id) for event in self.log}
        self.log += [event for event in events if (event.source, event.event_id) not in known]
        self.taken.set()
        await self.answering.wait()
        if self.lost_answers:
            self.lost_answers -= 1
            raise DomainError(Reason.DEADLINE_EXCEEDED, "no answer")


@asynccontextmanager
async def outbox_in(home: Home | Path) -> AsyncIterator[tuple[Database, Outbox]]:
    """A database with nothing in it but an outbox and the tables of extraction; a folder is one of SQLite."""
    where = home if isinstance(home, Home) else Home(home)
    async with where.database(EXTRACTION_MIGRATIONS) as database:
        yield database, Outbox(database)


async def add(database: Database, outbox: Outbox, *events: OutboxEvent) -> None:
    """Commits a change with these events."""
    async with database.transaction() as transaction:
        await outbox.add(transaction, *events)
