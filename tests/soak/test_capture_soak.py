"""A hundred sessions with the real models: each ends, sees its own, and memory stays where it is."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from fakes.capture import Camera, RunningCapture
from fakes.capture_models import capture_with_models, frames_of, person_before_a_camera
from fakes.capture_story import judged, record
from vidence.capture.v1 import session_pb2

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
SESSIONS = int(os.environ.get("SOAK_CAPTURE_SESSIONS", "100"))
ROUNDS = 3
SLOWEST_S = 3000.0
GROWTH_MIB = 24.0
"""Between the first round and the last: room for a heap in pieces; one picture kept a session is more."""
UNHURRIED = {"stall_s": 600.0, "session_ttl_s": 3600.0, "ended_kept_s": 0.0, "image_ttl_s": 1.0}


def rss_mib() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (told,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(told) / 1024


async def film(camera: Camera, frames: list[bytes]) -> session_pb2.Session:
    """One person before one camera until the session ends; what its watcher was told at last."""
    watching = asyncio.create_task(record(camera, within_s=SLOWEST_S))
    over = {session_pb2.SESSION_STATE_COMPLETED, session_pb2.SESSION_STATE_CAPTURED}
    for content in frames:
        if (await camera.push(content)).state in over:
            break
    messages = await watching
    assert judged(messages) == []
    events = [event for message in messages for event in message.events]
    assert {event.session_id for event in events} == {camera.session_id}
    return events[-1].session_end.session


async def play(server: RunningCapture, frames: list[bytes]) -> None:
    cameras = [
        await server.create("FACE", liveness=session_pb2.LivenessPlan(passive=True)) for _ in range(SESSIONS)
    ]
    ends = await asyncio.gather(*(film(camera, frames) for camera in cameras))
    assert {end.state for end in ends} == {session_pb2.SESSION_STATE_COMPLETED}
    assert {end.id for end in ends} == {camera.session_id for camera in cameras}
    assert server.capture.service.book.active_count == 0


@pytest.mark.requirement("R-ST8", "R-CA1", "R-CA7")
async def test_a_hundred_sessions_with_models_end_and_leave_nothing(tmp_path: Path) -> None:
    frames = frames_of(person_before_a_camera(), 12)
    used: list[float] = []
    async with capture_with_models(tmp_path, **UNHURRIED) as server:
        for _ in range(ROUNDS):
            await play(server, frames)
            await server.capture.service.book.sweep()
            assert len(server.capture.service.book) == 0
            used.append(rss_mib())
    sys.stdout.write(f"{SESSIONS} sessions a round, MiB after each: {[round(one) for one in used]}\n")
    assert used[-1] - used[0] < GROWTH_MIB
