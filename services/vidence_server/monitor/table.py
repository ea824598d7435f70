"""The table of appearances: statements, nothing else. No names, no pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, MetaData, String, Table, bindparam, delete, insert, select, update

from vidence_server.monitor.domain.appearances import PersonAppeared, PersonLeft
from vidence_server.storage.column_types import UtcDateTime
from vidence_server.storage.database import Transaction

APPEARANCES = Table(
    "monitor_appearances",
    MetaData(),
    Column("id", String(64), primary_key=True),
    Column("monitor", String(40), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("first_seen_time", UtcDateTime, nullable=False),
    Column("last_seen_time", UtcDateTime, nullable=False),
)
"""`reason` is empty as long as somebody is there."""


async def insert_open(transaction: Transaction, change: PersonAppeared) -> bool:
    """Adds an appearance; False where it is there: a write that seemed to fail came through."""
    found = await transaction.execute(
        select(APPEARANCES.c.id).where(APPEARANCES.c.id == change.appearance_id)
    )
    if found.first() is not None:
        return False
    row = {
        "id": change.appearance_id,
        "monitor": change.monitor,
        "reason": "",
        "first_seen_time": change.first_seen,
        "last_seen_time": change.time,
    }
    await transaction.execute(insert(APPEARANCES), [row])
    return True


async def close(transaction: Transaction, change: PersonLeft) -> bool:
    """Ends an appearance; False where somebody did so before."""
    wanted = (
        update(APPEARANCES)
        .where(APPEARANCES.c.id == change.appearance_id, APPEARANCES.c.reason == "")
        .values(reason=change.reason.value, last_seen_time=change.last_seen)
    )
    return bool((await transaction.execute(wanted)).rowcount)


async def is_known(transaction: Transaction, appearance_id: str) -> bool:
    """Whether an appearance was kept."""
    wanted = select(APPEARANCES.c.id).where(APPEARANCES.c.id == appearance_id)
    return (await transaction.execute(wanted)).first() is not None


async def touch(transaction: Transaction, seen: Mapping[str, datetime]) -> None:
    """Notes when people who are there were last seen."""
    wanted = (
        update(APPEARANCES)
        .where(APPEARANCES.c.id == bindparam("appearance"), APPEARANCES.c.reason == "")
        .values(last_seen_time=bindparam("time"))
    )
    rows = [{"appearance": key, "time": time} for key, time in seen.items()]
    if rows:
        await transaction.execute(wanted, rows)


async def select_open(transaction: Transaction) -> Sequence[Any]:
    """Appearances that nobody ended, the oldest first."""
    wanted = select(APPEARANCES).where(APPEARANCES.c.reason == "").order_by(APPEARANCES.c.first_seen_time)
    return (await transaction.execute(wanted)).all()


async def delete_before(transaction: Transaction, before: datetime) -> None:
    """Removes ended appearances that began before a time."""
    await transaction.execute(
        delete(APPEARANCES).where(APPEARANCES.c.reason != "", APPEARANCES.c.first_seen_time < before)
    )
