"""What the bus is told of readings: of those that end, that are cut off, and that die with their server."""

from __future__ import annotations

import io
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from random import random

import grpc
import pytest
from PIL import Image, ImageDraw, ImageFont

from e2e_suite import LiveSuite, start_suite, stop_suite
from eventually import PATIENCE_S, eventually
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence.extraction.v1 import extraction_events_pb2 as told
from vidence.extraction.v1 import extraction_service_pb2 as extraction_pb
from vidence.extraction.v1 import extraction_service_pb2_grpc as extraction_grpc
from vidence.stream.v1 import stream_control_pb2
from vidence_server.core.clock import SystemClock
from vidence_server.extraction.app import open_records
from vidence_server.extraction.domain.runs import EndedRun, RunState, StartedRun
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.runtime.bus_client import BusClient
from vidence_server.storage.location import StateLocation

LINES = 48
RESPONSE = extraction_pb.ExtractDocumentResponse


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


def start_in(data_dir: Path, *arguments: str, **environ: str) -> LiveSuite:
    live = start_suite(*arguments, environ={"VIDENCE_DATA_DIR": str(data_dir), **environ})
    services = live.logged("listening")["services"]
    assert isinstance(services, list)
    until = time.monotonic() + PATIENCE_S
    while sum(entry.get("event") == "ready" for entry in live.logs) < len(services):
        assert time.monotonic() < until, "a service did not become ready"
        time.sleep(0.01)
    return live


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def told_suite(data_dir: Path) -> Iterator[LiveSuite]:
    live = start_in(data_dir)
    yield live
    stop_suite(live)


@asynccontextmanager
async def events_of(
    suite_or_address: LiveSuite | str, subject: str = ""
) -> AsyncIterator[AsyncIterator[event_pb2.Event]]:
    """The events of extraction from the beginning of the log, then as they come."""
    address = suite_or_address if isinstance(suite_or_address, str) else suite_or_address.address
    wanted = event_pb2.EventFilter(sources=["vidence/extraction"], subject_pattern=subject)
    async with grpc.aio.insecure_channel(address) as channel:
        call = pb_grpc.EventServiceStub(channel).Subscribe(
            pb.SubscribeRequest(position=stream_control_pb2.START_POSITION_EARLIEST, filter=wanted),
            timeout=60,
        )

        async def events() -> AsyncIterator[event_pb2.Event]:
            async for message in call:
                for event in message.events:
                    yield event

        yield events()


async def listed(suite: LiveSuite) -> list[event_pb2.Event]:
    """All events of extraction in the log."""
    wanted = event_pb2.EventFilter(sources=["vidence/extraction"])
    async with grpc.aio.insecure_channel(suite.address) as channel:
        answer = await pb_grpc.EventServiceStub(channel).ListEvents(
            pb.ListEventsRequest(filter=wanted, page_size=1000)
        )
    return list(answer.events)


def states(data_dir: Path) -> dict[str, tuple[str, str]]:
    """State and reason of each run, as another process sees the file."""
    with closing(sqlite3.connect(f"file:{data_dir / 'extraction.db'}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT id, state, reason FROM extraction_runs").fetchall()
    return {key: (state, reason) for key, state, reason in rows}


@pytest.mark.requirement("R-EX9", "R-EV5")
async def test_a_reading_is_told_to_the_bus_once_and_without_what_was_read(
    told_suite: LiveSuite, data_dir: Path, passport: bytes
) -> None:
    async with grpc.aio.insecure_channel(told_suite.address) as channel:
        answer = await extraction_grpc.ExtractionServiceStub(channel).ReadDocument(
            extraction_pb.ReadDocumentRequest(content=passport)
        )
    subject = f"extractions/{answer.extraction_id}"
    async with events_of(told_suite, subject) as events:
        event = await anext(events)
    payload = told.DocumentExtracted()
    assert event.type == "document.extracted"
    assert event.data.Unpack(payload)
    assert (payload.extraction_id, payload.document_type) == (answer.extraction_id, "passport")
    assert payload.field_count == len(answer.document.fields) > 5
    for field in answer.document.fields:
        # Short values (a sex, a year's digits) may be part of any id.
        assert len(field.value) < 5 or field.value.encode() not in event.SerializeToString()
    assert [other.id for other in await listed(told_suite)].count(event.id) == 1
    assert states(data_dir)[answer.extraction_id] == ("COMPLETED", "")


@pytest.mark.requirement("R-EV5", "R-EX9")
async def test_a_cancelled_reading_is_told_as_cancelled(
    told_suite: LiveSuite, data_dir: Path, long_page: bytes
) -> None:
    async with grpc.aio.insecure_channel(told_suite.address) as channel:
        call = extraction_grpc.ExtractionServiceStub(channel).ExtractDocument(
            extraction_pb.ExtractDocumentRequest(content=long_page, document_type="text")
        )
        extraction_id = ""
        async for message in call:
            if message.WhichOneof("payload") == "extraction_start":
                extraction_id = message.extraction_start.extraction_id
                break
        call.cancel()
    async with events_of(told_suite, f"extractions/{extraction_id}") as events:
        event = await anext(events)
    payload = told.ExtractionAborted()
    assert event.type == "extraction.failed"
    assert event.data.Unpack(payload)
    assert (payload.reason, payload.document_type) == ("CANCELLED", "text")
    assert states(data_dir)[extraction_id] == ("CANCELLED", "CANCELLED")


@pytest.mark.requirement("R-EV5", "R-EV6")
async def test_a_reading_that_dies_with_its_server_is_told_once_by_the_next(
    tmp_path: Path, long_page: bytes
) -> None:
    first = start_in(tmp_path)
    try:
        async with grpc.aio.insecure_channel(first.address) as channel:
            call = extraction_grpc.ExtractionServiceStub(channel).ExtractDocument(
                extraction_pb.ExtractDocumentRequest(content=long_page, document_type="text")
            )
            extraction_id = ""
            while not extraction_id and isinstance(message := await call.read(), RESPONSE):
                extraction_id = message.extraction_start.extraction_id
            await eventually(lambda: states(tmp_path).get(extraction_id) == ("STARTED", ""))
            first.process.kill()
            with pytest.raises(grpc.aio.AioRpcError):
                while await call.read() is not grpc.aio.EOF:
                    pass
    finally:
        stop_suite(first)
    for _ in range(2):
        later = start_in(tmp_path)
        try:
            async with events_of(later, f"extractions/{extraction_id}") as events:
                event = await anext(events)
            assert [other.id for other in await listed(later)] == [event.id]
        finally:
            assert stop_suite(later) == 0
        payload = told.ExtractionAborted()
        assert event.data.Unpack(payload)
        assert (event.type, payload.reason) == ("extraction.failed", "SERVER_LOST")
    assert states(tmp_path) == {extraction_id: ("FAILED", "SERVER_LOST")}


@pytest.mark.requirement("R-EV6")
async def test_events_of_a_time_without_a_bus_arrive_when_it_comes(tmp_path: Path) -> None:
    socket = f"unix:{tmp_path}/bus.sock"
    clock = SystemClock()
    async with (
        BusClient(socket) as bus,
        open_records(
            ExtractionSettings(), StateLocation(tmp_path / "extraction"), bus, clock=clock, random=random
        ) as records,
    ):
        for number in range(20):
            run = StartedRun("default", f"ext_{number}", "text", datetime.now(UTC))
            records.store.started(run)
            records.store.ended(EndedRun(run, RunState.COMPLETED, "text", datetime.now(UTC), 0.1))
        await eventually(lambda: records.relay.statistics().failures > 0)
        assert records.relay.statistics().waiting == 20
        suite = start_in(tmp_path / "event", "event", VIDENCE_SERVER__HOST=socket)
        try:
            await eventually(lambda: records.relay.statistics().waiting == 0)
            async with events_of(socket) as events:
                subjects = [(await anext(events)).subject for _ in range(20)]
        finally:
            stop_suite(suite)
    assert subjects == [f"extractions/ext_{number}" for number in range(20)]
