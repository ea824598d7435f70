"""Watching goes on, whatever becomes of the source, the models or the snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from eventually import eventually
from fakes.monitor import FixedSnapshots, ListJournal, OneKnown, ScriptedFaces, ScriptedVideo, failed, picture
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.monitor.domain.appearances import (
    LeaveReason,
    PersonAppeared,
    PersonIdentified,
    PersonLeft,
)
from vidence_server.monitor.ports import OpenSource, VideoSource
from vidence_server.monitor.service import Monitor, Source, Surroundings
from vidence_server.monitor.settings import MonitorSettings


class Stage:
    """A monitor and what it told.

    Args:
        opening: What each opening of the source gives, the last one again and again.
        live: Whether it is a camera.
        settings: Over those that suit tests.
    """

    def __init__(self, *opening: VideoSource | None, live: bool = False, **settings: Any) -> None:
        clock = SystemClock()
        self.journal = ListJournal()
        self.snapshots = FixedSnapshots("img_1", lambda: len(self.journal.told))
        self.faces = ScriptedFaces()
        self.opened = 0
        videos: Iterator[VideoSource | None] = iter(opening)

        def open_source() -> VideoSource | None:
            self.opened += 1
            return next(videos, opening[-1])

        defaults: dict[str, Any] = {"file_speed": "fast", "retry_first_s": 0.001, "retry_max_s": 0.01}
        opens: OpenSource = open_source
        self.monitor = Monitor(
            Source(opens, live),
            Surroundings(
                faces=self.faces,
                gallery=OneKnown(),
                snapshots=self.snapshots,
                journal=self.journal,
                clock=clock,
                ids=IdFactory(clock),
                random=lambda: 0.5,
            ),
            MonitorSettings(**(defaults | settings)),
        )


def walk() -> ScriptedVideo:
    """Person 1 for two seconds, then person 2 too for two, then nobody for five; ten frames a second."""
    return ScriptedVideo([picture(1)] * 20 + [picture(1, 3)] * 20 + [picture()] * 50)


@pytest.mark.requirement("R-CA9")
async def test_people_of_a_video_appear_are_identified_and_leave() -> None:
    stage = Stage(walk())
    await stage.monitor.run()
    assert stage.journal.kinds == ["Appeared", "Identified", "Appeared", "Left", "Left"]
    appeared, identified, _, left, _ = stage.journal.told
    assert isinstance(appeared, PersonAppeared)
    assert isinstance(identified, PersonIdentified)
    assert isinstance(left, PersonLeft)
    assert appeared.appearance_id == identified.appearance_id == left.appearance_id
    assert (identified.name, identified.threshold, identified.model) == ("Ada", 0.4, stage.faces.model)
    assert appeared.snapshot is not None
    assert (left.last_seen - left.first_seen).total_seconds() == pytest.approx(3.9, abs=0.01)
    numbers = stage.monitor.statistics()
    assert (numbers.appeared, numbers.identified, numbers.left, numbers.present) == (2, 1, 2, 0)
    assert (numbers.frames_analysed, numbers.frames_dropped, numbers.source_open) == (90, 0, 0)


@pytest.mark.requirement("R-CA9", "R-OP5")
async def test_a_picture_is_noted_as_somebodys_before_anybody_is_told_who_it_is() -> None:
    stage = Stage(walk())
    await stage.monitor.run()
    assert stage.snapshots.named == [("Ada", stage.journal.kinds.index("Identified"))]
    without = Stage(walk())
    without.snapshots.image_id = ""
    await without.monitor.run()
    assert without.snapshots.named == []
    assert "Identified" in without.journal.kinds


@pytest.mark.requirement("R-CA9", "R-OP5")
async def test_nobody_is_named_while_the_picture_can_neither_be_noted_nor_removed() -> None:
    stage = Stage(walk())
    stage.snapshots.refuses = True
    await stage.monitor.run()
    assert stage.journal.kinds == ["Appeared", "Appeared", "Left", "Left"]
    assert stage.monitor.statistics().identified == 0


@pytest.mark.requirement("R-CA9")
async def test_the_end_of_a_video_ends_who_is_there() -> None:
    stage = Stage(ScriptedVideo([picture(2)] * 20))
    await stage.monitor.run()
    last = stage.journal.told[-1]
    assert isinstance(last, PersonLeft)
    assert last.reason is LeaveReason.SOURCE_ENDED


@pytest.mark.requirement("R-CA9")
@pytest.mark.parametrize("video", [None, ScriptedVideo([])])
async def test_a_file_that_is_no_video_is_refused(video: VideoSource | None) -> None:
    with pytest.raises(DomainError) as caught:
        await Stage(video).monitor.run()
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


@pytest.mark.requirement("R-CA9")
async def test_frames_that_cannot_be_looked_at_are_counted_and_the_next_are() -> None:
    stage = Stage(walk())
    stage.faces.failures = [failed() for _ in range(3)]
    with capture_logs() as logs:
        await stage.monitor.run()
    assert stage.journal.kinds == ["Appeared", "Identified", "Appeared", "Left", "Left"]
    assert stage.monitor.statistics().frames_failed == 3
    assert [entry["reason"] for entry in logs if "reason" in entry] == ["QUEUE_FULL"]


@pytest.mark.requirement("R-CA9")
async def test_a_broken_camera_is_opened_again_until_it_works() -> None:
    camera = ScriptedVideo([picture(2)] * 3, fps=None, hang=True)
    stage = Stage(None, None, ScriptedVideo([picture()], fps=None), camera, live=True)
    running = asyncio.create_task(stage.monitor.run())
    await eventually(camera.hanging.is_set)
    await eventually(lambda: stage.monitor.statistics().source_open == 1)
    assert stage.opened == 4
    assert stage.monitor.statistics().source_failures == 3
    camera.let_go.set()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.requirement("R-CA9")
async def test_who_was_there_when_the_camera_broke_is_let_go_after_a_while() -> None:
    camera = ScriptedVideo([picture(2)] * 3, fps=None)
    stage = Stage(camera, None, live=True, appear_s=0, appear_frames=1, leave_s=1.0)
    running = asyncio.create_task(stage.monitor.run())
    await eventually(lambda: stage.journal.kinds == ["Appeared", "Left"])
    last = stage.journal.told[-1]
    assert isinstance(last, PersonLeft)
    assert last.reason is LeaveReason.SOURCE_LOST
    assert (last.time - last.last_seen).total_seconds() >= 0.9
    running.cancel()
    await asyncio.wait({running})


@pytest.mark.requirement("R-CA9")
async def test_a_silent_camera_is_opened_again() -> None:
    silent = ScriptedVideo([], fps=None, hang=True)
    stage = Stage(silent, live=True, stall_s=0.01)
    running = asyncio.create_task(stage.monitor.run())
    await eventually(silent.hanging.is_set)
    silent.let_go.set()
    await eventually(lambda: stage.opened > 1)
    running.cancel()
    await asyncio.wait({running})


@pytest.mark.requirement("R-CA9")
async def test_a_monitor_that_is_stopped_says_so_of_who_is_there() -> None:
    camera = ScriptedVideo([picture(2)], fps=None, hang=True)
    stage = Stage(camera, live=True, appear_s=0, appear_frames=1)
    running = asyncio.create_task(stage.monitor.run())
    await eventually(lambda: stage.journal.kinds == ["Appeared"])
    assert list(stage.journal.last) == [stage.journal.told[0].appearance_id]
    camera.let_go.set()
    running.cancel()
    await asyncio.wait({running})
    last = stage.journal.told[-1]
    assert isinstance(last, PersonLeft)
    assert last.reason in {LeaveReason.STOPPED, LeaveReason.SOURCE_LOST}
