"""Frames from a thread to a loop: the newest wins, nothing hangs."""

from __future__ import annotations

import asyncio

import pytest

from eventually import eventually
from fakes.inference import TurnableClock
from fakes.monitor import ScriptedVideo, picture
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.monitor.domain.pace import Pace
from vidence_server.monitor.reader import FrameReader, ReaderCounts, SourceFailedError
from vidence_server.monitor.sources import open_source, parse_source

FAST = Pace(max_fps=60, as_recorded=False)
PATIENCE_S = 60.0


async def all_of(reader: FrameReader) -> list[float]:
    found = []
    while (frame := await reader.next(PATIENCE_S)) is not None:
        assert frame.position_s is not None
        found.append(frame.position_s)
    return found


@pytest.mark.requirement("R-CA9")
async def test_a_video_that_is_not_paced_loses_no_frame() -> None:
    video, counts = ScriptedVideo([picture()] * 50), ReaderCounts()
    async with FrameReader(lambda: video, FAST, clock=SystemClock(), counts=counts) as reader:
        found = await all_of(reader)
        assert await reader.next(PATIENCE_S) is None  # and again
    assert found == [pytest.approx(number / 10) for number in range(50)]
    assert (counts.read, counts.dropped, counts.skipped) == (50, 0, 0)
    assert video.released.is_set()


@pytest.mark.requirement("R-CA9")
async def test_frames_between_those_wanted_are_skipped() -> None:
    video, counts = ScriptedVideo([picture()] * 90, fps=30), ReaderCounts()
    pace = Pace(max_fps=10, as_recorded=False)
    async with FrameReader(lambda: video, pace, clock=SystemClock(), counts=counts) as reader:
        found = await all_of(reader)
    assert found == [pytest.approx(number / 10) for number in range(30)]
    assert (counts.read, counts.skipped) == (90, 60)


@pytest.mark.requirement("R-CA9")
async def test_of_a_live_source_the_newest_frame_wins_and_the_others_are_counted() -> None:
    video = ScriptedVideo([picture(number) for number in range(1, 6)], fps=None, hang=True)
    counts = ReaderCounts()

    class Ticking(TurnableClock):
        def monotonic(self) -> float:
            self.advance(1)
            return super().monotonic()

    async with FrameReader(lambda: video, Pace(), clock=Ticking(), counts=counts) as reader:
        await eventually(video.hanging.is_set)
        frame = await reader.next(PATIENCE_S)
        assert frame is not None
        assert frame.pixels[0, 0, 0] == 5
        assert (counts.read, counts.dropped, frame.position_s) == (5, 4, None)
        video.let_go.set()
        assert await reader.next(PATIENCE_S) is None


@pytest.mark.requirement("R-CA9")
async def test_a_video_runs_at_its_own_speed() -> None:
    loop = asyncio.get_running_loop()
    video, begin_s = ScriptedVideo([picture()] * 4, fps=20), loop.time()
    pace = Pace(max_fps=20)
    async with FrameReader(lambda: video, pace, clock=SystemClock(), counts=ReaderCounts()) as reader:
        frames = []
        while (frame := await reader.next(PATIENCE_S)) is not None:
            frames.append(frame)
    assert loop.time() - begin_s >= 0.15
    assert (frames[-1].time - frames[0].time).total_seconds() == pytest.approx(
        frames[-1].at_s - frames[0].at_s, abs=1e-5
    )


@pytest.mark.requirement("R-CA9")
async def test_pixels_that_cannot_be_had_are_counted_and_left_out() -> None:
    video, counts = ScriptedVideo([picture(), None, picture()]), ReaderCounts()
    async with FrameReader(lambda: video, FAST, clock=SystemClock(), counts=counts) as reader:
        assert await all_of(reader) == [0.0, pytest.approx(0.2)]
    assert counts.unreadable == 1


@pytest.mark.requirement("R-CA9")
async def test_what_cannot_be_opened_and_what_falls_silent_is_said() -> None:
    clock = SystemClock()
    async with FrameReader(lambda: None, FAST, clock=clock, counts=ReaderCounts()) as reader:
        with pytest.raises(SourceFailedError, match="not opened"):
            await reader.next(PATIENCE_S)
    video = ScriptedVideo([], fps=None, hang=True)
    async with FrameReader(lambda: video, FAST, clock=clock, counts=ReaderCounts()) as reader:
        with pytest.raises(SourceFailedError, match="silent"):
            await reader.next(0.01)
        video.let_go.set()
    await eventually(video.released.is_set)


@pytest.mark.requirement("R-CA9")
async def test_a_reader_that_waits_for_its_frame_to_be_taken_ends_with_its_context() -> None:
    video = ScriptedVideo([picture()] * 50)
    async with FrameReader(lambda: video, FAST, clock=SystemClock(), counts=ReaderCounts()) as reader:
        await reader.next(PATIENCE_S)
    assert video.released.is_set()


@pytest.mark.requirement("R-CA9")
def test_sources_are_told_apart_and_show_no_password(tmp_path: object) -> None:
    stream = parse_source("rtsp://user:SECRET@camera.example/1")
    assert (stream.kind, stream.live) == ("stream", True)
    assert "SECRET" not in repr(stream)
    assert parse_source("camera:0").live
    assert not parse_source(__file__).live
    for wrong in ("camera:x", "nothing-here.mp4", "ftp://x/y"):
        with pytest.raises(DomainError) as caught:
            parse_source(wrong)
        assert caught.value.reason is Reason.CONFIGURATION_INVALID


@pytest.mark.requirement("R-CA9")
def test_a_text_is_no_video() -> None:
    assert open_source(parse_source(__file__)) is None
