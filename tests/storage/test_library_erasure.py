"""A deleted subject's templates are in no file of a PostgreSQL's tables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from fakes.libraries import TENANT, OpenLibrary, made
from fakes.library_homes import opened_at
from fakes.postgres import Home, PostgresProcess
from vidence_server.library.domain.faces import FaceModel, FaceTemplate

pytestmark = pytest.mark.requirement("R-LI6", "R-OP6")
MODEL = FaceModel("sface", "1")
RANDOM = np.random.default_rng(3)


async def enroll(opened: OpenLibrary, subject: str, count: int) -> list[bytes]:
    """Some templates of a subject, as they are kept."""
    kept = []
    for _ in range(count):
        values = RANDOM.normal(size=512)
        data = (values / np.linalg.norm(values)).astype("<f4").tobytes()
        face = await opened.service.faces.enroll(TENANT, "people", subject, "", FaceTemplate(MODEL, data))
        assert face is not None
        kept.append(data)
    return kept


def tables_of(server: PostgresProcess) -> bytes:
    """Everything in the files of tables, as it is on the disk."""
    server.execute("CHECKPOINT")
    base = Path(server.folder) / "data" / "base"
    return b"".join(path.read_bytes() for path in sorted(base.rglob("*")) if path.is_file())


def traces(content: bytes, templates: list[bytes]) -> int:
    """How many pieces of templates are found, of eight numbers each."""
    return sum(
        data[start : start + 32] in content for data in templates for start in range(0, len(data) - 31, 32)
    )


async def test_a_deleted_subject_leaves_no_template_in_the_tables(shared_home: Home) -> None:
    server = shared_home.server
    assert server is not None
    async with opened_at(shared_home) as opened:
        await made(opened, "people")
        anna, ben = await enroll(opened, "anna", 4), await enroll(opened, "ben", 4)
        before = await asyncio.to_thread(tables_of, server)
        assert traces(before, anna) > 0
        whole = traces(before, ben)
        assert await opened.service.faces.delete_subject(TENANT, "people", "anna") == 4
        after = await asyncio.to_thread(tables_of, server)
        assert traces(after, anna) == 0
        assert traces(after, ben) == whole
        found = await opened.service.faces.search(
            TENANT, "people", FaceTemplate(MODEL, ben[0]), k=5, minimum_score=None
        )
        assert [hit.subject_id for hit in found.hits] == ["ben"]


@asynccontextmanager
async def older_state(server: PostgresProcess) -> AsyncIterator[None]:
    """Somebody reads the state that is now, in the same database and nothing of the library."""
    connection = await server.connect()
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.fetch("SELECT 1")
            yield
    finally:
        await connection.close()


async def test_a_deletion_waits_for_whoever_may_still_see_what_was_deleted(shared_home: Home) -> None:
    server = shared_home.server
    assert server is not None
    async with opened_at(shared_home) as opened:
        await made(opened, "people")
        anna = await enroll(opened, "anna", 4)
        async with older_state(server):
            deletion = asyncio.create_task(opened.service.faces.delete_subject(TENANT, "people", "anna"))
            done, _ = await asyncio.wait([deletion], timeout=1.0)
            assert not done
            ben = await enroll(opened, "ben", 4)  # nobody else waits
        assert await deletion == 4
        after = await asyncio.to_thread(tables_of, server)
        assert traces(after, anna) == 0
        assert traces(after, ben) > 0
