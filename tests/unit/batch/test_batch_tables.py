"""Batches and items in their tables, in each kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fakes.postgres import Home
from vidence_server.batch.app import MIGRATIONS
from vidence_server.batch.domain.batch import READ_DOCUMENT, Batch, Counts, Item
from vidence_server.batch.domain.failure import Failure
from vidence_server.batch.domain.states import BatchState, ItemState
from vidence_server.batch.store import batch_table, item_table
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Database

pytestmark = pytest.mark.requirement("R-BA2")

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def batch(number: int, state: BatchState = BatchState.OPEN, *, ephemeral: bool = False) -> Batch:
    return Batch(
        id=f"bat_{number}",
        tenant="default",
        state=state,
        run=1,
        counts=Counts(),
        retried=0,
        size_bytes=5 * 2**30,
        document_type="",
        ephemeral=ephemeral,
        create_time=NOW,
        start_time=None,
        end_time=None,
        expire_time=NOW + timedelta(days=number),
        first_result_time=None,
        work_ms=0,
    )


def item(index: int, batch_id: str | None = "bat_1", result: bytes | None = None) -> Item:
    return Item(
        id=f"itm_{batch_id}_{index}",
        tenant="default",
        batch_id=batch_id,
        index=index,
        operation=READ_DOCUMENT,
        state=ItemState.QUEUED if result is None else ItemState.SUCCEEDED,
        run=1,
        file_name=f"{index}.jpg",
        document_type="",
        pdf_page=1,
        sha256="0" * 64,
        size_bytes=3,
        blob_id="blb_1",
        attempt=0,
        max_attempts=3,
        dead=False,
        failure=None,
        finish_token=0,
        duration_ms=0,
        create_time=NOW,
        end_time=None,
        expire_time=None,
        result=result,
    )


@pytest.fixture
async def database(home: Home) -> AsyncIterator[Database]:
    async with home.database(MIGRATIONS, "batch") as opened:
        yield opened


async def test_a_batch_comes_back_as_it_was_saved(database: Database) -> None:
    async with database.transaction() as change:
        await batch_table.insert(change, batch(1), "key", server="one")
        saved = replace(batch(1), state=BatchState.RUNNING, counts=Counts(9, 1, 2, 3, 0), start_time=NOW)
        await batch_table.save(change, saved)
    async with database.snapshot() as reading:
        assert await batch_table.select_one(reading, "default", "bat_1") == saved
        assert await batch_table.select_one(reading, "another", "bat_1") is None
        assert await batch_table.select_by_key(reading, "default", "key") == saved


async def test_batches_are_listed_by_state_and_those_of_calls_are_not(database: Database) -> None:
    async with database.transaction() as change:
        for number, state in enumerate([BatchState.OPEN, BatchState.RUNNING, BatchState.RUNNING]):
            await batch_table.insert(change, batch(number, state), "", server="one")
        await batch_table.insert(change, batch(3, BatchState.RUNNING, ephemeral=True), "", server="two")
    async with database.snapshot() as reading:
        running = await batch_table.select_page(reading, "default", [BatchState.RUNNING], before="", limit=10)
        assert [each.id for each in running] == ["bat_2", "bat_1"]
        before = await batch_table.select_page(reading, "default", [], before="bat_1", limit=10)
        assert [each.id for each in before] == ["bat_0"]
        of_calls = await batch_table.select_ephemeral(reading)
        assert [(server, each.id) for server, each in of_calls] == [("two", "bat_3")]
        expired = await batch_table.select_expired(reading, NOW + timedelta(days=1), limit=10)
        assert [each.id for each in expired] == ["bat_0", "bat_1"]


async def test_an_item_comes_back_as_it_was_saved(database: Database) -> None:
    error = DomainError(Reason.IMAGE_CORRUPT, "The image is damaged.", metadata={"cause": "test"})
    failed = replace(item(1), state=ItemState.FAILED, dead=True, failure=Failure.of(error), end_time=NOW)
    async with database.transaction() as change:
        await item_table.insert(change, [item(0), item(1)])
        await item_table.save(change, failed)
    async with database.snapshot() as reading:
        assert await item_table.select_at(reading, "bat_1", 1) == failed
        assert await item_table.select_dead(reading, "default", before="", limit=10) == [failed]
        assert await item_table.count_dead(reading, "default") == 1


async def test_a_page_of_items_ends_where_its_results_are_too_large(database: Database) -> None:
    async with database.transaction() as change:
        await item_table.insert(change, [item(index, result=bytes(400)) for index in range(5)])
    async with database.snapshot() as reading:
        page = await item_table.select_page(reading, "bat_1", (), after=0, limit=10, max_bytes=1000)
        assert [each.index for each in page] == [1, 2, 3]
        assert page[0].result == bytes(400)
        large = await item_table.select_page(reading, "bat_1", (), after=-1, limit=10, max_bytes=1)
        assert [each.index for each in large] == [0]


async def test_cancelling_leaves_what_ended(database: Database) -> None:
    async with database.transaction() as change:
        await item_table.insert(change, [item(0), item(1, result=b"read"), item(2)])
        assert await item_table.cancel_of_batch(change, "bat_1", NOW) == 2
        states = [each.state for each in await item_table.select_of_batch(change, "bat_1")]
        assert states == [ItemState.CANCELLED, ItemState.SUCCEEDED, ItemState.CANCELLED]


async def test_jobs_are_found_apart_from_the_items_of_batches(database: Database) -> None:
    job = replace(item(0, None), expire_time=NOW)
    async with database.transaction() as change:
        await item_table.insert(change, [item(0)])
        await item_table.insert(change, [job], "key")
    async with database.snapshot() as reading:
        assert await item_table.select_job(reading, "default", job.id) == job
        assert await item_table.select_job_by_key(reading, "default", "key") == job
        assert await item_table.select_jobs(reading, "default", [], before="", limit=10) == [job]
        assert await item_table.select_expired_jobs(reading, NOW, limit=10) == [job]
