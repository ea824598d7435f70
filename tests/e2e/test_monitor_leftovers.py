"""What a monitor kept for a while goes in time, though the monitor does not run any more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from e2e_suite import start_suite, stop_suite
from eventually import eventually
from fakes.monitor_pictures import keep_picture
from vidence_server.monitor.app import images_of

pytestmark = [pytest.mark.timeout(200), pytest.mark.requirement("R-CA9", "R-OP5")]


async def test_the_capture_service_removes_expired_pictures_of_a_monitor_that_is_gone(tmp_path: Path) -> None:
    await keep_picture(tmp_path, "person-4711", keep_for=timedelta(seconds=-1))
    kept = await keep_picture(tmp_path)
    folder = tmp_path / images_of("default")
    assert len(list(folder.iterdir())) == 3  # two pictures, and whom one of them shows
    running = start_suite("capture", environ={"VIDENCE_DATA_DIR": str(tmp_path)})
    try:
        await eventually(lambda: len(list(folder.iterdir())) == 1, within_s=60)
    finally:
        stop_suite(running)
    assert [file.name for file in folder.iterdir()] == [kept.replace("img_", "blb_")]
