"""Results that go straight into a library: once each, however often either side is away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest

from eventually import eventually
from fakes.batch import JPEG, TENANT, FakeReader, batch_server, document, events_of, image, images
from fakes.runtime import error_info, status_of
from fakes.shelf import FakeShelf
from vidence.batch.v1 import batch_pb2
from vidence.batch.v1 import batch_service_pb2 as pb
from vidence.job.v1 import job_pb2
from vidence.job.v1 import job_service_pb2 as jobs
from vidence.library.v1 import filing_pb2
from vidence_server.core.errors import Reason

pytestmark = pytest.mark.requirement("R-LI1")


def away() -> FakeShelf:
    shelf = FakeShelf(away=asyncio.Event())
    assert shelf.away is not None
    shelf.away.set()
    return shelf


def back(shelf: FakeShelf) -> None:
    assert shelf.away is not None
    shelf.away.clear()


async def test_each_result_becomes_a_document_and_the_stream_tells_it(tmp_path: Path) -> None:
    async with batch_server(tmp_path) as server:
        batch = await server.submit(image("one"), image("bad two"), image("three"), library_id="mine")
        assert batch.library_id == "mine"
        events = events_of(await server.watch(batch.batch_id))
        kinds = [event.WhichOneof("payload") for event in events]
        assert kinds[-1] == "complete"
        for index in (0, 2):
            result = next(n for n, e in enumerate(events) if e.HasField("result") and e.result.index == index)
            filing = next(n for n, e in enumerate(events) if e.HasField("filing") and e.filing.index == index)
            assert result < filing
            assert events[filing].filing.filing == filing_pb2.Filing(
                library_id="mine",
                document_id=f"{batch.batch_id}-{index}",
                state=filing_pb2.FILING_STATE_FILED,
            )
        statistics = events[-1].complete.statistics
        assert (statistics.succeeded, statistics.filed, statistics.unfiled) == (2, 2, 0)
        listed = await server.batches.ListBatchItems(pb.ListBatchItemsRequest(batch_id=batch.batch_id))
        assert [item.filing.state for item in listed.items] == [
            filing_pb2.FILING_STATE_FILED,
            filing_pb2.FILING_STATE_UNSPECIFIED,
            filing_pb2.FILING_STATE_FILED,
        ]
    assert server.shelf.documents == {
        (TENANT, "mine", f"{batch.batch_id}-{index}"): document(text).SerializeToString()
        for index, text in ((0, "one"), (2, "three"))
    }
    assert server.shelf.properties[f"{batch.batch_id}-2"] == {
        "batch_id": batch.batch_id,
        "index": 2,
        "file_name": "three.jpg",
    }


async def test_a_library_that_is_away_keeps_nobody_from_reading_and_gets_everything_later(
    tmp_path: Path,
) -> None:
    shelf = away()
    async with batch_server(tmp_path, shelf=shelf) as server:
        batch = await server.submit(*images(5), library_id="mine")
        call = server.batches.WatchBatch(pb.WatchBatchRequest(batch_id=batch.batch_id))
        read = 0
        while read < 5:
            message = await call.read()
            assert isinstance(message, pb.WatchBatchResponse)
            read += sum(event.HasField("result") for event in message.events)
        now = (await server.batches.GetBatch(pb.GetBatchRequest(batch_id=batch.batch_id))).batch
        assert (now.counts.succeeded, now.counts.filing) == (5, 5)
        assert now.state == batch_pb2.BATCH_STATE_RUNNING
        await eventually(lambda: server.opened.filer.statistics().failures > 2)
        back(shelf)
        ended = await server.ended(batch.batch_id)
        call.cancel()
    assert (ended.state, ended.counts.filed) == (batch_pb2.BATCH_STATE_SUCCEEDED, 5)
    assert shelf.ids() == [f"{batch.batch_id}-{n}" for n in range(5)]


async def test_what_waits_for_a_library_survives_a_restart(tmp_path: Path) -> None:
    shelf, reader = away(), FakeReader()
    async with batch_server(tmp_path, reader, shelf=shelf) as server:
        batch = await server.submit(*images(3), library_id="mine")
        await eventually(lambda: reader.ended.total() == 3 and shelf.offered.total() > 0)
    back(shelf)
    async with batch_server(tmp_path, reader, shelf=shelf) as server:
        ended = await server.ended(batch.batch_id)
    assert ended.counts.filed == 3
    assert len(shelf.documents) == 3
    assert set(reader.ended.values()) == {1}


async def test_an_answer_that_was_lost_makes_no_second_document(tmp_path: Path) -> None:
    shelf = FakeShelf(loses=2)
    async with batch_server(tmp_path, shelf=shelf) as server:
        batch = await server.submit(*images(3), library_id="mine")
        ended = await server.ended(batch.batch_id)
    assert (ended.counts.filed, len(shelf.documents)) == (3, 3)
    assert shelf.offered.total() == 5


async def test_a_document_that_is_refused_is_told_with_its_reason_and_offered_again_on_request(
    tmp_path: Path,
) -> None:
    shelf = FakeShelf(refuses={"-1": Reason.EMBEDDING_MODEL_MISMATCH})
    async with batch_server(tmp_path, shelf=shelf) as server:
        batch = await server.submit(*images(3), library_id="mine")
        events = events_of(await server.watch(batch.batch_id))
        (refused,) = [e.filing.filing for e in events if e.HasField("filing") and e.filing.index == 1]
        assert refused.state == filing_pb2.FILING_STATE_REFUSED
        assert error_info(refused.error).reason == "EMBEDDING_MODEL_MISMATCH"
        statistics = events[-1].complete.statistics
        assert (statistics.filed, statistics.unfiled) == (2, 1)
        shelf.refuses = {}
        again = await server.batches.RetryItems(pb.RetryItemsRequest(batch_id=batch.batch_id))
        assert (again.item_count, again.batch.run) == (1, 2)
        second = events_of(await server.watch(batch.batch_id, run=2))
        assert [event.WhichOneof("payload") for event in second] == ["batch_start", "filing", "complete"]
        assert second[-1].complete.statistics.filed == 3
    assert len(shelf.documents) == 3
    assert shelf.offered[f"{batch.batch_id}-0"] == 1


async def test_a_library_that_stays_away_is_given_up_and_the_reading_is_kept(tmp_path: Path) -> None:
    async with batch_server(tmp_path, shelf=away(), filing_patience_s=0.2) as server:
        batch = await server.submit(*images(2), library_id="mine")
        ended = await server.ended(batch.batch_id)
        listed = await server.batches.ListBatchItems(pb.ListBatchItemsRequest(batch_id=batch.batch_id))
    assert (ended.state, ended.counts.unfiled) == (batch_pb2.BATCH_STATE_SUCCEEDED, 2)
    assert [error_info(item.filing.error).reason for item in listed.items] == ["NOT_READY"] * 2
    assert [item.document for item in listed.items] == [document(f"page {n}") for n in range(2)]


async def test_a_call_waits_for_the_library_but_not_for_ever(tmp_path: Path) -> None:
    shelf = FakeShelf()
    async with batch_server(tmp_path, shelf=shelf, call_filing_patience_s=0.2) as server:
        request = pb.ProcessBatchRequest(images=images(2), library_id="mine")
        messages = [message async for message in server.batches.ProcessBatch(request)]
        kinds = [message.WhichOneof("payload") for message in messages]
        assert (kinds.count("filing"), kinds[-1]) == (2, "complete")
        shelf.away = asyncio.Event()
        shelf.away.set()
        late = await server.batches.ReadBatch(pb.ReadBatchRequest(images=images(1), library_id="mine"))
    (outcome,) = late.outcomes
    assert outcome.document == document("page 0")
    assert error_info(outcome.filing.error).reason == "NOT_READY"
    assert len(shelf.documents) == 2


async def test_a_library_that_there_is_not_is_refused_before_work(tmp_path: Path) -> None:
    reader = FakeReader()
    async with batch_server(tmp_path, reader) as server:
        operation = job_pb2.ReadDocumentOperation(content=JPEG + b"one", library_id="other")
        calls = (
            server.batches.CreateBatch(pb.CreateBatchRequest(library_id="other")),
            server.batches.ReadBatch(pb.ReadBatchRequest(images=images(1), library_id="other")),
            server.jobs.SubmitJob(jobs.SubmitJobRequest(read_document=operation)),
        )
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            assert error_info(status_of(refused.value)).reason == "LIBRARY_NOT_FOUND"
    assert not reader.began


async def test_cancelling_ends_the_way_into_the_library(tmp_path: Path) -> None:
    shelf, reader = away(), FakeReader()
    async with batch_server(tmp_path, reader, shelf=shelf) as server:
        batch = await server.submit(*images(2), library_id="mine")
        await eventually(lambda: shelf.offered.total() > 0 and reader.ended.total() == 2)
        cancelled = (await server.batches.CancelBatch(pb.CancelBatchRequest(batch_id=batch.batch_id))).batch
        assert cancelled.state == batch_pb2.BATCH_STATE_CANCELLED
        counts = cancelled.counts
        assert counts.filing == 0
        assert counts.succeeded + counts.cancelled == 2
        assert counts.unfiled == counts.succeeded
        back(shelf)
        another = await server.submit(image("another"), library_id="mine")
        await server.ended(another.batch_id)
    assert shelf.ids() == [f"{another.batch_id}-0"]


@pytest.mark.requirement("R-BA5")
async def test_a_job_ends_when_its_result_is_in_the_library(tmp_path: Path) -> None:
    shelf = away()
    async with batch_server(tmp_path, shelf=shelf) as server:
        operation = job_pb2.ReadDocumentOperation(content=JPEG + b"one", library_id="mine")
        job = (await server.jobs.SubmitJob(jobs.SubmitJobRequest(read_document=operation))).job
        await eventually(lambda: shelf.offered.total() > 0)
        waiting = (await server.jobs.GetJob(jobs.GetJobRequest(job_id=job.job_id))).job
        assert waiting.state == job_pb2.JOB_STATE_RUNNING
        assert waiting.filing.state == filing_pb2.FILING_STATE_PENDING
        back(shelf)
        messages = [m async for m in server.jobs.WatchJob(jobs.WatchJobRequest(job_id=job.job_id))]
        events = [event for message in messages for event in message.events]
        assert [event.WhichOneof("payload") for event in events] == ["attempt", "complete"]
        assert events[-1].complete.filing.state == filing_pb2.FILING_STATE_FILED
        ended = (await server.jobs.GetJob(jobs.GetJobRequest(job_id=job.job_id))).job
        assert (ended.state, ended.result.document) == (job_pb2.JOB_STATE_SUCCEEDED, document("one"))
        shelf.away = asyncio.Event()
        shelf.away.set()
        other = (await server.jobs.SubmitJob(jobs.SubmitJobRequest(read_document=operation))).job
        await eventually(lambda: shelf.offered[other.job_id] > 0)
        cancelled = (await server.jobs.CancelJob(jobs.CancelJobRequest(job_id=other.job_id))).job
        assert cancelled.state == job_pb2.JOB_STATE_CANCELLED
    assert shelf.ids() == [job.job_id]
