"""Events that wait in the database of their change until the bus has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Column, LargeBinary, MetaData, Row, String, Table, delete, func, insert, select

from vidence_server.core.errors import Reason
from vidence_server.storage.column_types import RowNumber, UtcDateTime
from vidence_server.storage.database import Database, Lease, Transaction

_METADATA = MetaData()
_TOPIC = "outbox"
_LEASE = "relay of the outbox"
_COUNT_LIMIT = 10_000


def _event_columns() -> tuple[Column[Any], ...]:
    return (
        Column("tenant", String(64), nullable=False),
        Column("source", String(256), nullable=False),
        Column("event_id", String(128), nullable=False),
        Column("type", String(128), nullable=False),
        Column("subject", String(512), nullable=False),
        Column("encoded", LargeBinary, nullable=False),
        Column("create_time", UtcDateTime, nullable=False),
    )


_OUTBOX = Table("outbox", _METADATA, Column("position", RowNumber, primary_key=True), *_event_columns())
_REFUSED = Table(
    "outbox_refused",
    _METADATA,
    Column("position", RowNumber, primary_key=True),
    *_event_columns(),
    Column("reason", String(64), nullable=False),
)


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """An event as its service tells it. `(tenant, source, event_id)` names it for ever."""

    tenant: str
    source: str
    event_id: str
    type: str
    subject: str
    encoded: bytes
    """An encoded `vidence.event.v1.Event` that says the same."""
    create_time: datetime
    """When the change was made, UTC."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An event that waits."""

    position: int
    """Rises in the order in which events were added."""
    event: OutboxEvent


class Outbox:
    """The outbox of one database: filled in the transactions of changes, emptied by one `Relay`.

    Positions rise in the order of the commits, also where the replicas of a service fill one outbox: adding
    is what they do one after another, whatever the scopes of their transactions.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._waiting = 0
        self._oldest: datetime | None = None
        self._counting = not database.shared
        self._changes = 0  # of the numbers, by additions of this process

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[Lease]:
        """Waits until no other process empties the outbox, then listens for what is added.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        async with self._database.exclusive(_LEASE) as lease:
            stop = self._database.listen(_TOPIC, self.look_again)
            try:
                if self._database.shared:
                    self._counting = True
                    await self.open()
                yield lease
            finally:
                stop()
                if self._database.shared:
                    self._counting = False  # another process knows it now
                    self._set_waiting(0, None)

    async def prepare(self) -> None:
        """Opens the outbox, where no other process can fill it; raises `DomainError`, STORAGE_FAILED."""
        if not self._database.shared:
            await self.open()

    async def open(self) -> None:
        """Counts what an earlier process left; raises `DomainError`, STORAGE_FAILED."""
        changes = self._changes
        async with self._database.snapshot() as transaction:
            found = await transaction.execute(
                select(func.count(), func.min(_OUTBOX.c.create_time)).select_from(_OUTBOX)
            )
        if changes == self._changes:  # else the next reading counts
            self._set_waiting(*found.one())
        if self._waiting:
            self.look_again()

    async def add(self, transaction: Transaction, *events: OutboxEvent) -> None:
        """Adds events to a change: once it is committed they will be published, else never.

        Where the transaction has a scope, this is best the last that it does: others wait here for its end.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        if events:
            await transaction.serialise(_TOPIC)
            transaction.announce(_TOPIC)
            await transaction.execute(insert(_OUTBOX), [_values(event) for event in events])
            transaction.after_commit(lambda: self._added(events))

    async def wait_filled(self) -> None:
        """Returns when there may be events to read."""
        await self._filled.wait()

    async def wait_empty(self) -> None:
        """Returns when no event waits."""
        await self._empty.wait()

    def look_again(self) -> None:
        """Lets `wait_filled` return although nothing was added, after an attempt that failed."""
        self._filled.set()

    async def read(self, *, limit: int, max_bytes: int) -> list[OutboxRow]:
        """The oldest events in order: at most `limit`, about `max_bytes` together, at least one if any waits.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        self._filled.clear()  # before reading: what is added from now on sets it again
        changes = self._changes
        async with self._database.snapshot() as transaction:
            found = await transaction.execute(select(_OUTBOX).order_by(_OUTBOX.c.position).limit(limit))
            rows = [_row(row) for row in found]
            oldest = rows[0].event.create_time if rows else None
            # What other processes add is counted here, to a bound.
            waiting = (
                len(rows) if len(rows) < limit or not self._database.shared else await _count(transaction)
            )
        if self._database.shared and changes == self._changes:
            self._set_waiting(waiting, oldest)
        self._oldest = oldest
        return _within(rows, max_bytes)

    async def remove(self, rows: Sequence[OutboxRow]) -> None:
        """Forgets events that the bus has; raises `DomainError`, STORAGE_FULL or STORAGE_FAILED."""
        async with self._database.transaction(_LEASE) as transaction:
            await _delete(transaction, rows)
            transaction.after_commit(lambda: self._removed(len(rows)))

    async def set_aside(self, row: OutboxRow, reason: Reason) -> None:
        """Keeps an event that the bus will never take, apart from those that wait.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        async with self._database.transaction(_LEASE) as transaction:
            await _delete(transaction, [row])
            kept = {"position": row.position, "reason": str(reason), **_values(row.event)}
            await transaction.execute(insert(_REFUSED), [kept])
            transaction.after_commit(lambda: self._removed(1))

    async def refused(self) -> list[tuple[str, str]]:
        """Source and id with the reason, `("<source> <id>", reason)`, of what was set aside, in order."""
        async with self._database.snapshot() as transaction:
            found = await transaction.execute(select(_REFUSED).order_by(_REFUSED.c.position))
            return [(f"{row.source} {row.event_id}", row.reason) for row in found]

    async def forget_refused(self, transaction: Transaction, before: datetime) -> None:
        """Removes what was set aside and is older than `before`."""
        await transaction.execute(delete(_REFUSED).where(_REFUSED.c.create_time < before))

    @property
    def waiting(self) -> int:
        """How many events wait; of a shared outbox 10,000 at most, and 0 in the processes not leading."""
        return self._waiting

    @property
    def oldest(self) -> datetime | None:
        """When the event that waits longest was added; None where none waits."""
        return self._oldest if self._waiting else None

    def _set_waiting(self, count: int, oldest: datetime | None) -> None:
        self._waiting, self._oldest = count, oldest
        if count:
            self._empty.clear()
        else:
            self._empty.set()

    def _added(self, events: Sequence[OutboxEvent]) -> None:
        if self._counting:
            self._changes += 1
            self._set_waiting(
                self._waiting + len(events), self._oldest if self._waiting else events[0].create_time
            )
        self.look_again()

    def _removed(self, count: int) -> None:
        self._waiting = max(0, self._waiting - count)
        if self._waiting:
            self.look_again()
        else:
            self._empty.set()


def _values(event: OutboxEvent) -> dict[str, Any]:
    return {field.name: getattr(event, field.name) for field in fields(event)}


def _row(row: Row[*tuple[Any, ...]]) -> OutboxRow:
    values = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it
    return OutboxRow(values.pop("position"), OutboxEvent(**values))


async def _count(transaction: Transaction) -> int:
    some = select(_OUTBOX.c.position).limit(_COUNT_LIMIT).subquery()
    return int((await transaction.execute(select(func.count()).select_from(some))).scalar_one())


def _within(rows: list[OutboxRow], max_bytes: int) -> list[OutboxRow]:
    taken = 0
    for index, row in enumerate(rows):
        taken += len(row.event.encoded)
        if taken > max_bytes and index:
            return rows[:index]
    return rows


async def _delete(transaction: Transaction, rows: Sequence[OutboxRow]) -> None:
    positions = [row.position for row in rows]
    await transaction.execute(delete(_OUTBOX).where(_OUTBOX.c.position.in_(positions)))
