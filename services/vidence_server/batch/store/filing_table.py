"""The table of results that are on their way into a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import Column, Integer, MetaData, Row, String, Table, delete, func, select, update

from vidence_server.storage.column_types import RowNumber, UtcDateTime
from vidence_server.storage.database import Transaction

_FILINGS = Table(
    "filings",
    MetaData(),
    Column("position", RowNumber, primary_key=True, autoincrement=True),
    Column("item_id", String(64), nullable=False, unique=True),
    Column("owner", String(64), nullable=False),
    Column("library_id", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("available_time", UtcDateTime, nullable=False),
    Column("give_up_time", UtcDateTime, nullable=False),
)


@dataclass(frozen=True, slots=True)
class FilingRow:
    """A result that waits for its library."""

    item_id: str
    owner: str
    """Its batch or job."""
    library_id: str
    attempt: int
    """How often it was offered."""
    available_time: datetime
    """When it is offered next."""
    give_up_time: datetime
    """A failure after this is the last."""


async def insert(transaction: Transaction, rows: Sequence[FilingRow]) -> None:
    """Adds results."""
    if rows:
        await transaction.execute(sqlalchemy.insert(_FILINGS), [_values(row) for row in rows])


async def select_due(transaction: Transaction, now: datetime, *, limit: int) -> list[FilingRow]:
    """Results that are to be offered now, in the order in which they were read."""
    due = select(_FILINGS).where(_FILINGS.c.available_time <= now).order_by(_FILINGS.c.position)
    return [_row(row) for row in await transaction.execute(due.limit(limit))]


async def next_time(transaction: Transaction) -> datetime | None:
    """When the next result is to be offered; None where none waits."""
    soonest = select(func.min(_FILINGS.c.available_time))
    when: datetime | None = (await transaction.execute(soonest)).scalar_one_or_none()
    return when


async def postpone(transaction: Transaction, row: FilingRow, until: datetime, *, all_of: bool) -> None:
    """Puts a result off, and with `all_of` the others for the same library that would come before."""
    here = _FILINGS.c.item_id == row.item_id
    await transaction.execute(update(_FILINGS).where(here).values(attempt=_FILINGS.c.attempt + 1))
    if all_of:
        here = (_FILINGS.c.library_id == row.library_id) & (_FILINGS.c.available_time < until)
    await transaction.execute(update(_FILINGS).where(here).values(available_time=until))


async def remove(transaction: Transaction, item_id: str) -> bool:
    """Takes a result out; whether it was there."""
    made = await transaction.execute(delete(_FILINGS).where(_FILINGS.c.item_id == item_id))
    return bool(made.rowcount)


async def remove_owner(transaction: Transaction, owner: str) -> None:
    """Takes all results of a batch or job out."""
    await transaction.execute(delete(_FILINGS).where(_FILINGS.c.owner == owner))


async def count(transaction: Transaction) -> int:
    """How many wait."""
    number: int = (await transaction.execute(select(func.count()).select_from(_FILINGS))).scalar_one()
    return number


def _row(row: Row[Any]) -> FilingRow:
    return FilingRow(
        row.item_id, row.owner, row.library_id, row.attempt, row.available_time, row.give_up_time
    )


def _values(row: FilingRow) -> dict[str, Any]:
    return {
        "item_id": row.item_id,
        "owner": row.owner,
        "library_id": row.library_id,
        "attempt": row.attempt,
        "available_time": row.available_time,
        "give_up_time": row.give_up_time,
    }
