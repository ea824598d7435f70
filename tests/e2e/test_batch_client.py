"""Batches by the SDK, from asynchronous and from plain code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.batch import JPEG, batch_server, document, text_of
from vidence.batch.v1 import batch_pb2
from vidence.job.v1 import job_pb2
from vidence_client import Client, VidenceError
from vidence_client import sync as plain
from vidence_client.batch import BatchFile, FileLike

FILES: list[FileLike] = [
    JPEG + b"one",
    BatchFile(content=JPEG + b"bad two", file_name="two.jpg"),
    BatchFile(content=JPEG + b"three"),
]


@pytest.mark.requirement("R-BA1")
async def test_images_are_read_in_one_call(tmp_path: Path) -> None:
    file = tmp_path / "four.jpg"
    file.write_bytes(JPEG + b"four")
    async with batch_server(tmp_path) as server, Client(server.server.address) as client:
        async with client.batches.process([*FILES, file], heartbeat_period_s=5) as stream:
            messages = [message async for message in stream]
        answer = await client.batches.read([*FILES, file])
    results = {m.result.index: m.result for m in messages if m.HasField("result")}
    assert sorted(results) == [0, 2, 3]
    assert (results[3].file_name, text_of(results[3].document)) == ("four.jpg", "four")
    assert [outcome.WhichOneof("outcome") for outcome in answer.outcomes] == [
        "document",
        "error",
        "document",
        "document",
    ]


@pytest.mark.requirement("R-BA2")
async def test_a_batch_is_uploaded_watched_retried_and_deleted(tmp_path: Path) -> None:
    async def coming() -> AsyncIterator[FileLike]:
        for each in FILES:
            await asyncio.sleep(0)
            yield each

    async with batch_server(tmp_path) as server, Client(server.server.address) as client:
        batch = await client.batches.upload(coming(), idempotency_key="k")
        async with client.batches.watch(batch.batch_id) as events:
            seen = [event async for event in events]
        assert seen[-1].complete.state == batch_pb2.BATCH_STATE_PARTIAL
        async with client.batches.watch(batch.batch_id, after=seen[1].cursor) as events:
            assert [event async for event in events] == seen[2:]
        assert (await client.batches.create(idempotency_key="k")).batch_id == batch.batch_id
        items = [item async for item in client.batches.items(batch.batch_id, page_size=2)]
        assert [item.index for item in items] == [0, 1, 2]
        retried = await client.batches.retry(batch.batch_id, [1])
        assert retried.run == 2
        async with client.batches.watch(batch.batch_id, run=2) as events:
            assert [event async for event in events][-1].complete.statistics.failed == 1
        assert [found.batch_id async for found in client.batches.list()] == [batch.batch_id]
        await client.batches.delete(batch.batch_id)
        with pytest.raises(VidenceError) as gone:
            await client.batches.get(batch.batch_id)
    assert gone.value.reason == "BATCH_NOT_FOUND"


@pytest.mark.requirement("R-BA2")
async def test_a_refused_upload_says_why(tmp_path: Path) -> None:
    async with batch_server(tmp_path, max_images=2) as server, Client(server.server.address) as client:
        with pytest.raises(VidenceError) as refused:
            await client.batches.upload(FILES)
        assert refused.value.reason == "BATCH_TOO_MANY_IMAGES"
        (left,) = [batch async for batch in client.batches.list()]
        assert (left.state, left.counts.total) == (batch_pb2.BATCH_STATE_OPEN, 2)
        started = await client.batches.start(left.batch_id)
        assert started.counts.total == 2


@pytest.mark.requirement("R-BA5")
async def test_a_job_is_submitted_and_watched(tmp_path: Path) -> None:
    async with batch_server(tmp_path) as server, Client(server.server.address) as client:
        job = await client.jobs.submit_reading(JPEG + b"one", idempotency_key="k")
        async with client.jobs.watch(job.job_id) as events:
            kinds = [event.WhichOneof("payload") async for event in events]
        assert kinds == ["attempt", "complete"]
        assert (await client.jobs.get(job.job_id)).result.document == document("one")
        assert [found.job_id async for found in client.jobs.list()] == [job.job_id]
        assert (await client.jobs.cancel(job.job_id)).state == job_pb2.JOB_STATE_SUCCEEDED
        (worker,) = await client.jobs.workers()
        assert (await client.jobs.drain(worker.worker_id)).state == job_pb2.WORKER_STATE_DRAINING
        assert (await client.jobs.set_concurrency(worker.worker_id, 7)).concurrency == 7
        assert (await client.jobs.statistics()).workers == 1
        assert [letter async for letter in client.jobs.dead_letters()] == []
        assert await client.jobs.requeue(["unknown"]) == 0


@pytest.mark.requirement("R-BA1")
async def test_plain_code_does_the_same(tmp_path: Path) -> None:
    def work(address: str) -> None:
        with plain.Client(address) as client:
            with client.batches.process(FILES) as stream:
                kinds = [message.WhichOneof("payload") for message in stream]
            assert kinds[-1] == "complete"
            assert len(client.batches.read(FILES).outcomes) == 3
            batch = client.batches.create(idempotency_key="k")
            client.batches.add(batch.batch_id, 0, FILES[0])
            client.batches.start(batch.batch_id)
            with client.batches.watch(batch.batch_id) as events:
                assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
            assert [text_of(item.document) for item in client.batches.items(batch.batch_id)] == ["one"]
            assert client.batches.cancel(batch.batch_id) == client.batches.get(batch.batch_id)
            assert [found.batch_id for found in client.batches.list()] == [batch.batch_id]
            client.batches.delete(batch.batch_id)
            uploaded = client.batches.upload(FILES[1:2])
            with client.batches.watch(uploaded.batch_id) as events:
                assert list(events)[-1].complete.state == batch_pb2.BATCH_STATE_FAILED
            assert client.batches.retry(uploaded.batch_id).run == 2
            job = client.jobs.submit_reading(JPEG + b"one")
            with client.jobs.watch(job.job_id) as told:
                assert [event.sequence for event in told] == [1, 2]
            assert client.jobs.get(job.job_id).state == job_pb2.JOB_STATE_SUCCEEDED
            assert [found.job_id for found in client.jobs.list()] == [job.job_id]
            assert client.jobs.cancel(job.job_id).state == job_pb2.JOB_STATE_SUCCEEDED
            (worker,) = client.jobs.workers()
            client.jobs.drain(worker.worker_id)
            client.jobs.set_concurrency(worker.worker_id, 2)
            assert client.jobs.statistics().dead_letters == len(list(client.jobs.dead_letters()))
            assert client.jobs.requeue(["unknown"]) == 0

    async with batch_server(tmp_path) as server:
        await asyncio.to_thread(work, server.server.address)
