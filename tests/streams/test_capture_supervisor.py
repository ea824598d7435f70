"""What a supervisor sees without a token of any session: state, guidance, pictures of monitors."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import pytest

from eventually import PATIENCE_S, eventually
from fakes.capture import RunningCapture, capture_server
from fakes.inference import TurnableClock
from fakes.monitor_pictures import monitor_folder
from fakes.runtime import error_info, status_of
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import session_event_pb2, session_pb2
from vidence_server.capture.snapshots import MonitorSnapshots
from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.storage.blobs import FolderBlobs


async def changes_until(
    call: grpc.aio.UnaryStreamCall[Any, pb.WatchSessionsResponse], code: str
) -> list[session_event_pb2.SessionsEvent]:
    """Events up to the first session with a guidance."""
    told: list[session_event_pb2.SessionsEvent] = []
    async with asyncio.timeout(PATIENCE_S):
        while isinstance(message := await call.read(), pb.WatchSessionsResponse):
            for event in message.events:
                told.append(event)
                if event.HasField("changed") and event.changed.session.guidance_code == code:
                    return told
    raise AssertionError(f"no session had the guidance {code}")


@pytest.mark.requirement("R-CA1", "R-CA6", "R-CA10")
async def test_the_guidance_of_every_session_is_seen_without_its_token(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        call = server.stub.WatchSessions(pb.WatchSessionsRequest())
        await camera.push(sharpness=20)
        # A better word for the same search has its dwell time: the next frame after it brings it.
        await eventually(lambda: told_too_blurred(server))
        blurred = await changes_until(call, "too_blurred")
        assert blurred[-1].changed.session.state == session_pb2.SESSION_STATE_SEARCHING
        await camera.push_until("COMPLETED")
        done = await changes_until(call, "done")
        codes = [event.changed.session.guidance_code for event in done]
        assert codes[-1] == "done"
        assert "hold_still" in codes or "capturing" in codes
        assert (await camera.get()).guidance_code == "done"


def told_too_blurred(server: RunningCapture) -> bool:
    """Whether the only session says so by now; time passes by its ticks."""
    return all(live.summary().guidance == "too_blurred" for live in server.capture.service.book)


@pytest.mark.requirement("R-CA1", "R-ST2")
async def test_all_sessions_are_told_a_snapshot_first_then_changes(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        first, second = await server.create(), await server.create()
        other = server.stub.WatchSessions(pb.WatchSessionsRequest())
        await other.read()
        call = server.stub.WatchSessions(pb.WatchSessionsRequest())
        told: list[session_event_pb2.SessionsEvent] = []
        messages: list[pb.WatchSessionsResponse] = []

        async def until(count: int) -> None:
            async with asyncio.timeout(PATIENCE_S):
                while len(told) < count:
                    message = await call.read()
                    assert isinstance(message, pb.WatchSessionsResponse)
                    messages.append(message)
                    told.extend(message.events)

        await until(3)
        assert [event.WhichOneof("payload") for event in told] == [
            "snapshot",
            "snapshot",
            "snapshot_complete",
        ]
        assert {event.snapshot.session.id for event in told[:2]} == {first.session_id, second.session_id}
        await server.stub.CancelSession(pb.CancelSessionRequest(session_id=first.session_id))
        await until(4)
        assert told[3].changed.session.state == session_pb2.SESSION_STATE_CANCELLED
        for before, after in pairwise(messages):
            assert after.previous_cursor == before.cursor
        resumed = server.stub.WatchSessions(pb.WatchSessionsRequest(after_cursor=told[2].cursor))
        await resumed.read()
        message = await resumed.read()
        assert isinstance(message, pb.WatchSessionsResponse)
        assert [event.WhichOneof("payload") for event in message.events] == ["changed"]


@pytest.mark.requirement("R-CA10")
async def test_a_supervisor_has_no_token_and_watches_no_single_session(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        request = pb.WatchSessionRequest(session_id=camera.session_id)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.stub.WatchSession(request).read()
        assert error_info(status_of(caught.value)).reason == "REQUEST_INVALID"


@pytest.mark.requirement("R-CA9")
async def test_the_snapshot_of_a_person_is_fetched_as_any_picture(tmp_path: Path) -> None:
    clock = SystemClock()
    jpeg = cv2.imencode(".jpg", np.full((40, 30, 3), 90, np.uint8))[1].tobytes()
    async with FolderBlobs(tmp_path / "monitor_images", clock=clock, ids=IdFactory(clock)) as of_monitor:
        blob = await of_monitor.put(jpeg, tenant="default", expire_time=clock.now() + timedelta(hours=1))
    snapshots = MonitorSnapshots({"default": monitor_folder(tmp_path)})
    image_id = blob.id.replace("blb_", "img_")
    async with capture_server(tmp_path, snapshots=snapshots) as server:
        messages = [message async for message in server.stub.GetImage(pb.GetImageRequest(image_id=image_id))]
        start = next(message.image_start for message in messages if message.HasField("image_start"))
        assert (start.image.id, start.image.sha256, start.size_bytes) == (image_id, blob.sha256, len(jpeg))
        assert (start.image.width_px, start.image.height_px) == (30, 40)
        assert b"".join(message.image_chunk.data for message in messages) == jpeg
        camera = await server.create()
        token = camera.created.session_token
        assert await refusal(server, image_id, token) == "SESSION_TOKEN_INVALID"
        unknown = f"img_{camera.session_id.removeprefix('ses_')}"
        assert await refusal(server, unknown, "") == "IMAGE_NOT_FOUND"
        assert await refusal(server, "img_../../capture.db", "") == "IMAGE_NOT_FOUND"


async def refusal(server: RunningCapture, image_id: str, token: str) -> str:
    request = pb.GetImageRequest(image_id=image_id, session_token=token)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in server.stub.GetImage(request):
            pass
    return str(error_info(status_of(caught.value)).reason)


@pytest.mark.requirement("R-CA1", "R-CA4")
async def test_a_busy_server_does_not_let_go_of_a_subject_whose_frame_it_looks_at(tmp_path: Path) -> None:
    clock = TurnableClock()
    async with capture_server(tmp_path, clock=clock, session_ttl_s=3600) as server:
        camera = await server.create()
        await camera.push_until("LOCKED")
        server.eyes.gate.clear()
        pushed = asyncio.create_task(camera.push())
        await eventually(lambda: server.eyes.looking == 1)
        clock.advance(5.0)
        server.capture.service.book.tick()
        assert (await camera.get()).state == session_pb2.SESSION_STATE_LOCKED
        server.eyes.gate.set()
        await pushed
        clock.advance(5.0)
        server.capture.service.book.tick()
        assert (await camera.get()).state == session_pb2.SESSION_STATE_SEARCHING
