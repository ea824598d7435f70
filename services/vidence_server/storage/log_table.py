"""The tables of a service's own logs: statements, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    func,
    select,
    update,
)

from vidence_server.storage.column_types import RowNumber
from vidence_server.storage.database import Transaction

_TABLES = MetaData()
_LOGS = Table(
    "service_logs",
    _TABLES,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("key", String(128), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("oldest", BigInteger, nullable=False),
    Column("newest", BigInteger, nullable=False),
    Column("newest_time_ns", BigInteger, nullable=False),
    Column("ended", Boolean, nullable=False),
)
_ENTRIES = Table(
    "service_log_entries",
    _TABLES,
    Column("log_id", BigInteger, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("time_ns", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class LogHead:
    """A log without its entries."""

    id: int
    epoch: int
    """Which life of the log: a deleted log that is begun anew has another one."""
    oldest: int
    """Reading after this position gives everything that is kept."""
    newest: int
    """Position of the newest entry; the first entry has 1."""
    newest_time_ns: int
    """When it was taken, Unix ns; 0 in a log that never had one."""
    ended: bool
    """Nothing is appended any more."""


class EntryRow(NamedTuple):
    """One entry."""

    position: int
    time_ns: int
    body: bytes


async def select_head(
    transaction: Transaction, tenant: str, key: str, *, lock: bool = False
) -> LogHead | None:
    """A log's head; with `lock` no other transaction appends to it until this one ends."""
    wanted = select(_LOGS).where(_LOGS.c.tenant == tenant, _LOGS.c.key == key)
    found = await transaction.execute(wanted.with_for_update() if lock else wanted)
    row = found.one_or_none()
    if row is None:
        return None
    return LogHead(row.id, row.epoch, row.oldest, row.newest, row.newest_time_ns, bool(row.ended))


async def insert_head(transaction: Transaction, tenant: str, key: str, epoch: int) -> LogHead:
    """Begins a log.

    Raises:
        IntegrityError: There is one of this name already.
    """
    values = {"epoch": epoch, "oldest": 0, "newest": 0, "newest_time_ns": 0}
    made = await transaction.execute(
        sqlalchemy.insert(_LOGS).values(tenant=tenant, key=key, ended=False, **values)
    )
    primary_key = made.inserted_primary_key
    if primary_key is None:
        raise RuntimeError("an insert tells the row's key")
    return LogHead(id=int(primary_key[0]), ended=False, **values)


async def update_head(transaction: Transaction, head: LogHead) -> None:
    """Keeps what changed."""
    await transaction.execute(
        update(_LOGS)
        .where(_LOGS.c.id == head.id)
        .values(oldest=head.oldest, newest=head.newest, newest_time_ns=head.newest_time_ns, ended=head.ended)
    )


async def insert_entries(transaction: Transaction, log_id: int, rows: Sequence[EntryRow]) -> None:
    """Adds entries."""
    values: list[dict[str, Any]] = [{"log_id": log_id, **row._asdict()} for row in rows]
    await transaction.execute(sqlalchemy.insert(_ENTRIES), values)


async def select_entries(
    transaction: Transaction, log_id: int, *, after: int, until: int, limit: int
) -> list[EntryRow]:
    """The first `limit` entries in (after, until]."""
    wanted = (
        select(_ENTRIES.c.position, _ENTRIES.c.time_ns, _ENTRIES.c.body)
        .where(_ENTRIES.c.log_id == log_id, _ENTRIES.c.position > after, _ENTRIES.c.position <= until)
        .order_by(_ENTRIES.c.position)
        .limit(limit)
    )
    return [EntryRow(*row) for row in await transaction.execute(wanted)]


async def first_since(transaction: Transaction, log_id: int, time_ns: int) -> int | None:
    """Position of the first kept entry taken at or after a time; None where there is none."""
    wanted = select(func.min(_ENTRIES.c.position)).where(
        _ENTRIES.c.log_id == log_id, _ENTRIES.c.time_ns >= time_ns
    )
    found: int | None = (await transaction.execute(wanted)).scalar_one()
    return found


async def delete_before(transaction: Transaction, log_id: int, time_ns: int) -> int | None:
    """Removes the entries taken before a time; gives the last position removed, None where there is none."""
    old = (_ENTRIES.c.log_id == log_id, _ENTRIES.c.time_ns < time_ns)
    found: int | None = (
        await transaction.execute(select(func.max(_ENTRIES.c.position)).where(*old))
    ).scalar_one()
    if found is not None:
        await transaction.execute(delete(_ENTRIES).where(*old))
    return found


async def delete_log(transaction: Transaction, log_id: int) -> None:
    """Removes a log with its entries."""
    await transaction.execute(delete(_ENTRIES).where(_ENTRIES.c.log_id == log_id))
    await transaction.execute(delete(_LOGS).where(_LOGS.c.id == log_id))
