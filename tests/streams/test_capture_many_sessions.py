"""Many sessions at once: each sees its own, all end, memory stays small."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from eventually import eventually
from fakes.capture import Camera, capture_server
from fakes.capture_scripts import scripted
from fakes.capture_story import judged, record, story
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import session_pb2
from vidence_server.capture.domain.plan import SessionPlan
from vidence_server.capture.domain.states import Target
from vidence_server.capture.frames import IncomingFrame
from vidence_server.capture.numbers import CreatedSession
from vidence_server.capture.ports import EncodedPicture

SLOWEST_S = 1500.0
MOST_KIB = 512.0
"""Bound of the memory of one session with its watcher: so many fit into half a gigabyte."""


LONG = [pytest.mark.soak, pytest.mark.timeout(1800)]
UNHURRIED: dict[str, Any] = {"stall_s": 600.0, "session_ttl_s": 3600.0, "max_sessions": 3000}
"""How slowly frames come depends on the machine here; what happens must not."""
ROOM = {"max_streams": 4000, "max_streams_per_connection": 4000}


OF_SPEED = {"no_frames", "frames_superseded"}
"""Warnings that tell how slowly frames come and are looked at here."""


async def film_by_stream(camera: Camera, at: float) -> None:
    """Pushes frames by one client stream, each after the verdict on the one before, to the end."""
    server, created = camera.server, camera.created
    live = server.capture.service.pushing(camera.session_id, created.session_token)
    call = server.stub.PushFrames()
    opening = pb.PushOpening(session_id=camera.session_id, session_token=created.session_token)
    await call.write(pb.PushFramesRequest(opening=opening))
    while not live.session.over:
        camera.number += 1
        number = camera.number
        frame = pb.Frame(frame_number=number, encoded=scripted(number, at=at))
        await call.write(pb.PushFramesRequest(frame=frame))
        await eventually(
            lambda number=number: live.session.frames.received >= number or live.session.over,  # type: ignore[misc]  # a default
            within_s=SLOWEST_S,
        )
        await eventually(lambda: live.idle or live.session.over, within_s=SLOWEST_S)
    assert (await call).state == session_pb2.SESSION_STATE_COMPLETED


async def film_by_calls(camera: Camera, at: float) -> None:
    """The same by unary calls."""
    await camera.push_until("COMPLETED", at=at, within_s=SLOWEST_S)


@pytest.mark.requirement("R-ST8", "R-ST6", "R-CA1", "R-ST1")
@pytest.mark.parametrize(
    "count", [60, pytest.param(1000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])]
)
async def test_watched_sessions_see_their_own_and_all_end(tmp_path: Path, count: int) -> None:
    async with capture_server(tmp_path, server=ROOM, **UNHURRIED) as server:
        before_mib = rss_mib()
        cameras = [await server.create() for _ in range(count)]
        opened = [asyncio.Event() for _ in cameras]
        watching = [
            asyncio.create_task(record(camera, opened=event, within_s=SLOWEST_S))
            for camera, event in zip(cameras, opened, strict=True)
        ]
        for event in opened:
            await event.wait()
        used_kib = (rss_mib() - before_mib) * 1024 / count
        films = (film_by_calls, film_by_stream)
        await asyncio.gather(
            *(films[index % 10 == 0](camera, 100.0 + index) for index, camera in enumerate(cameras))
        )
        recordings = await asyncio.gather(*watching)
        sys.stdout.write(f"{count} sessions: {used_kib:.0f} KiB each, its watcher and both ends included\n")
        assert max(one.log.bytes for one in server.capture.service.book) < 64 * 2**10
        assert used_kib < MOST_KIB
        assert server.capture.service.book.active_count == 0
    told = set()
    for index, (camera, messages) in enumerate(zip(cameras, recordings, strict=True)):
        assert judged(messages) == []
        events = [event for message in messages for event in message.events]
        assert {event.session_id for event in events} == {camera.session_id}
        updates = [event.quality_update for event in events if event.HasField("quality_update")]
        assert {update.subject.top_left.x for update in updates} == {100.0 + index}
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert events[-1].session_end.session.state == session_pb2.SESSION_STATE_COMPLETED
        told.add(tuple(story([event for event in events if event.warning.code not in OF_SPEED])))
    # By calls or by a stream, alone or among a thousand: the same is told.
    assert len(told) == 1


def rss_mib() -> float:
    """Memory of this process: server, client and test."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (told,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(told) / 1024


@pytest.mark.requirement("R-ST8")
@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.soak)])
async def test_many_sessions_take_little_memory_and_all_end(tmp_path: Path, count: int) -> None:
    async with capture_server(tmp_path, ended_kept_s=0) as server:
        service = server.capture.service
        plan = SessionPlan(targets=(Target.FACE,), hold=service.settings.hold)
        created = await asyncio.gather(*(service.create(plan) for _ in range(count)))
        frames = {one.session.session_id: 0 for one in created}

        async def play(one: CreatedSession) -> None:
            live = service.pushing(one.session.session_id, one.session_token)
            while live.session.looking and frames[one.session.session_id] < 50:
                frames[one.session.session_id] += 1
                number = frames[one.session.session_id]
                await live.offer(IncomingFrame(EncodedPicture(scripted(number)), number))

        await asyncio.gather(*(play(one) for one in created))
        await eventually(lambda: service.book.active_count == 0, within_s=60)
        assert max((one.log.bytes for one in service.book), default=0) < 32 * 2**10
        await service.book.sweep()
        assert service.book.statistics().sessions == 0
        assert service.book.totals().frames.processed >= 4 * count
