"""Single jobs on the queue of batches, and what operators ask of workers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration

from eventually import eventually
from fakes.batch import FakeReader, batch_server, document, image, images
from fakes.batch_leases import ME, failed, leased, read_as, reading, reason_of
from vidence.batch.v1 import batch_service_pb2 as pb
from vidence.job.v1 import job_pb2, worker_service_pb2
from vidence.job.v1 import job_service_pb2 as jobs


@pytest.mark.requirement("R-BA5")
async def test_a_job_is_submitted_once_watched_and_found(tmp_path: Path) -> None:
    async with batch_server(tmp_path) as server:
        job = (await server.jobs.SubmitJob(reading("flaky one 1", idempotency_key="k"))).job
        again = (await server.jobs.SubmitJob(reading("flaky one 1", idempotency_key="k"))).job
        assert again.job_id == job.job_id
        other = server.jobs.SubmitJob(reading("another", idempotency_key="k"))
        assert await reason_of(other) == "IDEMPOTENCY_CONFLICT"
        messages = [m async for m in server.jobs.WatchJob(jobs.WatchJobRequest(job_id=job.job_id))]
        kinds = [event.WhichOneof("payload") for message in messages for event in message.events]
        assert kinds == ["attempt", "retry", "attempt", "complete"]
        found = (await server.jobs.GetJob(jobs.GetJobRequest(job_id=job.job_id))).job
        assert found.state == job_pb2.JOB_STATE_SUCCEEDED
        assert found.result.document == document("flaky one 1")
        (listed,) = (await server.jobs.ListJobs(jobs.ListJobsRequest())).jobs
        assert (listed.job_id, listed.attempt_count) == (job.job_id, 2)
        missing = server.jobs.GetJob(jobs.GetJobRequest(job_id="job_0"))
        assert await reason_of(missing) == "JOB_NOT_FOUND"


@pytest.mark.requirement("R-BA5")
async def test_a_job_is_cancelled_and_a_dead_one_requeued(tmp_path: Path) -> None:
    async with batch_server(tmp_path, workers=0, max_attempts=1) as server:
        job = (await server.jobs.SubmitJob(reading("one"))).job
        cancelled = (await server.jobs.CancelJob(jobs.CancelJobRequest(job_id=job.job_id))).job
        assert cancelled.state == job_pb2.JOB_STATE_CANCELLED
        dead = (await server.jobs.SubmitJob(reading("two"))).job
        (item,) = await leased(server)
        assert item.lease.item_id == dead.job_id
        await server.desk.CompleteItem(failed(item))
        first = [m async for m in server.jobs.WatchJob(jobs.WatchJobRequest(job_id=dead.job_id))]
        assert first[-1].control.HasField("disconnected")
        await server.jobs.RequeueDeadLetters(jobs.RequeueDeadLettersRequest(item_ids=[dead.job_id]))
        (item,) = await leased(server)
        await server.desk.CompleteItem(read_as(item, "two"))
        done = (await server.jobs.GetJob(jobs.GetJobRequest(job_id=dead.job_id))).job
        assert (done.state, done.run) == (job_pb2.JOB_STATE_SUCCEEDED, 2)


@pytest.mark.requirement("R-BA5")
async def test_a_job_whose_last_worker_vanished_is_a_dead_letter(tmp_path: Path) -> None:
    async with batch_server(tmp_path, workers=0, max_attempts=1, lease_s=0.2) as server:
        job = (await server.jobs.SubmitJob(reading("one"))).job
        await leased(server)
        seen = [m async for m in server.jobs.WatchJob(jobs.WatchJobRequest(job_id=job.job_id))]
        assert seen[-1].control.HasField("disconnected")
        found = (await server.jobs.GetJob(jobs.GetJobRequest(job_id=job.job_id))).job
        assert found.state == job_pb2.JOB_STATE_FAILED


@pytest.mark.requirement("R-BA5")
async def test_a_worker_is_drained_resumed_and_given_another_concurrency(tmp_path: Path) -> None:
    reader = FakeReader()
    async with batch_server(tmp_path, reader, concurrency=1) as server:
        await server.batches.ReadBatch(pb.ReadBatchRequest(images=images(1)))
        (worker,) = (await server.jobs.ListWorkers(jobs.ListWorkersRequest())).workers
        assert (worker.concurrency, worker.state) == (1, job_pb2.WORKER_STATE_ACTIVE)
        drain = jobs.DrainWorkerRequest(worker_id=worker.worker_id)
        drained = (await server.jobs.DrainWorker(drain)).worker
        assert drained.state == job_pb2.WORKER_STATE_DRAINING
        async with asyncio.timeout(60):
            while not server.workers[0]._directive.drain:  # noqa: ASYNC110  # its own heartbeat tells it
                await asyncio.sleep(0.01)
        reader.gate.clear()
        batch = await server.submit(*images(4, "later"))
        statistics = (await server.jobs.GetQueueStatistics(jobs.GetQueueStatisticsRequest())).statistics
        assert (statistics.waiting, statistics.capacity) == (4, 0)
        await server.jobs.SetWorkerConcurrency(
            jobs.SetWorkerConcurrencyRequest(worker_id=worker.worker_id, concurrency=3)
        )
        await server.jobs.DrainWorker(jobs.DrainWorkerRequest(worker_id=worker.worker_id, resume=True))
        await eventually(lambda: reader.running == 3)
        reader.gate.set()
        await server.ended(batch.batch_id)
        assert reader.most == 3
        unknown = server.jobs.DrainWorker(jobs.DrainWorkerRequest(worker_id="wrk_0"))
        assert await reason_of(unknown) == "WORKER_NOT_FOUND"


@pytest.mark.requirement("R-BA5")
async def test_a_worker_that_waits_for_work_while_it_is_drained_gets_none(tmp_path: Path) -> None:
    async with batch_server(tmp_path, workers=0) as server:
        request = worker_service_pb2.LeaseItemsRequest(worker=ME, count=1, wait_duration=Duration(seconds=20))
        waiting = server.desk.LeaseItems(request)
        await eventually(lambda: server.opened.service.workers.views() != [])
        await server.jobs.DrainWorker(jobs.DrainWorkerRequest(worker_id=ME.worker_id))
        await server.submit(image("one"))
        answer = await waiting
        assert not answer.items
        assert answer.directive.drain
        await server.jobs.DrainWorker(jobs.DrainWorkerRequest(worker_id=ME.worker_id, resume=True))
        assert len(await leased(server)) == 1
