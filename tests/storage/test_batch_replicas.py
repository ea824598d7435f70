"""The batch service on PostgreSQL: as on SQLite, and several servers on one database."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from eventually import eventually
from fakes.batch import JPEG, TENANT, BatchServer, FakeReader, batch_server, events_of, image, images, text_of
from fakes.postgres import Home
from vidence.batch.v1 import batch_pb2
from vidence.batch.v1 import batch_service_pb2 as pb
from vidence.job.v1 import job_pb2
from vidence.job.v1 import job_service_pb2 as jobs
from vidence_server.batch.desk import LOCAL_PREFIX
from vidence_server.batch.domain.batch import Image
from vidence_server.batch.domain.work import Presence
from vidence_server.batch.store import batch_table
from vidence_server.storage.database import Database
from vidence_server.storage.location import StateLocation

DEAD = "0" * 32
"""The database instance of a server that is no more."""


@dataclass(frozen=True)
class HomeLocation(StateLocation):
    """Databases of a test's home."""

    home: Home = field(kw_only=True)

    def database(self, service: str, *, migrations: Path, guest: bool = False) -> Database:
        return self.home.database(migrations, service, guest=guest)


def location(home: Home) -> HomeLocation:
    return HomeLocation(home.folder, home=home)


@pytest.mark.requirement("R-BA2")
async def test_batches_jobs_and_calls_go_on_either_database(home: Home) -> None:
    async with batch_server(location(home)) as server:
        batch = await server.submit(*images(4), image("bad five"), image("flaky six 1"))
        events = events_of(await server.watch(batch.batch_id))
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        complete = events[-1].complete.statistics
        assert (complete.total, complete.succeeded, complete.failed) == (6, 5, 1)
        read = await server.batches.ReadBatch(pb.ReadBatchRequest(images=images(3, "call")))
        assert [text_of(each.document) for each in read.outcomes] == [f"call {n}" for n in range(3)]
        listed = (await server.batches.ListBatches(pb.ListBatchesRequest())).batches
        assert [each.batch_id for each in listed] == [batch.batch_id]
        operation = job_pb2.ReadDocumentOperation(content=JPEG + b"a job")
        job = (await server.jobs.SubmitJob(jobs.SubmitJobRequest(read_document=operation))).job
        _ = [message async for message in server.jobs.WatchJob(jobs.WatchJobRequest(job_id=job.job_id))]
        found = (await server.jobs.GetJob(jobs.GetJobRequest(job_id=job.job_id))).job
        assert text_of(found.result.document) == "a job"
        await server.batches.DeleteBatch(pb.DeleteBatchRequest(batch_id=batch.batch_id))
        assert not (await server.batches.ListBatches(pb.ListBatchesRequest())).batches
    await eventually(lambda: not list((home.folder / "batch-images").iterdir()))


@pytest.mark.requirement("R-BA2")
async def test_a_batch_of_one_server_is_read_by_the_workers_of_another(shared_home: Home) -> None:
    place = location(shared_home)
    async with (
        batch_server(place, workers=0) as idle,
        batch_server(place, workers=1) as working,
    ):
        # Its worker waits for items by now, or will ask: either way the other's start reaches it.
        await working.batches.ReadBatch(pb.ReadBatchRequest(images=images(1)))
        async with asyncio.timeout(10):  # a worker's own patience is 20 s
            batch = await idle.submit(*images(3, "other"))
            events = events_of(await idle.watch(batch.batch_id))
        assert events[-1].complete.statistics.succeeded == 3
        assert working.workers[0].statistics().completed == 4


@pytest.mark.requirement("R-BA2")
async def test_a_new_server_clears_up_after_a_dead_one_and_leaves_the_living_alone(
    shared_home: Home,
) -> None:
    place = location(shared_home)
    gate = FakeReader()
    gate.gate.clear()
    async with batch_server(place, gate, concurrency=1, lease_s=600) as living:
        call = living.batches.ReadBatch(pb.ReadBatchRequest(images=[image("of the living")]))
        await eventually(lambda: gate.running == 1)
        left = await living.submit(image("of the dead"))
        service = living.opened.service
        dead = Presence(f"{LOCAL_PREFIX}{DEAD}_1", "dead", 1, ("read_document",), running=0)
        assert (await service.desk.lease(dead, 1, wait_s=0)).leases
        await _call_of_the_dead(living)
        async with batch_server(place, workers=1) as newcomer:
            # Long before the lease ends.
            async with asyncio.timeout(60):
                assert (await newcomer.ended(left.batch_id)).state == batch_pb2.BATCH_STATE_SUCCEEDED
            assert gate.began["of the dead"] == 0
            # Of the call of the dead nothing is left; what was read is kept for a while.
            await eventually(lambda: kept(shared_home) == {b"of the living", b"of the dead"})
            assert not call.done()
            gate.gate.set()
            assert [text_of(each.document) for each in (await call).outcomes] == ["of the living"]
            assert gate.began["of the living"] == 1


def kept(home: Home) -> set[bytes]:
    """What the images say that lie in the folder."""
    said = set()
    for path in (home.folder / "batch-images").iterdir():
        with suppress(FileNotFoundError):  # deleted since it was listed
            said.add(path.read_bytes().removeprefix(JPEG))
    return said


async def _call_of_the_dead(server: BatchServer) -> None:
    """A batch that a call of the dead server left behind."""
    batches = server.opened.service.batches
    left = await batches.create(TENANT, ephemeral=True)
    await batches.add_all(left, [Image(JPEG + b"for nobody")])
    async with batches._base.database.transaction() as change:
        await change.execute(
            batch_table.BATCHES.update().where(batch_table.BATCHES.c.id == left.id).values(server=DEAD)
        )
