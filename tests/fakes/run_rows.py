"""Rows of a table of the extraction service, for tests of any database."""

from __future__ import annotations

from sqlalchemy import text

from vidence_server.storage.database import Database

COUNT = text("SELECT count(*) FROM extraction_runs")

INSERT = text(
    "INSERT INTO extraction_runs "
    "(id, tenant, document_type, state, start_time, field_count, invalid_field_count, reason) "
    "VALUES (:id, 'default', 'text', 'STARTED', '2026-01-01 00:00:00.000000', 0, 0, '')"
)


async def count(database: Database) -> int:
    async with database.snapshot() as reading:
        return int((await reading.execute(COUNT)).scalar_one())
