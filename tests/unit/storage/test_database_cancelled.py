"""Tasks that are cancelled at any moment of a change: the file is free again, and no connection is left."""

from __future__ import annotations

import asyncio
import gc
import random
from pathlib import Path

import pytest
from sqlalchemy import text

from fakes.storage import EXTRACTION_MIGRATIONS
from vidence_server.storage.database import Database, sqlite_url

_LONG = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT sum(i) FROM n"
)


@pytest.mark.requirement("R-BA2")
@pytest.mark.parametrize("writing", [False, True])
@pytest.mark.parametrize("seed", range(4))
async def test_a_task_that_is_cancelled_leaves_neither_lock_nor_connection(
    tmp_path: Path, writing: bool, seed: int
) -> None:
    moments = random.Random(seed)
    for _ in range(4):
        async with Database(
            sqlite_url(tmp_path / "x.db"), migrations=EXTRACTION_MIGRATIONS, busy_timeout_s=0.5
        ) as database:

            async def work(database: Database = database) -> None:
                async with database.transaction() if writing else database.snapshot() as change:
                    for _ in range(3):
                        await change.execute(_LONG)

            for _ in range(8):
                task = asyncio.create_task(work())
                await asyncio.sleep(moments.random() * 0.004)
                task.cancel()
                await asyncio.wait({task})
            async with database.transaction() as change:  # the file is not locked
                await change.execute(_LONG)
        gc.collect()  # a connection that was left raises here, as a warning that is an error
