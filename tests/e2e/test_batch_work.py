"""Workers of batches: leases, attempts, cancellation, retention."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from eventually import eventually
from fakes.batch import JPEG, BatchServer, FakeReader, batch_server, document, events_of, image, images
from fakes.batch_leases import LEASE_S, ME, MovedClock, leased, read_as, reading, reason_of
from fakes.runtime import error_info
from vidence.batch.v1 import batch_pb2
from vidence.batch.v1 import batch_service_pb2 as pb
from vidence.job.v1 import job_service_pb2 as jobs
from vidence.job.v1 import worker_service_pb2
from vidence_server.batch.app import MIGRATIONS
from vidence_server.batch.domain.batch import Image
from vidence_server.storage.database import Database, sqlite_url


async def rows_left(folder: Path) -> dict[str, int]:
    async with (
        Database(sqlite_url(folder / "batch.db"), migrations=MIGRATIONS) as database,
        database.snapshot() as snapshot,
    ):
        tables = ("batches", "batch_items", "work_queue", "filings", "service_logs", "service_log_entries")
        return {
            table: (await snapshot.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()  # noqa: S608
            for table in tables
        }


@pytest.mark.requirement("R-BA2")
async def test_a_result_is_taken_once_and_only_from_the_newest_lease(tmp_path: Path) -> None:
    clock = MovedClock()
    async with batch_server(tmp_path, workers=0, lease_s=LEASE_S, clock=clock) as server:
        batch = await server.submit(image("one"))
        (stale,) = await leased(server)
        clock.end_leases()
        (fresh,) = await leased(server)  # waits until the first lease has run out
        assert (stale.attempt, fresh.attempt) == (1, 2)
        assert fresh.lease.lease_token > stale.lease.lease_token
        assert await reason_of(server.desk.CompleteItem(read_as(stale, "stale"))) == "LEASE_LOST"
        content = worker_service_pb2.GetItemContentRequest(lease=stale.lease)
        assert await reason_of(server.desk.GetItemContent(content)) == "LEASE_LOST"
        extended = await server.desk.ExtendLeases(
            worker_service_pb2.ExtendLeasesRequest(worker=ME, leases=[stale.lease, fresh.lease])
        )
        assert list(extended.lost_leases) == [stale.lease]
        assert not (await server.desk.CompleteItem(read_as(fresh, "fresh"))).repeated
        assert (await server.desk.CompleteItem(read_as(fresh, "fresh"))).repeated
        events = events_of(await server.watch(batch.batch_id))
        results = [event.result for event in events if event.HasField("result")]
        assert [result.document for result in results] == [document("fresh")]
        stages = [event.progress.stage for event in events if event.HasField("progress")]
        assert batch_pb2.BATCH_STAGE_RETRY in stages


@pytest.mark.requirement("R-BA5")
async def test_a_worker_that_falls_silent_every_time_leaves_a_dead_letter(tmp_path: Path) -> None:
    clock = MovedClock()
    async with batch_server(tmp_path, workers=0, lease_s=LEASE_S, max_attempts=2, clock=clock) as server:
        batch = await server.submit(image("one"))
        for _ in range(2):
            await leased(server)
            clock.end_leases()
        ended = await server.ended(batch.batch_id)
        assert ended.state == batch_pb2.BATCH_STATE_FAILED
        (letter,) = (await server.jobs.ListDeadLetters(jobs.ListDeadLettersRequest())).dead_letters
        assert (letter.batch_id, letter.index, letter.attempt_count) == (batch.batch_id, 0, 2)
        assert error_info(letter.error).reason == "WORKER_LOST"
        requeued = await server.jobs.RequeueDeadLetters(
            jobs.RequeueDeadLettersRequest(item_ids=[letter.item_id, "unknown"])
        )
        assert requeued.item_count == 1
        (item,) = await leased(server)
        await server.desk.CompleteItem(read_as(item, "at last"))
        assert (await server.ended(batch.batch_id)).state == batch_pb2.BATCH_STATE_SUCCEEDED
        assert not (await server.jobs.ListDeadLetters(jobs.ListDeadLettersRequest())).dead_letters
    assert [event.type for event in server.bus.log] == [
        "batch.started",
        "batch.failed",
        "batch.started",
        "batch.completed",
    ]


@pytest.mark.requirement("R-BA2")
async def test_cancelling_stops_what_is_being_read_and_reads_nothing_more(tmp_path: Path) -> None:
    reader = FakeReader()
    reader.gate.clear()
    async with batch_server(tmp_path, reader) as server:
        batch = await server.submit(*images(6))
        await eventually(lambda: reader.running == 2)
        cancelled = (await server.batches.CancelBatch(pb.CancelBatchRequest(batch_id=batch.batch_id))).batch
        assert cancelled.state == batch_pb2.BATCH_STATE_CANCELLED
        assert cancelled.counts.cancelled == 6
        await eventually(lambda: reader.running == 0)
        events = events_of(await server.watch(batch.batch_id))
        assert events[-1].complete.statistics.cancelled == 6
        again = (await server.batches.CancelBatch(pb.CancelBatchRequest(batch_id=batch.batch_id))).batch
        assert again == cancelled
    assert reader.dropped.total() == 2
    assert not reader.ended
    # Nothing was begun beside the two that were at work: the engine was free within one item.
    assert reader.began.total() == 2
    assert server.bus.log[-1].type == "batch.cancelled"


@pytest.mark.requirement("R-BA1")
async def test_leaving_a_call_stops_its_work_and_leaves_nothing(tmp_path: Path) -> None:
    reader = FakeReader()
    reader.gate.clear()
    async with batch_server(tmp_path, reader) as server:
        call = server.batches.ProcessBatch(pb.ProcessBatchRequest(images=images(6)))
        connected = await call.read()
        assert isinstance(connected, pb.ProcessBatchResponse)
        assert connected.HasField("connected")
        await eventually(lambda: reader.running == 2)
        call.cancel()
        await eventually(lambda: reader.running == 0)
        await eventually(lambda: not list((tmp_path / "batch-images").iterdir()))
        after = await asyncio.wait_for(_read_one(server, reader), 60)
        assert after.statistics.succeeded == 1
    assert set((await rows_left(tmp_path)).values()) == {0}


async def _read_one(server: BatchServer, reader: FakeReader) -> pb.ReadBatchResponse:
    reader.gate.set()
    return await server.batches.ReadBatch(pb.ReadBatchRequest(images=images(1, "after")))


@pytest.mark.requirement("R-BA4")
async def test_nothing_remains_after_retention(tmp_path: Path) -> None:
    async with batch_server(tmp_path, retention_s=1.0, open_s=1.0, sweep_period_s=0.05) as server:
        await server.submit(image("one"), image("bad two"), library_id="mine")
        await server.submit(image("never started"), start=False)
        await server.jobs.SubmitJob(reading("three"))
        await server.jobs.SubmitJob(reading("bad four"))

        async def listed() -> int:
            batches = (await server.batches.ListBatches(pb.ListBatchesRequest())).batches
            return len(batches) + len((await server.jobs.ListJobs(jobs.ListJobsRequest())).jobs)

        async with asyncio.timeout(60):
            while await listed():  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0.05)
        await eventually(lambda: not list((tmp_path / "batch-images").iterdir()))
    assert set((await rows_left(tmp_path)).values()) == {0}


@pytest.mark.requirement("R-BA2")
async def test_a_call_that_a_dead_server_left_is_gone_at_the_next_start(tmp_path: Path) -> None:
    async with batch_server(tmp_path, workers=0) as server:
        service = server.opened.service
        left = await service.batches.create("default", ephemeral=True)
        await service.batches.add_all(left, [Image(JPEG + b"one")])
    async with batch_server(tmp_path, workers=0):
        pass
    left_rows = await rows_left(tmp_path)
    assert (left_rows["batches"], left_rows["batch_items"], left_rows["work_queue"]) == (0, 0, 0)
    assert not list((tmp_path / "batch-images").iterdir())


@pytest.mark.requirement("R-BA2")
async def test_a_worker_that_stops_gives_its_items_back_without_losing_an_attempt(tmp_path: Path) -> None:
    async with batch_server(tmp_path, workers=0) as server:
        await server.submit(image("one"))
        (item,) = await leased(server)
        await server.desk.ReleaseItems(worker_service_pb2.ReleaseItemsRequest(worker_id=ME.worker_id))
        assert await reason_of(server.desk.CompleteItem(read_as(item, "one"))) == "LEASE_LOST"
        (again,) = await leased(server)
        assert again.attempt == 1


@pytest.mark.requirement("R-BA4")
async def test_twenty_batches_at_once_stay_exact(tmp_path: Path) -> None:
    reader = FakeReader(seconds=0.001)
    async with batch_server(tmp_path, reader, concurrency=4) as server:

        async def one(number: int) -> list[pb.BatchEvent]:
            batch = await server.submit(*images(5, f"batch {number} page"), image(f"bad {number}"))
            return events_of(await server.watch(batch.batch_id))

        logs = await asyncio.gather(*(one(number) for number in range(20)))
    for number, events in enumerate(logs):
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        current = [event.progress.current for event in events if event.HasField("progress")]
        assert current == sorted(current)
        read = {e.result.index: e.result.document for e in events if e.HasField("result")}
        assert read == {index: document(f"batch {number} page {index}") for index in range(5)}
        assert [e.error.index for e in events if e.HasField("error")] == [5]
        assert events[-1].complete.statistics.succeeded == 5
    assert set(reader.began.values()) == {1}


@pytest.mark.requirement("R-BA3")
async def test_several_workers_read_at_once(tmp_path: Path) -> None:
    reader = FakeReader()
    reader.gate.clear()
    async with batch_server(tmp_path, reader, workers=3, concurrency=2) as server:
        batch = await server.submit(*images(9))
        await eventually(lambda: reader.running == 6)
        reader.gate.set()
        await server.ended(batch.batch_id)
    assert reader.most == 6


@asynccontextmanager
async def drained(server: BatchServer) -> AsyncIterator[None]:
    yield
    await server.server.drain(grace_s=1)


@pytest.mark.requirement("R-BA2")
async def test_work_goes_on_where_a_server_that_drained_left_it(tmp_path: Path) -> None:
    reader = FakeReader()
    reader.gate.clear()
    async with batch_server(tmp_path, reader) as server, drained(server):
        batch = await server.submit(*images(4))
        await eventually(lambda: reader.running == 2)
        reader.gate.set()
    async with batch_server(tmp_path, reader) as server:
        ended = await server.ended(batch.batch_id)
    assert ended.state == batch_pb2.BATCH_STATE_SUCCEEDED
    assert set(reader.ended.values()) == {1}
    assert timedelta(0) < ended.end_time.ToDatetime() - ended.start_time.ToDatetime()
