"""Sessions over a real server with frames that say what is seen in them: golden transcripts, guarantees."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest

from eventually import eventually
from fakes.capture import Camera, capture_server, events_until, kinds
from fakes.capture_scripts import ScriptedComparer, ScriptedReader, scripted
from fakes.capture_story import judged, record, story
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import session_event_pb2, session_pb2
from vidence.stream.v1 import stream_control_pb2 as stream
from vidence_server.core.errors import DomainError, Reason

State = session_pb2.SessionState


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
            live = next(iter(server.capture.service.book))
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
        live = next(one for one in server.capture.service.book if not one.session.over)
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
