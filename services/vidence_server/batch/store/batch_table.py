"""The table of batches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    delete,
    false,
    select,
    true,
    update,
)

from vidence_server.batch.domain.batch import Batch, Counts
from vidence_server.batch.domain.states import BatchState
from vidence_server.storage.column_types import UtcDateTime
from vidence_server.storage.database import Transaction

BATCHES = Table(
    "batches",
    MetaData(),
    Column("id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("run", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("running", Integer, nullable=False),
    Column("succeeded", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
    Column("retried", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("document_type", String(64), nullable=False),
    Column("idempotency_key", String(128)),
    Column("ephemeral", Boolean, nullable=False),
    Column("server", String(64), nullable=False),
    Column("create_time", UtcDateTime, nullable=False),
    Column("start_time", UtcDateTime),
    Column("end_time", UtcDateTime),
    Column("expire_time", UtcDateTime),
    Column("first_result_time", UtcDateTime),
    Column("work_ms", BigInteger, nullable=False),
    Column("library_id", String(64), nullable=False),
    Column("filing", Integer, nullable=False),
    Column("filed", Integer, nullable=False),
    Column("unfiled", Integer, nullable=False),
)
_COUNTS = ("total", "running", "succeeded", "failed", "cancelled", "filing", "filed", "unfiled")


async def insert(transaction: Transaction, batch: Batch, idempotency_key: str, *, server: str) -> None:
    """Adds a batch; `server` is the database instance that takes it in."""
    row = {"id": batch.id, "idempotency_key": idempotency_key or None, "server": server, **_values(batch)}
    await transaction.execute(sqlalchemy.insert(BATCHES), [row])


async def save(transaction: Transaction, batch: Batch) -> None:
    """Keeps what changed of a batch."""
    await transaction.execute(update(BATCHES).where(BATCHES.c.id == batch.id).values(**_values(batch)))


async def select_one(transaction: Transaction, tenant: str, batch_id: str) -> Batch | None:
    """A batch of a tenant."""
    wanted = select(BATCHES).where(BATCHES.c.id == batch_id, BATCHES.c.tenant == tenant)
    row = (await transaction.execute(wanted)).one_or_none()
    return None if row is None else _batch(row)


async def select_by_key(transaction: Transaction, tenant: str, idempotency_key: str) -> Batch | None:
    """The batch that was created with a key."""
    wanted = select(BATCHES).where(BATCHES.c.tenant == tenant, BATCHES.c.idempotency_key == idempotency_key)
    row = (await transaction.execute(wanted)).one_or_none()
    return None if row is None else _batch(row)


async def select_page(
    transaction: Transaction, tenant: str, states: Collection[BatchState], *, before: str, limit: int
) -> list[Batch]:
    """Batches that are no call's own, the newest first; ids rise with time."""
    wanted = select(BATCHES).where(BATCHES.c.tenant == tenant, BATCHES.c.ephemeral == false())
    if states:
        wanted = wanted.where(BATCHES.c.state.in_([state.value for state in states]))
    if before:
        wanted = wanted.where(BATCHES.c.id < before)
    found = await transaction.execute(wanted.order_by(BATCHES.c.id.desc()).limit(limit))
    return [_batch(row) for row in found]


async def select_expired(transaction: Transaction, now: datetime, *, limit: int) -> list[Batch]:
    """Batches that are to be deleted, the oldest first."""
    wanted = select(BATCHES).where(BATCHES.c.expire_time <= now).order_by(BATCHES.c.expire_time)
    return [_batch(row) for row in await transaction.execute(wanted.limit(limit))]


async def select_ephemeral(transaction: Transaction) -> list[tuple[str, Batch]]:
    """Batches that belong to calls, each behind the server that took the call."""
    found = await transaction.execute(select(BATCHES).where(BATCHES.c.ephemeral == true()))
    return [(row.server, _batch(row)) for row in found]


async def delete_one(transaction: Transaction, batch_id: str) -> None:
    """Removes a batch without its items."""
    await transaction.execute(delete(BATCHES).where(BATCHES.c.id == batch_id))


def _batch(row: Row[Any]) -> Batch:
    return Batch(
        id=row.id,
        tenant=row.tenant,
        state=BatchState(row.state),
        run=row.run,
        counts=Counts(**{name: getattr(row, name) for name in _COUNTS}),
        retried=row.retried,
        size_bytes=row.size_bytes,
        document_type=row.document_type,
        ephemeral=bool(row.ephemeral),
        create_time=row.create_time,
        start_time=row.start_time,
        end_time=row.end_time,
        expire_time=row.expire_time,
        first_result_time=row.first_result_time,
        work_ms=row.work_ms,
        library_id=row.library_id,
    )


def _values(batch: Batch) -> dict[str, Any]:
    counts = batch.counts
    names: Sequence[str] = (
        "tenant",
        "run",
        "retried",
        "size_bytes",
        "document_type",
        "ephemeral",
        "create_time",
        "start_time",
        "end_time",
        "expire_time",
        "first_result_time",
        "work_ms",
        "library_id",
    )
    return {name: getattr(batch, name) for name in names} | {
        "state": batch.state.value,
        **{name: getattr(counts, name) for name in _COUNTS},
    }
