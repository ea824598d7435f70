"""Runs of the extraction service, and what its store wrote of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import select

from eventually import eventually
from fakes.inference import TurnableClock
from fakes.postgres import Home
from fakes.storage import outbox_in
from vidence_server.core.errors import Reason
from vidence_server.extraction.convert import to_outbox_event
from vidence_server.extraction.domain.runs import EndedRun, RunState, StartedRun
from vidence_server.extraction.run_table import RUNS
from vidence_server.extraction.store import RunStore, RunStoreSettings
from vidence_server.storage.database import Database
from vidence_server.storage.outbox import Outbox, OutboxEvent

QUICK = RunStoreSettings(retry_delay_s=0.001)


def started(number: int, clock: TurnableClock, document_type: str = "") -> StartedRun:
    return StartedRun("default", f"ext_{number}", document_type, clock.now())


def ended(
    run: StartedRun,
    clock: TurnableClock,
    state: RunState = RunState.COMPLETED,
    reason: Reason | None = None,
    fields: tuple[int, int] = (0, 0),
) -> EndedRun:
    return EndedRun(run, state, "passport", clock.now(), 1.5, *fields, reason=reason)


@asynccontextmanager
async def storing(
    home: Home, clock: TurnableClock, settings: RunStoreSettings = QUICK
) -> AsyncIterator[tuple[RunStore, Database, Outbox]]:
    async with (
        outbox_in(home) as (database, outbox),
        RunStore(database, outbox, to_outbox_event, clock=clock, settings=settings) as store,
    ):
        yield store, database, outbox


async def rows(database: Database) -> dict[str, dict[str, Any]]:
    async with database.snapshot() as reading:
        found = await reading.execute(select(RUNS))
        return {row.id: dict(row._mapping) for row in found}


async def events(outbox: Outbox) -> list[OutboxEvent]:
    return [row.event for row in await outbox.read(limit=10_000, max_bytes=1 << 30)]


async def written(store: RunStore) -> None:
    await eventually(lambda: store.statistics().waiting == 0)
