"""Rows of exports: snapshots that are held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy
from sqlalchemy import delete, func, select, update

from vidence_server.library.tables import EXPORTS, FORMER
from vidence_server.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class HeldExport:
    """A snapshot."""

    export_id: str
    library_no: int
    revision: int
    document_count: int
    expire_time: datetime


async def pinned_revision(transaction: Transaction, library_no: int, now: datetime) -> int | None:
    """The newest revision of a library that an export holds; None: none is held."""
    found: int | None = (
        await transaction.execute(
            select(func.max(EXPORTS.c.revision)).where(
                EXPORTS.c.library_no == library_no, EXPORTS.c.expire_time > now
            )
        )
    ).scalar_one()
    return found


async def insert(transaction: Transaction, held: HeldExport) -> None:
    """Holds a snapshot."""
    await transaction.execute(
        sqlalchemy.insert(EXPORTS).values(
            export_id=held.export_id,
            library_no=held.library_no,
            revision=held.revision,
            document_count=held.document_count,
            expire_time=held.expire_time,
        )
    )


async def find(transaction: Transaction, export_id: str, now: datetime) -> HeldExport | None:
    """A snapshot that is held still."""
    row = (
        await transaction.execute(
            select(EXPORTS).where(EXPORTS.c.export_id == export_id, EXPORTS.c.expire_time > now)
        )
    ).one_or_none()
    return None if row is None else HeldExport(*row)


async def hold_until(transaction: Transaction, export_id: str, expire_time: datetime) -> None:
    """Holds a snapshot for longer."""
    await transaction.execute(
        update(EXPORTS).where(EXPORTS.c.export_id == export_id).values(expire_time=expire_time)
    )


async def release(transaction: Transaction, export_id: str) -> None:
    """Gives a snapshot up."""
    await transaction.execute(delete(EXPORTS).where(EXPORTS.c.export_id == export_id))


async def sweep(transaction: Transaction, now: datetime) -> None:
    """Forgets what no export needs any more."""
    await transaction.execute(delete(EXPORTS).where(EXPORTS.c.expire_time <= now))
    needed = (
        select(EXPORTS.c.export_id)
        .where(
            EXPORTS.c.library_no == FORMER.c.library_no,
            EXPORTS.c.revision >= FORMER.c.revision,
            EXPORTS.c.revision < FORMER.c.until_revision,
        )
        .correlate(FORMER)
        .exists()
    )
    await transaction.execute(delete(FORMER).where(~needed))
