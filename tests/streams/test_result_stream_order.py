"""Result streams over a real server: how they open, what keeps them alive, how they are numbered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from eventually import eventually
from fakes.extraction_servicer import NUMBER, complete, duration, progress, responses, start
from fakes.runtime import Response, Work, extraction_server, open_work, record, soon
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence_client.conformance import check_result_stream

PERIOD_S = 0.05


class StandingClock:
    """A clock that tests turn, also backwards."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 1, 1, tzinfo=UTC)
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds


@pytest.mark.requirement("R-ST1", "R-ST3")
async def test_a_reading_keeps_every_guarantee_of_a_result_stream() -> None:
    async with extraction_server(open_work()) as running:
        seen = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest()))
    assert seen.kinds == [
        "connected",
        "extraction_start",
        "extraction_progress",
        "extraction_progress",
        "extraction_complete",
    ]
    assert check_result_stream(seen.messages) == []


@pytest.mark.requirement("R-ST3")
async def test_connected_arrives_before_the_work_has_said_anything() -> None:
    work = Work()
    async with extraction_server(work, heartbeat_period_s=7, retry_delay_s=2) as running:
        call = running.extraction.ExtractDocument(pb.ExtractDocumentRequest())
        first = await call.read()
        assert isinstance(first, Response)
        assert first.connected.connection_id.startswith("con_")
        assert first.connected.heartbeat_period == duration(7)
        assert first.connected.retry_delay == duration(2)
        work.gate.set()
        assert (await record(call)).kinds[-1] == "extraction_complete"


async def test_a_client_may_ask_for_another_heartbeat_period() -> None:
    async with extraction_server(open_work()) as running:
        options = pb.ExtractionOptions(heartbeat_period=duration(2))
        seen = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest(options=options)))
    assert seen.messages[0].connected.heartbeat_period == duration(2)


@pytest.mark.requirement("R-ST5")
async def test_a_quiet_stream_shows_that_it_is_alive() -> None:
    work = Work()
    async with extraction_server(work, heartbeat_period_s=PERIOD_S) as running:
        call = running.extraction.ExtractDocument(pb.ExtractDocumentRequest())
        seen: list[Response] = []
        async for message in call:
            seen.append(message)
            if message.WhichOneof("payload") == "heartbeat" and message.sequence == 5:
                work.gate.set()
    assert [message.WhichOneof("payload") for message in seen[2:5]] == ["heartbeat"] * 3
    times = [message.emit_time.ToNanoseconds() / 1e9 for message in seen]
    assert all(later - earlier >= PERIOD_S * 0.9 for earlier, later in pairwise(times[1:5]))
    assert check_result_stream(seen) == []


@pytest.mark.requirement("R-ST5")
async def test_a_busy_stream_has_no_heartbeats_however_long_it_lasts() -> None:
    clock = StandingClock()

    async def busy(request: pb.ExtractDocumentRequest) -> AsyncIterator[Response]:
        for response in responses(start(), *(progress(done, 200) for done in range(200)), complete(NUMBER)):
            clock.seconds += 0.9  # of a period of 1 s
            yield response
            await asyncio.sleep(0)

    async with extraction_server(busy, heartbeat_period_s=1, clock=clock, stream_buffer=1) as running:
        seen = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest()))
    assert len(seen.messages) == 203
    assert "heartbeat" not in seen.kinds


@pytest.mark.requirement("R-ST1")
async def test_emission_times_never_fall_when_the_clock_is_set_back() -> None:
    clock = StandingClock()

    async def source(request: pb.ExtractDocumentRequest) -> AsyncIterator[Response]:
        for year, response in zip(
            (2026, 2025, 2027), responses(start(), progress(1, 1), complete()), strict=True
        ):
            clock.wall = datetime(year, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
            yield response
            await asyncio.sleep(0)

    async with extraction_server(source, clock=clock) as running:
        seen = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest()))
    times = [message.emit_time.ToNanoseconds() for message in seen.messages]
    assert times == sorted(times)
    assert times[-1] == int(datetime(2027, 6, 1, 12, tzinfo=UTC).timestamp()) * 10**9 + 123_456_000


@pytest.mark.requirement("R-ST6")
async def test_a_source_waits_when_its_reader_does_not_read() -> None:
    released = asyncio.Event()
    most = 0
    async with extraction_server(lambda request: flood(), stream_buffer=4) as running:
        streams = running.server.result_streams

        async def flood() -> AsyncIterator[Response]:
            nonlocal most
            try:
                while True:
                    most = max(most, streams.statistics().buffered)
                    yield Response(
                        extraction_start=pb.ExtractionStart(
                            extraction_id="ext_" + "x" * 60_000, image_size=start().image_size
                        )
                    )
            finally:
                released.set()

        call = running.extraction.ExtractDocument(pb.ExtractDocumentRequest())
        await call.read()
        await eventually(lambda: streams.statistics().buffered == 4)
        call.cancel()
        await soon(released)
    # One message is in the hands of the source while it waits for a place, so it sees at most a full buffer.
    assert most == 4


@pytest.mark.requirement("R-EX6", "R-ST1")
async def test_streams_side_by_side_do_not_mix() -> None:
    async def source(request: pb.ExtractDocumentRequest) -> AsyncIterator[Response]:
        for done in range(20):
            yield Response(extraction_progress=progress(int(request.document_type) + done, 1000))
            await asyncio.sleep(0)
        yield Response(extraction_complete=complete(NUMBER))

    async with extraction_server(source) as running:
        seen = await asyncio.gather(
            *(
                record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest(document_type=str(base))))
                for base in range(0, 500, 50)
            )
        )
    for base, one in zip(range(0, 500, 50), seen, strict=True):
        done = [m.extraction_progress.done for m in one.messages if m.HasField("extraction_progress")]
        assert done == list(range(base, base + 20))
        assert [message.sequence for message in one.messages] == list(range(1, 23))
    assert len({one.messages[0].connected.connection_id for one in seen}) == 10
