"""The table of purges."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Row, String, Table, Text, delete, insert, select, update

from vidence_server.core.erasure import KindCount
from vidence_server.erasure.domain.purge import Purge, PurgeState, ServicePart
from vidence_server.storage.column_types import UtcDateTime
from vidence_server.storage.database import Transaction

_PURGES = Table(
    "purges",
    MetaData(),
    Column("id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("subject_digest", String(64), nullable=False),
    Column("subject_id", String(128), nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("create_time", UtcDateTime, nullable=False),
    Column("complete_time", UtcDateTime),
    Column("progress", Text, nullable=False),
    Column("receipt", Text, nullable=False),
    Column("receipt_hash", String(64), nullable=False),
)
"""`progress` is JSON: what is known of each service, and which reviews are to go. `subject_id` is empty once
the purge is complete."""
_COMPLETE = PurgeState.COMPLETE.value


async def add(transaction: Transaction, purge: Purge) -> None:
    """Keeps a new purge."""
    await transaction.execute(insert(_PURGES), [{"id": purge.id, **_values(purge)}])


async def save(transaction: Transaction, purge: Purge) -> None:
    """Keeps what became of one."""
    await transaction.execute(update(_PURGES).where(_PURGES.c.id == purge.id).values(**_values(purge)))


async def select_one(transaction: Transaction, tenant: str, purge_id: str) -> Purge | None:
    """A tenant's purge."""
    return await _first(transaction, _PURGES.c.tenant == tenant, _PURGES.c.id == purge_id)


async def select_newest(transaction: Transaction, tenant: str, subject_digest: str) -> Purge | None:
    """The newest purge of a subject; ids rise with time."""
    mine = (_PURGES.c.tenant == tenant, _PURGES.c.subject_digest == subject_digest)
    return await _first(transaction, *mine)


async def select_to_go_on(
    transaction: Transaction, tenant: str, subject_digest: str, request_id: str
) -> Purge | None:
    """The purge that a call means: one that is not complete, else the complete one of the same request."""
    mine = (_PURGES.c.tenant == tenant, _PURGES.c.subject_digest == subject_digest)
    going = await _first(transaction, *mine, _PURGES.c.state != _COMPLETE)
    if going is not None or not request_id:
        return going
    return await _first(transaction, *mine, _PURGES.c.request_id == request_id)


async def select_unfinished(transaction: Transaction, *, limit: int) -> list[tuple[str, str]]:
    """Tenant and id of purges that are not complete, the oldest first."""
    wanted = select(_PURGES.c.tenant, _PURGES.c.id).where(_PURGES.c.state != _COMPLETE)
    found = await transaction.execute(wanted.order_by(_PURGES.c.id).limit(limit))
    return [(row.tenant, row.id) for row in found]


async def delete_before(transaction: Transaction, before: datetime) -> int:
    """Removes purges that were complete before a time; gives how many."""
    old = (_PURGES.c.state == _COMPLETE, _PURGES.c.complete_time < before)
    return (await transaction.execute(delete(_PURGES).where(*old))).rowcount


async def _first(transaction: Transaction, *conditions: Any) -> Purge | None:
    wanted = select(_PURGES).where(*conditions).order_by(_PURGES.c.id.desc()).limit(1)
    row = (await transaction.execute(wanted)).one_or_none()
    return None if row is None else _purge(row)


def _purge(row: Row[Any]) -> Purge:
    progress = json.loads(row.progress)
    return Purge(
        id=row.id,
        tenant=row.tenant,
        subject_digest=row.subject_digest,
        request_id=row.request_id,
        state=PurgeState(row.state),
        create_time=row.create_time,
        complete_time=row.complete_time,
        attempts=row.attempts,
        subject_id=row.subject_id,
        parts=tuple(map(_part, progress["parts"])),
        review_subjects=tuple(progress["review_subjects"]),
        receipt=row.receipt,
        receipt_hash=row.receipt_hash,
    )


def _values(purge: Purge) -> dict[str, Any]:
    names: Sequence[str] = (
        "tenant",
        "subject_digest",
        "subject_id",
        "request_id",
        "attempts",
        "create_time",
        "complete_time",
        "receipt",
        "receipt_hash",
    )
    parts = [
        [
            part.service,
            part.done,
            part.reason,
            [[kind.kind, kind.found, kind.erased, kind.failed] for kind in part.kinds],
        ]
        for part in purge.parts
    ]
    progress = {"parts": parts, "review_subjects": list(purge.review_subjects)}
    return {name: getattr(purge, name) for name in names} | {
        "state": purge.state.value,
        "progress": json.dumps(progress),
    }


def _part(values: list[Any]) -> ServicePart:
    service, done, reason, kinds = values
    return ServicePart(service, done, reason, tuple(KindCount(*kind) for kind in kinds))
