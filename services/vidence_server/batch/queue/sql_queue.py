"""The queue in the service's own database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    case,
    delete,
    func,
    select,
    update,
)

from vidence_server.batch.domain.work import LeaseRef
from vidence_server.batch.queue.port import Held, QueuedWork, QueueNumbers
from vidence_server.storage.column_types import RowNumber, UtcDateTime
from vidence_server.storage.database import Transaction

_TABLES = MetaData()
_QUEUE = Table(
    "work_queue",
    _TABLES,
    Column("position", RowNumber, primary_key=True, autoincrement=True),
    Column("item_id", String(64), nullable=False, unique=True),
    Column("tenant", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("operation", String(64), nullable=False),
    Column("rank", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("available_time", UtcDateTime, nullable=False),
    Column("worker_id", String(64), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("lease_until", UtcDateTime),
)
"""`token` is 0, `worker_id` empty and `lease_until` NULL while an item waits."""
_TOKENS = Table("work_tokens", _TABLES, Column("last", BigInteger, nullable=False))
_WAITS = _QUEUE.c.token == 0


class SqlQueue:
    """A `WorkQueue` in SQL.

    Turns: an item's rank is its number within its owner, from the lowest rank that waits in its tenant at the
    time. The lowest rank goes first, so an owner that comes later begins beside those that are there already.
    Which tenant had its turn last is known in memory only: after a restart the turns begin anew.
    """

    def __init__(self) -> None:
        self._turn = 0
        self._turns: dict[str, int] = {}  # bound: the tenants that have work

    async def put(self, transaction: Transaction, work: Sequence[QueuedWork], *, now: datetime) -> None:
        """Adds items; see `WorkQueue.put`."""
        if not work:
            return
        lowest = select(func.min(_QUEUE.c.rank)).where(_QUEUE.c.tenant == work[0].tenant, _WAITS)
        base: int = (await transaction.execute(lowest)).scalar_one() or 0
        rows = [_waiting_row(item, base + number, now) for number, item in enumerate(work)]
        await transaction.execute(sqlalchemy.insert(_QUEUE), rows)

    async def lease(
        self,
        transaction: Transaction,
        *,
        worker_id: str,
        operations: Collection[str],
        count: int,
        now: datetime,
        until: datetime,
    ) -> list[Held]:
        """Leases items; see `WorkQueue.lease`."""
        ready = (_WAITS, _QUEUE.c.available_time <= now, _QUEUE.c.operation.in_(operations))
        tenants = list(
            (await transaction.execute(select(_QUEUE.c.tenant).where(*ready).distinct())).scalars()
        )
        self._turns = {tenant: self._turns.get(tenant, 0) for tenant in tenants}
        chosen: list[Row[Any]] = []
        while tenants and len(chosen) < count:
            tenant = min(tenants, key=self._turns.__getitem__)
            taken = [row.position for row in chosen]
            first = (
                select(_QUEUE)
                .where(*ready, _QUEUE.c.tenant == tenant, _QUEUE.c.position.not_in(taken))
                .order_by(_QUEUE.c.rank, _QUEUE.c.position)
                .limit(1)
            )
            row = (await transaction.execute(first)).one_or_none()
            if row is None:
                tenants.remove(tenant)
                continue
            chosen.append(row)
            self._turn += 1
            self._turns[tenant] = self._turn
        return await self._given(transaction, chosen, worker_id, until)

    async def holds(self, transaction: Transaction, ref: LeaseRef) -> Held | None:
        """The newest lease of an item; see `WorkQueue.holds`."""
        row = (await transaction.execute(select(_QUEUE).where(*_leased_as(ref)))).one_or_none()
        return None if row is None else _held(row)

    async def extend(
        self, transaction: Transaction, refs: Sequence[LeaseRef], *, until: datetime
    ) -> list[LeaseRef]:
        """Prolongs leases; see `WorkQueue.extend`."""
        lost: list[LeaseRef] = []
        for ref in refs:
            made = await transaction.execute(update(_QUEUE).where(*_leased_as(ref)).values(lease_until=until))
            if not made.rowcount:
                lost.append(ref)
        return lost

    async def remove(self, transaction: Transaction, item_ids: Sequence[str]) -> None:
        """Takes items out; see `WorkQueue.remove`."""
        await transaction.execute(delete(_QUEUE).where(_QUEUE.c.item_id.in_(item_ids)))

    async def remove_owner(self, transaction: Transaction, owner: str) -> None:
        """Takes all items of an owner out; see `WorkQueue.remove_owner`."""
        await transaction.execute(delete(_QUEUE).where(_QUEUE.c.owner == owner))

    async def give_back(
        self, transaction: Transaction, ref: LeaseRef, *, available: datetime, counts: bool
    ) -> bool:
        """Lets an item wait again; see `WorkQueue.give_back`."""
        values: dict[str, Any] = {
            "token": 0,
            "worker_id": "",
            "lease_until": None,
            "available_time": available,
        }
        if not counts:
            values["attempt"] = _QUEUE.c.attempt - 1
        made = await transaction.execute(update(_QUEUE).where(*_leased_as(ref)).values(**values))
        return bool(made.rowcount)

    async def expired(self, transaction: Transaction, *, now: datetime, limit: int) -> list[Held]:
        """Leases that ran out; see `WorkQueue.expired`."""
        ran_out = select(_QUEUE).where(_QUEUE.c.token != 0, _QUEUE.c.lease_until <= now)
        found = await transaction.execute(ran_out.order_by(_QUEUE.c.lease_until).limit(limit))
        return [_held(row) for row in found]

    async def held_by(self, transaction: Transaction, prefix: str, *, limit: int) -> list[Held]:
        """Leases of some workers; see `WorkQueue.held_by`."""
        theirs = _QUEUE.c.worker_id.startswith(prefix, autoescape=True)
        found = await transaction.execute(select(_QUEUE).where(_QUEUE.c.token != 0, theirs).limit(limit))
        return [_held(row) for row in found]

    async def next_available(self, transaction: Transaction, operations: Collection[str]) -> datetime | None:
        """When the next item can be leased; see `WorkQueue.next_available`."""
        wanted = select(_QUEUE.c.available_time).where(_WAITS, _QUEUE.c.operation.in_(operations))
        found = await transaction.execute(wanted.order_by(_QUEUE.c.available_time).limit(1))
        when: datetime | None = found.scalar_one_or_none()
        return when

    async def numbers(self, transaction: Transaction, tenant: str, *, now: datetime) -> QueueNumbers:
        """A tenant's part; see `WorkQueue.numbers`."""
        ready = case((_WAITS & (_QUEUE.c.available_time <= now), 1), else_=0)
        counted = select(
            func.count(),
            func.coalesce(func.sum(ready), 0),
            func.coalesce(func.sum(case((_WAITS, 0), else_=1)), 0),
        ).where(_QUEUE.c.tenant == tenant)
        total, waiting, leased = (await transaction.execute(counted)).one()
        first = select(_QUEUE.c.available_time).where(
            _QUEUE.c.tenant == tenant, _WAITS, _QUEUE.c.available_time <= now
        )
        oldest = await transaction.execute(first.order_by(_QUEUE.c.available_time).limit(1))
        return QueueNumbers(waiting, total - waiting - leased, leased, oldest.scalar_one_or_none())

    async def _given(
        self, transaction: Transaction, rows: Sequence[Row[Any]], worker_id: str, until: datetime
    ) -> list[Held]:
        if not rows:
            return []
        await transaction.execute(update(_TOKENS).values(last=_TOKENS.c.last + len(rows)))
        last: int = (await transaction.execute(select(_TOKENS.c.last))).scalar_one()
        held: list[Held] = []
        for token, row in enumerate(rows, start=last - len(rows) + 1):
            await transaction.execute(
                update(_QUEUE)
                .where(_QUEUE.c.position == row.position)
                .values(token=token, worker_id=worker_id, lease_until=until, attempt=row.attempt + 1)
            )
            held.append(Held(LeaseRef(row.item_id, token), worker_id, row.attempt + 1))
        return held


def _leased_as(ref: LeaseRef) -> tuple[sqlalchemy.ColumnElement[bool], ...]:
    # 0 is the token of items that wait: nobody holds those.
    return (_QUEUE.c.item_id == ref.item_id, _QUEUE.c.token == ref.token, _QUEUE.c.token != 0)


def _held(row: Row[Any]) -> Held:
    return Held(LeaseRef(row.item_id, row.token), row.worker_id, row.attempt)


def _waiting_row(item: QueuedWork, rank: int, now: datetime) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "tenant": item.tenant,
        "owner": item.owner,
        "operation": item.operation,
        "rank": rank,
        "attempt": 0,
        "available_time": now,
        "worker_id": "",
        "token": 0,
        "lease_until": None,
    }
