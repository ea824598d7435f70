"""Batches over a real server: results as they come, errors per item, and the same by every way in."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.batch import FakeReader, batch_server, events_of, image, images, text_of
from vidence.batch.v1 import batch_pb2
from vidence.batch.v1 import batch_service_pb2 as pb


@pytest.mark.requirement("R-BA1")
async def test_a_call_streams_progress_result_error_and_one_complete(tmp_path: Path) -> None:
    wanted = [image("one"), image("bad two"), batch_pb2.BatchImage(content=b"text", file_name="c.txt")]
    async with batch_server(tmp_path) as server:
        call = server.batches.ProcessBatch(pb.ProcessBatchRequest(images=wanted))
        messages = [message async for message in call]
    kinds = [message.WhichOneof("payload") for message in messages]
    assert kinds[:2] == ["connected", "batch_start"]
    assert kinds[-1] == "complete"
    assert (kinds.count("result"), kinds.count("error")) == (1, 2)
    assert [message.sequence for message in messages] == list(range(1, len(messages) + 1))
    errors = {m.error.index: m.error.reason for m in messages if m.HasField("error")}
    assert errors == {1: "IMAGE_CORRUPT", 2: "IMAGE_UNSUPPORTED"}
    done = [m.progress for m in messages if m.progress.stage == batch_pb2.BATCH_STAGE_DONE]
    assert [progress.current for progress in done] == [1, 2, 3]
    complete = messages[-1].complete
    assert complete.state == batch_pb2.BATCH_STATE_PARTIAL
    assert (complete.statistics.total, complete.statistics.succeeded, complete.statistics.failed) == (3, 1, 2)
    result = next(m.result for m in messages if m.HasField("result"))
    assert (result.index, result.file_name, text_of(result.document)) == (0, "one.jpg", "one")


@pytest.mark.requirement("R-BA3")
async def test_the_unary_twin_answers_in_the_order_of_the_request(tmp_path: Path) -> None:
    wanted = [*images(5), image("bad six")]
    async with batch_server(tmp_path, concurrency=4) as server:
        answer = await server.batches.ReadBatch(pb.ReadBatchRequest(images=wanted))
        left = await server.batches.ListBatches(pb.ListBatchesRequest())
    assert [outcome.index for outcome in answer.outcomes] == list(range(6))
    assert [text_of(outcome.document) for outcome in answer.outcomes[:5]] == [f"page {n}" for n in range(5)]
    assert answer.outcomes[5].error.code == 3
    assert not left.batches
    assert not list((tmp_path / "batch-images").iterdir())


@pytest.mark.requirement("R-BA2")
async def test_a_durable_batch_is_watched_listed_and_deleted(tmp_path: Path) -> None:
    async with batch_server(tmp_path) as server:
        batch = await server.submit(*images(4))
        messages = await server.watch(batch.batch_id)
        events = events_of(messages)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert events[-1].complete.state == batch_pb2.BATCH_STATE_SUCCEEDED
        assert messages[-1].control.HasField("disconnected")
        again = events_of(await server.watch(batch.batch_id, after_cursor=events[3].cursor))
        assert again == events[4:]
        items = await server.batches.ListBatchItems(pb.ListBatchItemsRequest(batch_id=batch.batch_id))
        assert [text_of(item.document) for item in items.items] == [f"page {n}" for n in range(4)]
        await server.batches.DeleteBatch(pb.DeleteBatchRequest(batch_id=batch.batch_id))
        assert not (await server.batches.ListBatches(pb.ListBatchesRequest())).batches
    assert {event.type for event in server.bus.log} == {"batch.started", "batch.completed"}


@pytest.mark.requirement("R-BA2")
async def test_failed_items_are_retried_in_a_next_run(tmp_path: Path) -> None:
    reader = FakeReader()
    async with batch_server(tmp_path, reader, max_attempts=2) as server:
        batch = await server.submit(image("one"), image("flaky two 3"))
        first = await server.ended(batch.batch_id)
        assert first.state == batch_pb2.BATCH_STATE_PARTIAL
        retried = await server.batches.RetryItems(pb.RetryItemsRequest(batch_id=batch.batch_id))
        assert (retried.item_count, retried.batch.run) == (1, 2)
        second = await server.ended(batch.batch_id)
        assert second.state == batch_pb2.BATCH_STATE_SUCCEEDED
        events = events_of(await server.watch(batch.batch_id))
        assert (events[0].run, events[0].batch_start.done) == (2, 1)
    assert reader.ended == {"one": 1, "flaky two 3": 1}
