"""Clients that cancel, die or run out of time, and servers that stop: work ends, nothing stays behind."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import grpc
import pytest
from PIL import Image, ImageDraw, ImageFont

from e2e_suite import LiveSuite, start_suite, stop_suite
from eventually import eventually
from never_blocking import never_blocking
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence.extraction.v1 import extraction_service_pb2_grpc as pb_grpc
from vidence_client import Client, VidenceError
from vidence_client.conformance import check_result_stream
from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.extraction import app
from vidence_server.extraction.domain.events import ExtractionComplete, ExtractionEvent, FieldRead
from vidence_server.extraction.service import ExtractionRequest
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.inference.engine import Engine, EngineSettings, EngineStatistics
from vidence_server.suite.models import load_sessions
from vidence_server.suite_settings import InferenceSettings

LINES = 48


@pytest.fixture(scope="module")
def long_page() -> bytes:
    """A page that takes seconds to read."""
    image = Image.new("RGB", (900, 30 * LINES + 40), "white")
    draw = ImageDraw.Draw(image)
    for number in range(LINES):
        words = f"Line {number} of a page that takes long to read to its end."
        draw.text((30, 20 + 30 * number), words, fill="black", font=ImageFont.load_default(22))
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def idle(statistics: EngineStatistics) -> bool:
    steps = (*statistics.models.values(), *statistics.calls.values())
    return statistics.busy_workers == 0 and all(step.queued == step.running == 0 for step in steps)


def completed(statistics: EngineStatistics) -> int:
    return sum(step.completed for step in statistics.models.values())


def suite_is_idle(suite: LiveSuite) -> bool:
    metrics = suite.metrics()
    waiting = sum(value for (name, _), value in metrics.items() if name.endswith(("_queued", "_running")))
    open_streams = sum(value for (name, _), value in metrics.items() if name == "vidence_streams_open")
    return metrics["vidence_engine_busy_workers", ""] == waiting == open_streams == 0


@pytest.mark.requirement("R-EX1", "R-OP7")
@pytest.mark.parametrize(
    "stage", ["ExtractionStart", "DocumentTypeDetected", "FieldRead", "ExtractionProgress"]
)
async def test_closing_a_reading_stops_it_within_one_model_step(stage: str, long_page: bytes) -> None:
    clock = SystemClock()
    sessions = load_sessions(InferenceSettings(), app.MODELS)
    async with Engine(sessions, EngineSettings(workers=2), clock) as engine:
        service = app.build_service(
            ExtractionSettings(), engine=engine, sessions=sessions, clock=clock, ids=IdFactory(clock)
        )
        request = ExtractionRequest(long_page, "" if stage == "DocumentTypeDetected" else "text")
        async with aclosing(service.extract(request)) as events:
            async for event in events:
                if type(event).__name__ == stage:
                    break
        at_close = completed(engine.statistics())
        await eventually(lambda: idle(engine.statistics()))
        assert completed(engine.statistics()) - at_close <= engine.workers
        assert completed(engine.statistics()) < LINES / 2


@pytest.mark.requirement("R-EX1", "R-ST6")
async def test_reading_never_blocks_the_loop(passport: bytes) -> None:
    clock = SystemClock()
    sessions = load_sessions(InferenceSettings(), app.MODELS)
    async with Engine(sessions, EngineSettings(workers=2), clock) as engine:
        service = app.build_service(
            ExtractionSettings(), engine=engine, sessions=sessions, clock=clock, ids=IdFactory(clock)
        )
        with never_blocking():
            events = [event async for event in service.extract(ExtractionRequest(passport))]
    assert isinstance(events[-1], ExtractionComplete)
    assert events[-1].document.document_type == "passport"


@pytest.mark.requirement("R-EX1")
async def test_a_cancelled_detection_frees_the_engine(long_page: bytes) -> None:
    clock = SystemClock()
    sessions = load_sessions(InferenceSettings(), app.MODELS)
    async with Engine(sessions, EngineSettings(workers=1), clock) as engine:
        service = app.build_service(
            ExtractionSettings(), engine=engine, sessions=sessions, clock=clock, ids=IdFactory(clock)
        )
        found: list[ExtractionEvent] = []

        async def read() -> None:
            async with aclosing(service.extract(ExtractionRequest(long_page))) as events:
                async for event in events:
                    found.append(event)

        reading = asyncio.create_task(read())
        await eventually(lambda: engine.statistics().models["ocr-detector"].running == 1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await eventually(lambda: idle(engine.statistics()))
        assert engine.statistics().models["ocr-detector"].cancelled == 1
        assert not any(isinstance(event, FieldRead) for event in found)


@pytest.mark.requirement("R-EX1", "R-ST1")
@pytest.mark.parametrize("kind", ["connected", "extraction_start", "extraction_field", "extraction_progress"])
async def test_a_client_that_cancels_frees_the_server(suite: LiveSuite, kind: str, long_page: bytes) -> None:
    request = pb.ExtractDocumentRequest(content=long_page, document_type="text")
    async with grpc.aio.insecure_channel(suite.address) as channel:
        call = pb_grpc.ExtractionServiceStub(channel).ExtractDocument(request)
        recorded = []
        async for message in call:
            recorded.append(message)
            if message.WhichOneof("payload") == kind:
                call.cancel()
                break
        assert check_result_stream(recorded, cancelled=True) == []
        await eventually(lambda: suite_is_idle(suite))


@pytest.mark.requirement("R-EX1", "R-ST1")
async def test_a_killed_client_frees_the_server(suite: LiveSuite, tmp_path: Path, long_page: bytes) -> None:
    image = tmp_path / "page.png"
    image.write_bytes(long_page)
    command = [sys.executable, "-m", "vidence_cli", "extract", str(image), "--type", "text", "--json"]
    client = subprocess.Popen([*command, "--server", suite.address], stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    with client.stdout:
        while "extraction_field" not in client.stdout.readline():
            assert client.poll() is None
        client.kill()
        client.wait()
    await eventually(lambda: suite_is_idle(suite))


@pytest.mark.requirement("R-EX1", "R-ST1", "R-ST3")
async def test_a_deadline_ends_the_work_and_says_so(suite: LiveSuite, long_page: bytes) -> None:
    async with Client(suite.address) as client:
        with pytest.raises(VidenceError) as caught:
            async with client.extraction.extract(long_page, timeout=0.6) as stream:
                async for _ in stream:
                    pass
        assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: suite_is_idle(suite))


@pytest.mark.requirement("R-ST3", "R-OP3")
async def test_a_draining_server_fails_what_it_cannot_finish_and_leaves_with_zero(long_page: bytes) -> None:
    suite = start_suite(environ={"VIDENCE_SERVER__DRAIN_GRACE_S": "0.2", "VIDENCE_INFERENCE__WORKERS": "1"})
    request = pb.ExtractDocumentRequest(content=long_page, document_type="text")
    try:
        async with grpc.aio.insecure_channel(suite.address) as channel:
            call = pb_grpc.ExtractionServiceStub(channel).ExtractDocument(request)
            recorded = []
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                async for message in call:
                    recorded.append(message)
                    if message.HasField("extraction_start"):
                        suite.process.terminate()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert check_result_stream(recorded) == []
        assert recorded[-1].extraction_failed.status.code == grpc.StatusCode.UNAVAILABLE.value[0]
        assert await asyncio.to_thread(suite.process.wait, 20) == 0
    finally:
        stop_suite(suite)


@pytest.mark.requirement("R-ST3", "R-OP3")
async def test_a_draining_server_finishes_what_it_can(passport: bytes) -> None:
    suite = start_suite(environ={"VIDENCE_SERVER__DRAIN_GRACE_S": "30"})
    try:
        async with Client(suite.address) as client, client.extraction.extract(passport) as stream:
            recorded = []
            async for message in stream:
                recorded.append(message)
                if message.HasField("extraction_start"):
                    suite.process.terminate()
        assert check_result_stream(recorded) == []
        assert recorded[-1].HasField("extraction_complete")
        assert await asyncio.to_thread(suite.process.wait, 20) == 0
    finally:
        stop_suite(suite)
