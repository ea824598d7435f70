"""Result streams over a real server: clients that go away, deadlines, drains, limits."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator

import grpc
import pytest

from eventually import PATIENCE_S, eventually
from fakes.extraction_servicer import complete, responses, start
from fakes.runtime import (
    SERVICE,
    Response,
    Work,
    captured_logs,
    error_info,
    extraction_server,
    open_work,
    record,
    retry_info,
    soon,
)
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence.extraction.v1 import extraction_service_pb2_grpc as pb_grpc
from vidence_client.conformance import check_result_stream
from vidence_server.runtime.server import RpcServer

REQUEST = pb.ExtractDocumentRequest()


def tasks_of_sources() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("source of")]


async def until_empty(server: RpcServer) -> None:
    await eventually(lambda: server.result_streams.statistics().open == 0)


@pytest.mark.requirement("R-EX1", "R-ST3")
async def test_cancelling_the_call_ends_the_work() -> None:
    work = Work()
    with captured_logs() as logs:
        async with extraction_server(work) as running:
            call = running.extraction.ExtractDocument(REQUEST)
            seen = [await call.read(), await call.read()]
            await soon(work.started)
            call.cancel()
            await soon(work.closed)
            await until_empty(running.server)
            assert tasks_of_sources() == []
            assert running.stream_metric("vidence_streams_closed_total", reason="CANCELLED") == 1
            await eventually(lambda: running.stream_metric("vidence_rpcs_total", code="CANCELLED") == 1)
    assert check_result_stream([one for one in seen if isinstance(one, Response)], cancelled=True) == []
    assert logs.of("stream closed")[0]["reason"] == "CANCELLED"


@pytest.mark.requirement("R-EX1")
async def test_cancelling_while_the_writer_is_held_back_ends_the_work() -> None:
    closed = asyncio.Event()

    async def flood(request: pb.ExtractDocumentRequest) -> AsyncIterator[Response]:
        size = start().image_size
        try:
            while True:
                yield Response(
                    extraction_start=pb.ExtractionStart(extraction_id="ext_" + "x" * 60_000, image_size=size)
                )
        finally:
            closed.set()

    async with extraction_server(flood, stream_buffer=2) as running:
        call = running.extraction.ExtractDocument(REQUEST)
        await call.read()
        await eventually(lambda: running.server.result_streams.statistics().buffered == 2)
        call.cancel()
        await soon(closed)
        await until_empty(running.server)
        assert tasks_of_sources() == []


async def test_a_source_is_closed_in_the_task_that_ran_it() -> None:
    tasks: list[object] = []
    waiting = asyncio.Event()
    closed = asyncio.Event()

    async def source(request: pb.ExtractDocumentRequest) -> AsyncIterator[Response]:
        async with asyncio.TaskGroup() as group:
            tasks.append(asyncio.current_task())
            group.create_task(asyncio.sleep(3600))
            try:
                yield responses(start())[0]
                waiting.set()
                await asyncio.Event().wait()
            finally:
                tasks.append(asyncio.current_task())
                closed.set()

    async with extraction_server(source) as running:
        call = running.extraction.ExtractDocument(REQUEST)
        await soon(waiting)
        call.cancel()
        await soon(closed)
        await until_empty(running.server)
    assert tasks[0] is tasks[1]


@pytest.mark.requirement("R-ST7")
async def test_a_client_that_disappears_is_noticed_and_its_work_ends() -> None:
    work = Work()
    async with extraction_server(work, heartbeat_period_s=0.05) as running:
        channel = grpc.aio.insecure_channel(running.server.address)
        call = pb_grpc.ExtractionServiceStub(channel).ExtractDocument(REQUEST)
        await call.read()
        await soon(work.started)
        await channel.close()
        await soon(work.closed)
        await until_empty(running.server)


@pytest.mark.requirement("R-EX1")
async def test_a_passed_deadline_ends_the_work() -> None:
    work = Work()
    async with extraction_server(work) as running:
        seen = await record(running.extraction.ExtractDocument(REQUEST, timeout=0.2))
        assert seen.code is grpc.StatusCode.DEADLINE_EXCEEDED
        await soon(work.closed)
        await until_empty(running.server)
        assert running.stream_metric("vidence_streams_closed_total", reason="DEADLINE_EXCEEDED") == 1


@pytest.mark.requirement("R-ST3")
async def test_a_draining_server_lets_streams_finish_within_its_grace() -> None:
    work = Work()
    async with extraction_server(work) as running:
        reading = asyncio.create_task(record(running.extraction.ExtractDocument(REQUEST)))
        await soon(work.started)
        draining = asyncio.create_task(running.server.drain(30))
        refused = await record(running.extraction.ExtractDocument(REQUEST))
        work.gate.set()
        seen = await reading
        await draining
    assert refused.messages == []
    assert error_info(refused.status).reason == "DRAINING"
    assert seen.kinds[-1] == "extraction_complete"
    assert seen.code is grpc.StatusCode.OK


@pytest.mark.requirement("R-ST3")
async def test_a_drain_fails_the_streams_that_outlast_its_grace() -> None:
    work = Work()
    async with extraction_server(work, retry_delay_s=4) as running:
        reading = asyncio.create_task(record(running.extraction.ExtractDocument(REQUEST)))
        await soon(work.started)
        await running.server.drain(0.05)
        seen = await reading
        assert work.closed.is_set()
        assert running.stream_metric("vidence_streams_closed_total", reason="DRAINING") == 1
    assert seen.kinds[-1] == "extraction_failed"
    assert seen.code is grpc.StatusCode.UNAVAILABLE
    assert seen.messages[-1].extraction_failed.status == seen.status
    assert error_info(seen.status).reason == "DRAINING"
    assert retry_info(seen.status).retry_delay.seconds == 4
    assert check_result_stream(seen.messages) == []


async def test_unary_calls_are_answered_while_the_server_drains() -> None:
    work = Work()
    async with extraction_server(work) as running:
        reading = asyncio.create_task(record(running.extraction.ExtractDocument(REQUEST)))
        await soon(work.started)
        draining = asyncio.create_task(running.server.drain(30))
        await record(running.extraction.ExtractDocument(REQUEST))  # refused: the drain has begun
        answer = await running.extraction.ListDocumentTypes(pb.ListDocumentTypesRequest())
        assert answer.document_types[0].key == "passport"
        work.gate.set()
        await asyncio.gather(reading, draining)


async def test_a_server_that_is_left_without_a_drain_ends_its_streams_and_their_work() -> None:
    work = Work()
    async with extraction_server(work) as running:
        reading = asyncio.create_task(record(running.extraction.ExtractDocument(REQUEST)))
        await soon(work.started)
        await running.server.stop(0)
        await soon(work.closed)
        assert (await reading).code is not grpc.StatusCode.OK


@pytest.mark.requirement("R-ST7")
async def test_one_stream_more_than_the_limit_is_refused_until_one_ends() -> None:
    work = Work()
    async with extraction_server(work, max_streams=2, retry_delay_s=3) as running:
        stub = running.extraction
        calls = [stub.ExtractDocument(REQUEST), stub.ExtractDocument(REQUEST)]
        for call in calls:
            await call.read()
        refused = await record(stub.ExtractDocument(REQUEST))
        assert refused.messages == []
        assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error_info(refused.status).reason == "STREAM_LIMIT"
        assert dict(error_info(refused.status).metadata) == {"limit": "2"}
        assert retry_info(refused.status).retry_delay.seconds == 3
        assert running.stream_metric("vidence_streams_refused_total", reason="STREAM_LIMIT") == 1
        calls[0].cancel()
        await eventually(lambda: running.metric("vidence_server_service_open_streams", service=SERVICE) == 1)
        work.gate.set()
        assert (await record(stub.ExtractDocument(REQUEST))).kinds[-1] == "extraction_complete"


@pytest.mark.requirement("R-ST11")
async def test_streams_are_counted_and_logged() -> None:
    with captured_logs() as logs:
        async with extraction_server(open_work(ending=(complete(),))) as running:
            call = running.extraction.ExtractDocument(REQUEST)
            seen = await record(call)
            await until_empty(running.server)
            assert running.stream_metric("vidence_streams_opened_total") == 1
            assert running.stream_metric("vidence_streams_open") == 0
            assert running.stream_metric("vidence_streams_closed_total", reason="COMPLETE") == 1
            assert running.stream_metric("vidence_stream_messages_sent_total") == len(seen.messages)
            assert running.stream_metric("vidence_stream_duration_seconds_count") == 1
    connection_id = seen.messages[0].connected.connection_id
    (opened,) = logs.of("stream opened")
    (closed,) = logs.of("stream closed")
    assert opened["connection_id"] == closed["connection_id"] == connection_id
    assert (closed["reason"], closed["sent"]) == ("COMPLETE", len(seen.messages))


@pytest.mark.requirement("R-ST6")
async def test_a_drain_is_not_held_up_by_a_client_that_does_not_read() -> None:
    closed = asyncio.Event()

    async def flood(request: pb.ExtractDocumentRequest) -> AsyncIterator[Response]:
        big = pb.ExtractionStart(extraction_id="ext_" + "x" * 60_000, image_size=start().image_size)
        try:
            while True:
                yield Response(extraction_start=big)
        finally:
            closed.set()

    async with extraction_server(flood, stream_buffer=2) as running:
        call = running.extraction.ExtractDocument(REQUEST)
        await call.read()
        await eventually(lambda: running.server.result_streams.statistics().buffered == 2)
        await asyncio.wait_for(running.server.drain(0), PATIENCE_S)
        await soon(closed)
        await until_empty(running.server)


FROZEN_CLIENT = """
import sys
import grpc
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence.extraction.v1 import extraction_service_pb2_grpc as pb_grpc

channel = grpc.insecure_channel(sys.argv[1])
for message in pb_grpc.ExtractionServiceStub(channel).ExtractDocument(pb.ExtractDocumentRequest()):
    print(message.sequence, flush=True)
"""


@pytest.mark.requirement("R-ST7")
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "killed"])
async def test_a_client_process_that_stops_or_dies_is_found_and_its_work_ends(number: signal.Signals) -> None:
    work = Work()
    async with extraction_server(work, keepalive_time_s=1, keepalive_timeout_s=1) as running:
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", FROZEN_CLIENT, running.server.address, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert client.stdout is not None
            assert await asyncio.wait_for(client.stdout.readline(), PATIENCE_S) == b"1\n"
            client.send_signal(number)
            await soon(work.closed)
            await until_empty(running.server)
        finally:
            if client.returncode is None:
                client.kill()
            await client.communicate()
