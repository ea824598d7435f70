"""The table of run records: statements, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, delete, select, update

from vidence_server.extraction.domain.runs import EndedRun, RunState, StartedRun
from vidence_server.storage.column_types import UtcDateTime
from vidence_server.storage.database import Transaction

RUNS = Table(
    "extraction_runs",
    MetaData(),
    Column("id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("document_type", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("start_time", UtcDateTime, nullable=False),
    Column("end_time", UtcDateTime),
    Column("total_ms", Integer),
    Column("field_count", Integer, nullable=False),
    Column("invalid_field_count", Integer, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("instance", String(64), nullable=False, server_default=""),
)
"""`document_type` and `reason` are empty, `end_time` and `total_ms` NULL, where there is none.

`instance` is the opened database that the run was recorded with: `Database.instance`."""


async def insert(
    transaction: Transaction, *, started: Sequence[StartedRun], ended: Sequence[EndedRun], instance: str
) -> None:
    """Adds runs that are open, and runs that were not in the table while they were.

    Replaces rows of the same ids: a write that seemed to fail may have come through.
    """
    rows = [*map(_started, started), *(_started(run.start) | _ended(run) for run in ended)]
    rows = [{"instance": instance, **row} for row in rows]
    if rows:
        await transaction.execute(delete(RUNS).where(RUNS.c.id.in_([row["id"] for row in rows])))
        await transaction.execute(sqlalchemy.insert(RUNS), rows)


async def update_ended(transaction: Transaction, runs: Iterable[EndedRun]) -> None:
    """Ends runs that are in the table."""
    rows = [{"run_id": run.start.extraction_id} | _ended(run) for run in runs]
    if rows:
        await transaction.execute(update(RUNS).where(RUNS.c.id == bindparam("run_id")), rows)


async def select_instances(transaction: Transaction) -> set[str]:
    """Those that have open runs."""
    wanted = select(RUNS.c.instance).where(RUNS.c.state == RunState.STARTED.value).distinct()
    return set((await transaction.execute(wanted)).scalars())


async def select_open(transaction: Transaction, instances: Iterable[str], *, limit: int) -> list[StartedRun]:
    """Runs of these instances that are open, the oldest first."""
    wanted = (
        select(RUNS)
        .where(RUNS.c.state == RunState.STARTED.value, RUNS.c.instance.in_(list(instances)))
        .order_by(RUNS.c.start_time)
    )
    found = await transaction.execute(wanted.limit(limit))
    return [StartedRun(row.tenant, row.id, row.document_type, row.start_time) for row in found]


async def delete_before(transaction: Transaction, before: datetime, *, limit: int) -> int:
    """Removes up to `limit` runs that began before a time, the oldest first; gives how many."""
    oldest = select(RUNS.c.id).where(RUNS.c.start_time < before).order_by(RUNS.c.start_time).limit(limit)
    found: Sequence[Any] = (await transaction.execute(oldest)).scalars().all()
    if found:
        await transaction.execute(delete(RUNS).where(RUNS.c.id.in_(found)))
    return len(found)


def _started(run: StartedRun) -> dict[str, Any]:
    return {
        "id": run.extraction_id,
        "tenant": run.tenant,
        "document_type": run.document_type,
        "state": RunState.STARTED.value,
        "start_time": run.start_time,
        "end_time": None,
        "total_ms": None,
        "field_count": 0,
        "invalid_field_count": 0,
        "reason": "",
    }


def _ended(run: EndedRun) -> dict[str, Any]:
    return {
        "document_type": run.document_type,
        "state": run.state.value,
        "end_time": run.end_time,
        "total_ms": round(run.total_s * 1000),
        "field_count": run.field_count,
        "invalid_field_count": run.invalid_field_count,
        "reason": str(run.reason or ""),
    }
