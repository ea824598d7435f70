"""Watches and sessions over interruptions: resumed, restarted, drained, replaced."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from eventually import PATIENCE_S, eventually
from fakes.capture import (
    Camera,
    capture_server,
    events_until,
    kinds,
)
from fakes.capture_story import Events, judged, record
from fakes.runtime import error_info, status_of
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import session_pb2
from vidence.stream.v1 import stream_control_pb2 as stream

State = session_pb2.SessionState


@pytest.mark.requirement("R-ST4", "R-ST1")
async def test_a_watch_resumes_after_any_message(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        await camera.push(subjects=0)
        await camera.push_until("COMPLETED")
        whole = await record(camera)
        events = [event for message in whole for event in message.events]
        for position in (0, 1, len(events) // 2, len(events) - 1):
            again = await record(camera, after_cursor=events[position].cursor)
            rest = [event.cursor for message in again for event in message.events]
            assert rest == [event.cursor for event in events[position + 1 :]]
            assert judged(again) == []


@pytest.mark.requirement("R-CA10", "R-ST4")
async def test_a_session_survives_a_restart_with_what_was_confirmed(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create("DOCUMENT_FRONT", "DOCUMENT_BACK")
        while not (await camera.get()).captured:
            await camera.push()
        await camera.push()  # the other side is locked: that does not survive
        old = (await events_until(camera.watch(), "capture_complete"))[-1].cursor
        image = (await camera.get()).captured[0].image.id
    async with capture_server(tmp_path) as server:
        camera = Camera(server, camera.created, number=100)
        session = await camera.get()
        assert State.Name(session.state) == "SESSION_STATE_SEARCHING"
        assert [one.target for one in session.captured] == [session_pb2.TARGET_DOCUMENT_FRONT]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await camera.watch(after_cursor=old).read()
            raise AssertionError("an old cursor was taken")
        assert error_info(status_of(caught.value)).reason == "CURSOR_EXPIRED"
        call = camera.watch(after_cursor=old, on_expired=stream.ON_EXPIRED_GAP)
        await call.read()
        gap = await call.read()
        assert isinstance(gap, pb.WatchSessionResponse)
        assert gap.control.gap.reason == stream.GAP_REASON_EPHEMERAL
        await camera.push_until("COMPLETED")
        events = await events_until(call)
        assert events[0].session_start.resumed
        assert kinds(events)[-1] == "session_end"
        assert len(events[-1].session_end.session.captured) == 2
        chunks = server.stub.GetImage(pb.GetImageRequest(image_id=image))
        content = b"".join([message.image_chunk.data async for message in chunks])
        assert content.startswith(b"\xff\xd8\xff")
        await eventually(lambda: server.bus.ids == [f"{camera.session_id}/completed"])


@pytest.mark.requirement("R-CA10")
async def test_a_session_whose_time_ran_out_meanwhile_ends_after_the_restart(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        live = server.capture.service.pushing(camera.session_id, camera.created.session_token)
        record_ = live.record
        await server.capture.service.store.save(
            replace(record_, expire_time=record_.create_time - timedelta(seconds=1))
        )
    async with capture_server(tmp_path) as server:
        camera = Camera(server, camera.created)
        events = await events_until(camera.watch())
        assert events[-1].session_end.session.state == session_pb2.SESSION_STATE_EXPIRED


@pytest.mark.requirement("R-ST3")
async def test_a_session_that_is_gone_from_memory_still_tells_its_end(tmp_path: Path) -> None:
    async with capture_server(tmp_path, ended_kept_s=0) as server:
        camera = await server.create()
        await camera.push_until("COMPLETED")
        await eventually(lambda: not list(server.capture.service.book))
        messages = await record(camera)
        events = [event for message in messages for event in message.events]
        assert kinds(events) == ["session_end"]
        assert messages[-1].control.disconnected.reason == stream.DISCONNECT_REASON_ENDED
        assert judged(messages) == []


@pytest.mark.requirement("R-ST3")
async def test_a_draining_server_ends_watches_with_a_cursor_and_cameras_with_draining(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        call = camera.watch()
        await call.read()
        pushing = server.stub.PushFrames()
        opening = pb.PushOpening(session_id=camera.session_id, session_token=camera.created.session_token)
        await pushing.write(pb.PushFramesRequest(opening=opening))
        live = next(iter(server.capture.service.book))
        await eventually(lambda: live.pusher.taken)
        draining = asyncio.create_task(server.running.server.drain(5))
        messages: list[pb.WatchSessionResponse] = []
        async with asyncio.timeout(PATIENCE_S):
            while isinstance(message := await call.read(), pb.WatchSessionResponse):
                messages.append(message)
        assert messages[-1].control.disconnected.reason == stream.DISCONNECT_REASON_DRAINING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pushing
        assert error_info(status_of(caught.value)).reason == "DRAINING"
        await draining


@pytest.mark.requirement("R-CA10")
async def test_a_second_camera_takes_over_from_the_first(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        opening = pb.PushFramesRequest(
            opening=pb.PushOpening(session_id=camera.session_id, session_token=camera.created.session_token)
        )
        first, second = server.stub.PushFrames(), server.stub.PushFrames()
        live = next(iter(server.capture.service.book))
        await first.write(opening)
        await eventually(lambda: live.pusher.taken)
        await second.write(opening)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await first
        assert error_info(status_of(caught.value)).reason == "PUSHER_REPLACED"
        await server.stub.CancelSession(pb.CancelSessionRequest(session_id=camera.session_id))
        assert (await second).state == session_pb2.SESSION_STATE_CANCELLED


@pytest.mark.requirement("R-CA10")
async def test_what_was_told_as_captured_survives_a_kill(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    async with capture_server(before) as server:
        camera = await server.create("DOCUMENT_FRONT", "DOCUMENT_BACK", ttl_s=120)
        call = camera.watch()
        while not (await camera.get()).captured:
            await camera.push()
        told: Events = []
        while not any(event.state_change.reason == "next_target" for event in told):
            told += await events_until(call, "state_change")
        # What is on the disk in this moment is what a process leaves that is killed now.
        await asyncio.to_thread(shutil.copytree, before, after)
    for lock in after.glob("*.lock"):
        lock.unlink()
    async with capture_server(after) as server:
        session = await Camera(server, camera.created).get()
        assert [one.target for one in session.captured] == [session_pb2.TARGET_DOCUMENT_FRONT]
        assert session.target == session_pb2.TARGET_DOCUMENT_BACK
        image = pb.GetImageRequest(image_id=session.captured[0].image.id)
        pieces = [message async for message in server.stub.GetImage(image)]
        assert pieces[-1].HasField("image_complete")
