"""The stream contract on batches and jobs, judged by the validators."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from fakes.batch import BatchServer, FakeReader, batch_server, events_of, image, images
from fakes.runtime import error_info, status_of
from vidence.batch.v1 import batch_service_pb2 as pb
from vidence.job.v1 import job_pb2
from vidence.job.v1 import job_service_pb2 as jobs
from vidence_client.conformance import (
    Connection,
    LoggedEvent,
    PublishedLog,
    Watcher,
    check_watch,
    from_responses,
)


async def next_of(call: Any) -> Any:
    message = await call.read()
    assert message is not grpc.aio.EOF
    return message


async def connection(server: BatchServer, batch_id: str, after: str = "") -> Connection:
    messages = await server.watch(batch_id, **({"after_cursor": after} if after else {}))
    return from_responses(messages, after_cursor=after, ended_by_server=True)


@pytest.mark.requirement("R-BA2")
async def test_any_number_of_watchers_from_any_cursor_see_one_log(tmp_path: Path) -> None:
    async with batch_server(tmp_path, FakeReader(seconds=0.01)) as server:
        batch = await server.submit(*images(10), image("bad ten"))
        live = await asyncio.gather(*(connection(server, batch.batch_id) for _ in range(5)))
        events = events_of(await server.watch(batch.batch_id))
        log = PublishedLog([LoggedEvent(event.cursor, event.cursor) for event in events])
        probes = [await connection(server, batch.batch_id, event.cursor) for event in events[::4]]
        for each in live:
            assert check_watch(Watcher((each,)), log, probes=probes) == []


@pytest.mark.requirement("R-ST4")
async def test_a_watcher_goes_on_after_a_restart_of_the_server(tmp_path: Path) -> None:
    reader = FakeReader()
    async with batch_server(tmp_path, reader) as server:
        batch = await server.submit(*images(6))
        call = server.batches.WatchBatch(pb.WatchBatchRequest(batch_id=batch.batch_id))
        seen: list[pb.WatchBatchResponse] = []
        while not any(event.HasField("result") for message in seen for event in message.events):
            seen.append(await next_of(call))
        call.cancel()
    first = from_responses(seen)
    async with batch_server(tmp_path, reader) as server:
        second = await connection(server, batch.batch_id, seen[-1].cursor)
        events = events_of(await server.watch(batch.batch_id))
    log = PublishedLog([LoggedEvent(event.cursor, event.cursor) for event in events])
    assert check_watch(Watcher((first, second)), log) == []


@pytest.mark.requirement("R-ST8")
async def test_a_cursor_of_another_batch_is_foreign(tmp_path: Path) -> None:
    async with batch_server(tmp_path) as server:
        one, other = await server.submit(image("one")), await server.submit(image("other"))
        cursor = events_of(await server.watch(one.batch_id))[0].cursor
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await server.watch(other.batch_id, after_cursor=cursor)
        assert error_info(status_of(refused.value)).reason == "CURSOR_FOREIGN"
        with pytest.raises(grpc.aio.AioRpcError) as early:
            await server.watch(one.batch_id, run=2)
        assert error_info(status_of(early.value)).reason == "REQUEST_INVALID"


@pytest.mark.requirement("R-ST4")
async def test_a_cursor_of_an_earlier_run_leads_to_its_log(tmp_path: Path) -> None:
    async with batch_server(tmp_path) as server:
        batch = await server.submit(image("one"), image("bad two"))
        first = events_of(await server.watch(batch.batch_id))
        await server.batches.RetryItems(pb.RetryItemsRequest(batch_id=batch.batch_id))
        second = events_of(await server.watch(batch.batch_id))
        assert {event.run for event in second} == {2}
        assert events_of(await server.watch(batch.batch_id, after_cursor=first[0].cursor)) == first[1:]
        assert events_of(await server.watch(batch.batch_id, run=1)) == first
    assert second[-1].complete.statistics.failed == 1


@pytest.mark.requirement("R-BA2")
async def test_a_batch_is_watched_before_it_starts_and_to_its_deletion(tmp_path: Path) -> None:
    async with batch_server(tmp_path) as server:
        batch = await server.submit(image("one"), start=False)
        call = server.batches.WatchBatch(pb.WatchBatchRequest(batch_id=batch.batch_id))
        assert (await next_of(call)).control.HasField("connected")
        await server.batches.DeleteBatch(pb.DeleteBatchRequest(batch_id=batch.batch_id))
        assert (await next_of(call)).control.HasField("disconnected")
        assert await call.read() is grpc.aio.EOF


@pytest.mark.requirement("R-ST5")
async def test_a_batch_that_waits_shows_that_its_stream_is_alive(tmp_path: Path) -> None:
    async with batch_server(tmp_path, workers=0, server={"heartbeat_period_s": 0.05}) as server:
        batch = await server.submit(image("one"))
        call = server.batches.WatchBatch(pb.WatchBatchRequest(batch_id=batch.batch_id))
        kinds = []
        while "heartbeat" not in kinds:
            message = await next_of(call)
            kinds.append(message.control.WhichOneof("control") or "events")
        call.cancel()
        result = server.batches.ProcessBatch(pb.ProcessBatchRequest(images=images(1)))
        told: list[str | None] = []
        while told[-1:] != ["heartbeat"] or "batch_start" not in told:
            told.append((await next_of(result)).WhichOneof("payload"))
        result.cancel()
    assert kinds[0] == "connected"
    # Where storing the images takes long, a heartbeat tells of it before the start.
    assert [kind for kind in told if kind != "heartbeat"] == ["connected", "batch_start"]
    assert told[0] == "connected"


@pytest.mark.requirement("R-BA5")
async def test_the_stream_of_a_job_keeps_the_contract(tmp_path: Path) -> None:
    async with batch_server(tmp_path) as server:
        operation = job_pb2.ReadDocumentOperation(content=image("flaky one 2").content)
        job = (await server.jobs.SubmitJob(jobs.SubmitJobRequest(read_document=operation))).job
        messages = [m async for m in server.jobs.WatchJob(jobs.WatchJobRequest(job_id=job.job_id))]
    events = [event for message in messages for event in message.events]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    log = PublishedLog([LoggedEvent(event.cursor, event.cursor) for event in events])
    assert check_watch(Watcher((from_responses(messages, ended_by_server=True),)), log) == []
