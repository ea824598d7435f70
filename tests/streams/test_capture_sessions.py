"""Sessions over a real server with frames that say what is seen in them: golden transcripts, guarantees."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest

from eventually import PATIENCE_S, eventually
from fakes.capture import (
    Camera,
    ScriptedComparer,
    ScriptedReader,
    capture_server,
    events_until,
    kinds,
    scripted,
)
from fakes.runtime import error_info, status_of
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import session_event_pb2, session_pb2
from vidence.stream.v1 import stream_control_pb2 as stream
from vidence_client.conformance import Connection, Watcher, check_watch, from_responses
from vidence_server.capture.domain.plan import SessionPlan
from vidence_server.capture.domain.states import Target
from vidence_server.capture.frames import IncomingFrame
from vidence_server.capture.numbers import CreatedSession
from vidence_server.capture.ports import EncodedPicture
from vidence_server.core.errors import DomainError, Reason

State = session_pb2.SessionState
Events = list[session_event_pb2.CaptureEvent]

PROGRESS = {
    "quality_update",
    "state_transition",
    "capture_progress",
    "quality_gate_passed",
    "quality_gate_failed",
}
"""Payloads whose number depends on the speed of frames."""


def story(events: Events) -> list[str]:
    """What happened, without what depends on speed."""
    told = []
    for event in events:
        kind = event.WhichOneof("payload") or ""
        match kind:
            case "state_change":
                told.append(f"{State.Name(event.state_change.new)[14:]} {event.state_change.reason}")
            case "guidance":
                told.append(f"» {event.guidance.code}")
            case "liveness":
                told.append(f"liveness {event.liveness.WhichOneof('event')}")
            case _ if kind not in PROGRESS:
                told.append(kind)
    return told


async def record(camera: Camera, **start: object) -> list[pb.WatchSessionResponse]:
    """All messages of a watch, to the end of the session."""
    messages: list[pb.WatchSessionResponse] = []
    call = camera.watch(**start)
    async with asyncio.timeout(PATIENCE_S):
        while isinstance(message := await call.read(), pb.WatchSessionResponse):
            messages.append(message)
    return messages


def judged(*recordings: list[pb.WatchSessionResponse]) -> list[object]:
    """What the validators find wrong with the connections of one watcher."""
    connections = [
        from_responses(messages, after_cursor=messages[0].cursor if index else "")
        for index, messages in enumerate(recordings)
    ]
    assert all(isinstance(one, Connection) for one in connections)
    return list(check_watch(Watcher(tuple(connections))))


@pytest.mark.requirement("R-CA1", "R-CA2", "R-CA5", "R-ST1", "R-ST3")
async def test_a_face_is_found_held_and_captured(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create("FACE", reference="order-7")
        watching = asyncio.create_task(record(camera))
        await camera.push(subjects=0)
        await camera.push_until("COMPLETED")
        messages = await watching
        events = [event for message in messages for event in message.events]
        assert story(events) == [
            "session_start",
            "» show_face",
            "LOCKED subject_ready",
            "» hold_still",
            "COUNTDOWN steady",
            "capture_start",
            "» capturing",
            "CAPTURED elapsed",
            "» checking",
            "capture_complete",
            "CONFIRMED confirm",
            "COMPLETED finish",
            "» done",
            "session_end",
        ]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert messages[-1].control.disconnected.reason == stream.DISCONNECT_REASON_ENDED
        assert judged(messages) == []
        assert all(event.session_id == camera.session_id for event in events)


@pytest.mark.requirement("R-CA6")
async def test_every_event_of_a_frame_tells_where_its_time_went(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        await camera.push_until("COMPLETED")
        events = await events_until(camera.watch())
        timed = [event for event in events if event.HasField("timing")]
        assert {"quality_update", "state_change", "capture_complete"} <= set(kinds(timed))
        for event in timed:
            timing = event.timing
            parts = timing.queued_duration.ToNanoseconds() + timing.inference_duration.ToNanoseconds()
            assert 0 < parts <= timing.total_duration.ToNanoseconds()
        for before, after in pairwise(events):
            assert before.emit_time.ToNanoseconds() <= after.emit_time.ToNanoseconds()


@pytest.mark.requirement("R-CA2", "R-CA5", "R-CA7", "R-CA8")
async def test_every_payload_of_the_protocol_occurs(tmp_path: Path) -> None:
    reader, comparer = ScriptedReader(), ScriptedComparer()
    async with capture_server(tmp_path, reader=reader, comparer=comparer, max_attempts=9) as server:
        whole = await server.create(
            "DOCUMENT_FRONT",
            "FACE",
            verification=True,
            liveness=session_pb2.LivenessPlan(passive=True, challenge_count=1),
        )
        call = whole.watch()
        await whole.push(glare=90)
        with pytest.raises(grpc.aio.AioRpcError):
            await whole.push(b"no picture")
        while not (await whole.get()).captured:
            await whole.push(glare=0)
        await whole.push_until("CHALLENGE", liveness=0.9)
        await meet_any_challenge(whole)
        events = await events_until(call)
        told = set(kinds(events))
        failing = await server.create("DOCUMENT_FRONT", extraction=session_pb2.ExtractionPlan())
        reader.error = DomainError(Reason.QUEUE_FULL, "Too much.", retry_after_s=1)
        call = failing.watch()
        await failing.push_until("COMPLETED")
        failed = await events_until(call)
        assert "extraction_failed" in kinds(failed)
        assert State.Name((await failing.get()).state) == "SESSION_STATE_COMPLETED"
        told |= set(kinds(failed))
        warned = await server.create("FACE", ttl_s=30)
        call = warned.watch()
        for _ in range(2):
            await warned.push_until("COUNTDOWN")
            await warned.push(subjects=0)
        server.eyes.broken = 1
        await warned.push_until("COMPLETED")
        told |= set(kinds(await events_until(call)))
        payloads = session_event_pb2.CaptureEvent.DESCRIPTOR.oneofs_by_name["payload"].fields
        assert told == {field.name for field in payloads}


async def meet_any_challenge(camera: Camera) -> None:
    """Does one thing after the other until what was asked is among them."""
    movements: list[dict[str, Any]] = [
        {"eyes": 0.1},
        {},
        {"yaw": 30.0},
        {"yaw": 30.0},
        {},
        {"pitch": 20.0},
        {"pitch": 20.0},
        {},
        {"yaw": -30.0},
        {"yaw": -30.0},
    ]
    for said in movements:
        await camera.push()
        if (await camera.push(**said)).state != session_pb2.SESSION_STATE_CHALLENGE:
            return
        if "yaw" in said or "pitch" in said:
            response = await camera.push(**said)
            if response.state != session_pb2.SESSION_STATE_CHALLENGE:
                return


@pytest.mark.requirement("R-CA8")
async def test_a_verification_has_its_evidence_and_scores_stay_with_the_back_end(tmp_path: Path) -> None:
    async with capture_server(tmp_path, reader=ScriptedReader(), comparer=ScriptedComparer(0.81)) as server:
        camera = await server.create("DOCUMENT_FRONT", "FACE", verification=True)
        call = camera.watch()
        await camera.push_until("COMPLETED")
        events = await events_until(call)
        verification = next(e.verification for e in events if e.HasField("verification"))
        assert {check.name: check.detail for check in verification.checks} == {
            "portrait_match": "ok",
            "document_expiry": "ok",
            "document_checks": "ok",
        }
        assert verification.verdict == session_pb2.CHECK_VERDICT_PASSED
        assert len(verification.image_sha256s) == 2
        assert verification.models == ["eyes@0123456789ab", "embedder@abc"]
        evidence = await server.stub.GetSessionEvidence(
            pb.GetSessionEvidenceRequest(session_id=camera.session_id)
        )
        assert evidence.portrait_similarity == pytest.approx(0.81)
        assert "0.81" not in str(events)
        reading = [kind for kind in kinds(events) if kind.startswith(("extraction", "document"))]
        assert reading[0] == "extraction_start"
        assert reading[-1] == "extraction_complete"


@pytest.mark.requirement("R-CA1")
async def test_the_newest_frame_wins_when_models_are_slower_than_the_camera(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        server.eyes.gate.clear()
        pushes = [asyncio.create_task(camera.push()) for _ in range(1)]
        await eventually(lambda: server.eyes.looking == 1)
        for _ in range(9):
            pushes.append(asyncio.create_task(camera.push()))
            live = next(iter(server.capture.service.sessions()))
            await eventually(lambda live=live: live.session.frames.received == len(pushes))  # type: ignore[misc]  # a default
        server.eyes.gate.set()
        fates = [pb.FrameFate.Name((await push).fate)[11:] for push in pushes]
        assert fates == ["PROCESSED", *["SUPERSEDED"] * 8, "PROCESSED"]
        assert server.eyes.looked == [1, 10]
        session = await camera.get()
        assert (session.frames.received, session.frames.superseded) == (10, 8)
        assert "warning" in kinds(await events_until(camera.watch(), "warning"))


@pytest.mark.requirement("R-CA1")
async def test_a_client_stream_gives_the_same_story_as_unary_frames(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        unary = await server.create()
        await unary.push(subjects=0)
        await unary.push_until("COMPLETED")
        streamed = await server.create()
        call = server.stub.PushFrames()
        token = streamed.created.session_token
        await call.write(
            pb.PushFramesRequest(opening=pb.PushOpening(session_id=streamed.session_id, session_token=token))
        )
        watching = asyncio.create_task(events_until(streamed.watch()))
        live = next(one for one in server.capture.service.sessions() if not one.session.over)
        for number in range(1, 7):
            frame = pb.Frame(encoded=scripted(number, subjects=int(number > 1)), frame_number=number)
            if live.session.over:
                break
            await call.write(pb.PushFramesRequest(frame=frame))
            await eventually(
                lambda number=number: live.session.frames.processed >= number or not live.session.looking  # type: ignore[misc]  # a default
            )
        answer = await call
        assert State.Name(answer.state) == "SESSION_STATE_COMPLETED"
        assert story(await watching) == story(await events_until(unary.watch()))


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
        await eventually(lambda: not list(server.capture.service.sessions()))
        messages = await record(camera)
        events = [event for message in messages for event in message.events]
        assert kinds(events) == ["session_end"]
        assert messages[-1].control.disconnected.reason == stream.DISCONNECT_REASON_ENDED
        assert judged(messages) == []


@pytest.mark.requirement("R-EV5", "R-EX9")
async def test_the_bus_hears_of_beginning_and_end_once_and_of_no_contents(tmp_path: Path) -> None:
    async with capture_server(tmp_path, reader=ScriptedReader()) as server:
        done = await server.create("DOCUMENT_FRONT", extraction=session_pb2.ExtractionPlan(), reference="r1")
        await done.push_until("COMPLETED")
        await events_until(done.watch())
        gone = await server.create()
        await server.stub.CancelSession(pb.CancelSessionRequest(session_id=gone.session_id))
        await events_until(gone.watch())
        await eventually(lambda: len(server.bus.log) == 4)
        assert [(event.type, event.subject) for event in server.bus.log] == [
            ("session.started", f"sessions/{done.session_id}"),
            ("session.completed", f"sessions/{done.session_id}"),
            ("session.started", f"sessions/{gone.session_id}"),
            ("session.failed", f"sessions/{gone.session_id}"),
        ]
        assert not any(b"L898902C3" in event.encoded for event in server.bus.log)


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


@pytest.mark.requirement("R-ST8", "R-ST6")
async def test_many_sessions_at_once_see_their_own_and_all_end(tmp_path: Path) -> None:
    count = 60
    async with capture_server(tmp_path) as server:
        cameras = [await server.create() for _ in range(count)]

        async def play(camera: Camera, index: int) -> Events:
            call = camera.watch()
            await camera.push(at=100.0 + index)
            await camera.push_until("COMPLETED", at=100.0 + index)
            return await events_until(call)

        stories = await asyncio.gather(*(play(camera, index) for index, camera in enumerate(cameras)))
        for index, (camera, events) in enumerate(zip(cameras, stories, strict=True)):
            assert {event.session_id for event in events} == {camera.session_id}
            places = {
                event.quality_update.subject.top_left.x
                for event in events
                if event.HasField("quality_update")
            }
            assert places == {100.0 + index}
            assert kinds(events)[-1] == "session_end"
        live = list(server.capture.service.sessions())
        assert max(one.log.bytes for one in live) < 64 * 2**10


@pytest.mark.requirement("R-ST3")
async def test_a_draining_server_ends_watches_with_a_cursor_and_cameras_with_draining(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        call = camera.watch()
        await call.read()
        pushing = server.stub.PushFrames()
        opening = pb.PushOpening(session_id=camera.session_id, session_token=camera.created.session_token)
        await pushing.write(pb.PushFramesRequest(opening=opening))
        live = next(iter(server.capture.service.sessions()))
        await eventually(lambda: live.pusher is not None)
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
        live = next(iter(server.capture.service.sessions()))
        await first.write(opening)
        await eventually(lambda: live.pusher is not None)
        await second.write(opening)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await first
        assert error_info(status_of(caught.value)).reason == "PUSHER_REPLACED"
        await server.stub.CancelSession(pb.CancelSessionRequest(session_id=camera.session_id))
        assert (await second).state == session_pb2.SESSION_STATE_CANCELLED


@pytest.mark.requirement("R-ST11")
async def test_statistics_tell_streams_and_frames(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        call = camera.watch()
        await camera.push(subjects=0)
        await events_until(call, "quality_update")
        told = await server.stub.GetStreamStatistics(pb.GetStreamStatisticsRequest())
        assert (told.active_session_count, told.session_count, told.watcher_count) == (1, 1, 1)
        assert (told.frames.received, told.frames.processed) == (1, 1)
        one = told.sessions[0]
        assert one.session_id == camera.session_id
        assert one.log_events > 0
        assert one.HasField("mean_frame_duration")
        assert told.total_events >= one.log_events


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
        await eventually(lambda: service.active_count == 0, within_s=60)
        assert max((one.log.bytes for one in service.sessions()), default=0) < 32 * 2**10
        await service.sweep()
        assert service.statistics().sessions == 0
        assert service.totals().frames.processed >= 4 * count
