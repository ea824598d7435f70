"""A camera that speaks RTSP, read by OpenCV as it is in use: watched, lost, and found again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest

from eventually import eventually
from fakes.monitor import FixedSnapshots, ListJournal, OneKnown, face, template
from fakes.rtsp_camera import rtsp_camera
from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.monitor.domain.appearances import LeaveReason, PersonLeft
from vidence_server.monitor.service import Monitor, Source, Surroundings
from vidence_server.monitor.settings import MonitorSettings
from vidence_server.monitor.sources import open_source, parse_source
from vidence_server.vision.faces.face import Face, Template
from vidence_server.vision.image import Pixels

SOMEBODY = np.full((240, 320, 3), 200, np.uint8)
NOBODY = np.full((240, 320, 3), 20, np.uint8)
LONG_S = 60.0
"""OpenCV waits up to 5 s to open a stream, and other tests want the cores."""


class BrightFaces:
    """Sees one person in a bright picture; JPEG leaves nothing finer as it was."""

    model = "face-embedder@000000000000"

    async def detect(self, pixels: Pixels) -> Sequence[Face]:
        return [face(100)] if pixels.mean() > 100 else []

    async def embed(self, pixels: Pixels, faces: Sequence[Face]) -> Sequence[Template]:
        return [template(1) for _ in faces]


@pytest.mark.requirement("R-CA9")
async def test_an_rtsp_camera_is_watched_lost_and_found_again() -> None:
    clock, journal = SystemClock(), ListJournal()
    async with rtsp_camera(NOBODY) as camera:
        monitor = Monitor(
            Source(partial(open_source, parse_source(camera.url)), live=True),
            Surroundings(
                faces=BrightFaces(),
                gallery=OneKnown(),
                snapshots=FixedSnapshots(),
                journal=journal,
                clock=clock,
                ids=IdFactory(clock),
                random=lambda: 0.5,
            ),
            MonitorSettings(retry_first_s=0.1, retry_max_s=0.5, leave_s=2),
        )
        watching = asyncio.create_task(monitor.run())
        try:
            await eventually(lambda: monitor.statistics().frames_analysed > 0, within_s=LONG_S)
            camera.show = SOMEBODY
            await eventually(lambda: "Identified" in journal.kinds, within_s=LONG_S)
            await asyncio.to_thread(camera.stop)
            # Tried again and again, with longer and longer pauses; who was there is let go meanwhile.
            await eventually(lambda: monitor.statistics().source_failures >= 3, within_s=LONG_S)
            await eventually(lambda: "Left" in journal.kinds, within_s=LONG_S)
            assert monitor.statistics().source_open == 0
            camera.start()
            await eventually(lambda: journal.kinds.count("Identified") == 2, within_s=LONG_S)
            assert camera.played == 2
        finally:
            watching.cancel()
            await asyncio.wait({watching})
    first_left = next(change for change in journal.told if isinstance(change, PersonLeft))
    assert first_left.reason in {LeaveReason.SOURCE_LOST, LeaveReason.LEFT}
    assert journal.kinds == ["Appeared", "Identified", "Left"] * 2
