"""Bad frames, wrong tokens, late callers: each is refused with its reason, and the session goes on."""

from __future__ import annotations

import gc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from collector_off import collector_off
from eventually import eventually
from fakes.capture import Camera, RunningCapture, capture_server, events_until, kinds
from fakes.capture_scripts import scripted
from fakes.runtime import error_info, status_of
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import session_pb2
from vidence_server.capture.frames import WaitingFrame

GUESS = "a guess"


async def refusal(call: Any) -> tuple[str, grpc.StatusCode]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_info(status_of(caught.value)).reason, caught.value.code()


def frame_request(camera: Camera, **frame: Any) -> pb.PushFrameRequest:
    return pb.PushFrameRequest(
        session_id=camera.session_id,
        session_token=camera.created.session_token,
        frame=pb.Frame(**frame),
    )


@pytest.mark.requirement("R-CA10", "R-EX7")
async def test_frames_that_cannot_be_looked_at_have_their_reasons(tmp_path: Path) -> None:
    async with capture_server(tmp_path, max_frame_bytes=4096, max_frame_pixels=10_000) as server:
        camera = await server.create()
        camera.number = 10
        call = camera.watch()
        raw = pb.RawPicture(bgr=b"\0" * 299, width_px=10, height_px=10)
        huge = pb.RawPicture(bgr=b"\0" * 30, width_px=5000, height_px=5000)
        said = [
            ({"encoded": b"no picture", "frame_number": 1}, "IMAGE_UNSUPPORTED"),
            ({"encoded": b"x" * 5000, "frame_number": 2}, "IMAGE_TOO_LARGE"),
            ({"raw": raw, "frame_number": 3}, "FRAME_INVALID"),
            ({"raw": huge, "frame_number": 4}, "IMAGE_TOO_MANY_PIXELS"),
        ]
        for frame, reason in said:
            got, code = await refusal(server.stub.PushFrame(frame_request(camera, **frame)))
            assert (got, code) == (reason, grpc.StatusCode.INVALID_ARGUMENT)
        assert (await camera.push(scripted(9))).fate == pb.FRAME_FATE_PROCESSED
        session = await camera.get()
        assert dict(session.frames.refused_by_reason) == {reason: 1 for _, reason in said}
        await server.stub.CancelSession(pb.CancelSessionRequest(session_id=camera.session_id))
        events = await events_until(call)
        assert kinds(events).count("error") == len(said)


@pytest.mark.requirement("R-ST6")
async def test_frames_that_were_refused_are_not_kept(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        with collector_off():
            opening = pb.PushOpening(session_id=camera.session_id, session_token=camera.created.session_token)
            broken = pb.Frame(encoded=b"no image", frame_number=1)
            messages = [pb.PushFramesRequest(opening=opening), pb.PushFramesRequest(frame=broken)]
            answer = await server.stub.PushFrames(iter(messages))
            assert dict(answer.frames.refused_by_reason) == {"IMAGE_UNSUPPORTED": 1}
            await eventually(lambda: not any(type(o) is WaitingFrame for o in gc.get_objects()), within_s=10)


@pytest.mark.requirement("R-CA7")
async def test_frames_out_of_order_and_identical_ones_are_refused(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        now = datetime.now(UTC)
        taken = pb.Frame(encoded=scripted(5), frame_number=5)
        taken.capture_time.FromDatetime(now)
        request = frame_request(camera, encoded=b"")
        request.frame.CopyFrom(taken)
        await server.stub.PushFrame(request)
        same_number = frame_request(camera, encoded=scripted(6), frame_number=5)
        earlier = frame_request(camera, encoded=scripted(7), frame_number=6)
        earlier.frame.capture_time.FromDatetime(now - timedelta(milliseconds=1))
        identical = frame_request(camera, encoded=scripted(5), frame_number=7)
        for wrong, reason in (
            (same_number, "FRAME_OUT_OF_ORDER"),
            (earlier, "FRAME_OUT_OF_ORDER"),
            (identical, "FRAME_REPEATED"),
        ):
            assert (await refusal(server.stub.PushFrame(wrong)))[0] == reason


@pytest.mark.requirement("R-CA10")
async def test_only_the_token_may_push_and_watch(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera, other = await server.create(), await server.create()
        denied = ("SESSION_TOKEN_INVALID", grpc.StatusCode.PERMISSION_DENIED)
        for token in (GUESS, other.created.session_token, camera.created.watch_token):
            wrong = pb.PushFrameRequest(
                session_id=camera.session_id, session_token=token, frame=pb.Frame(encoded=scripted(1))
            )
            assert await refusal(server.stub.PushFrame(wrong)) == denied
            opening = pb.PushOpening(session_id=camera.session_id, session_token=token)
            pushing = server.stub.PushFrames(iter([pb.PushFramesRequest(opening=opening)]))
            assert await refusal(pushing) == denied
            confirm = pb.ConfirmCaptureRequest(session_id=camera.session_id, session_token=token)
            assert await refusal(server.stub.ConfirmCapture(confirm)) == denied
        watch = pb.WatchSessionRequest(session_id=camera.session_id, session_token=GUESS)
        assert await refusal(server.stub.WatchSession(watch).read()) == denied
        get = pb.GetSessionRequest(session_id=camera.session_id, session_token=GUESS)
        assert await refusal(server.stub.GetSession(get)) == denied
        watch.session_token = camera.created.watch_token
        first = await server.stub.WatchSession(watch).read()
        assert isinstance(first, pb.WatchSessionResponse)
        assert first.control.HasField("connected")


@pytest.mark.requirement("R-CA10")
async def test_a_token_is_good_for_one_session_only(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        await camera.push_until("COMPLETED")
        over = ("SESSION_ENDED", grpc.StatusCode.FAILED_PRECONDITION)
        assert await refusal(camera.push()) == over
        opening = pb.PushOpening(session_id=camera.session_id, session_token=camera.created.session_token)
        assert await refusal(server.stub.PushFrames(iter([pb.PushFramesRequest(opening=opening)]))) == over
        confirm = pb.ConfirmCaptureRequest(
            session_id=camera.session_id, session_token=camera.created.session_token
        )
        assert await refusal(server.stub.ConfirmCapture(confirm)) == over
        cancelled = await server.stub.CancelSession(pb.CancelSessionRequest(session_id=camera.session_id))
        assert cancelled.session.state == session_pb2.SESSION_STATE_COMPLETED


@pytest.mark.requirement("R-CA10")
async def test_a_wrong_frame_in_a_stream_ends_nothing(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        opening = pb.PushOpening(session_id=camera.session_id, session_token=camera.created.session_token)
        messages = [
            pb.PushFramesRequest(opening=opening),
            pb.PushFramesRequest(frame=pb.Frame()),
            pb.PushFramesRequest(opening=opening),
            pb.PushFramesRequest(frame=pb.Frame(encoded=scripted(1), frame_number=1)),
            pb.PushFramesRequest(frame=pb.Frame(encoded=scripted(1), frame_number=2)),
        ]
        answer = await server.stub.PushFrames(iter(messages))
        assert answer.frames.received == 4
        assert dict(answer.frames.refused_by_reason) == {"REQUEST_INVALID": 2, "FRAME_REPEATED": 1}


async def test_a_stream_that_does_not_open_is_refused(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        frame = pb.PushFramesRequest(frame=pb.Frame(encoded=scripted(1)))
        for messages in ([], [frame], [pb.PushFramesRequest()]):
            assert (await refusal(server.stub.PushFrames(iter(messages))))[0] == "REQUEST_INVALID"


async def test_what_does_not_exist_has_its_reason(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        nobody = Camera(
            server,
            pb.CreateSessionResponse(
                session=session_pb2.Session(id="ses_019f0000-0000-7000-8000-000000000000"),
                session_token=GUESS,
            ),
        )
        calls: dict[str, list[Any]] = {
            "SESSION_NOT_FOUND": [
                nobody.push(),
                nobody.get(),
                nobody.watch().read(),
                server.stub.CancelSession(pb.CancelSessionRequest(session_id=nobody.session_id)),
                server.stub.GetSessionEvidence(pb.GetSessionEvidenceRequest(session_id=nobody.session_id)),
            ],
            "IMAGE_NOT_FOUND": [last_of(server, "img_1")],
            "PAGE_TOKEN_INVALID": [server.stub.ListSessions(pb.ListSessionsRequest(page_token=GUESS))],
            "LANGUAGE_UNKNOWN": [server.create(language="tlh")],
            "REQUEST_INVALID": [server.create(verification=True), server.create(language="?")],
        }
        for reason, made in calls.items():
            for call in made:
                assert (await refusal(call))[0] == reason


async def last_of(server: RunningCapture, image_id: str, token: str = "") -> None:
    request = pb.GetImageRequest(image_id=image_id, session_token=token)
    async for _ in server.stub.GetImage(request):
        pass


@pytest.mark.requirement("R-CA1")
async def test_too_many_sessions_are_refused_until_one_ends(tmp_path: Path) -> None:
    async with capture_server(tmp_path, max_sessions=2) as server:
        first, _ = await server.create(), await server.create()
        assert await refusal(server.create()) == ("SESSION_LIMIT", grpc.StatusCode.RESOURCE_EXHAUSTED)
        await server.stub.CancelSession(pb.CancelSessionRequest(session_id=first.session_id))
        await server.create()


@pytest.mark.requirement("R-CA1")
async def test_sessions_are_listed_in_pages_the_newest_first(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        cameras = [await server.create(reference=f"r{number % 2}") for number in range(5)]
        await server.stub.CancelSession(pb.CancelSessionRequest(session_id=cameras[4].session_id))
        newest_first = [camera.session_id for camera in reversed(cameras)]
        listed: list[str] = []
        token = ""
        while True:
            page = await server.stub.ListSessions(pb.ListSessionsRequest(page_size=2, page_token=token))
            listed += [session.id for session in page.sessions]
            token = page.next_page_token
            if not token:
                break
        assert listed == newest_first
        wanted = pb.ListSessionsRequest(states=[session_pb2.SESSION_STATE_SEARCHING], reference="r0")
        page = await server.stub.ListSessions(wanted)
        assert [session.id for session in page.sessions] == [cameras[2].session_id, cameras[0].session_id]


@pytest.mark.requirement("R-CA5")
async def test_pictures_travel_by_reference_and_expire(tmp_path: Path) -> None:
    async with capture_server(tmp_path, image_ttl_s=0.001) as server:
        camera = await server.create()
        await camera.push_until("COMPLETED")
        image = (await camera.get()).captured[0].image
        assert (await refusal(last_of(server, image.id)))[0] == "BLOB_NOT_FOUND"
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        await camera.push_until("COMPLETED")
        captured = (await camera.get()).captured[0]
        for token, fine in ((camera.created.watch_token, True), (GUESS, False)):
            request = pb.GetImageRequest(image_id=captured.crop.id, session_token=token)
            if fine:
                messages = [message async for message in server.stub.GetImage(request)]
                assert messages[-1].WhichOneof("payload") == "image_complete"
            else:
                reading = last_of(server, captured.crop.id, token)
                assert (await refusal(reading))[0] == "SESSION_TOKEN_INVALID"
        events = await events_until(camera.watch())
        assert all(len(event.SerializeToString()) < 4096 for event in events)


@pytest.mark.requirement("R-CA1")
async def test_a_person_confirms_or_wants_another_picture(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create(confirmation=session_pb2.CONFIRMATION_BY_PERSON)
        request = pb.ConfirmCaptureRequest(
            session_id=camera.session_id, session_token=camera.created.session_token
        )
        assert (await refusal(server.stub.ConfirmCapture(request)))[0] == "TRANSITION_REFUSED"
        await camera.push_until("CAPTURED")
        await events_until(camera.watch(), "capture_complete")
        again = pb.ConfirmCaptureRequest(
            session_id=camera.session_id, session_token=camera.created.session_token, retake=True
        )
        taken = await server.stub.ConfirmCapture(again)
        assert taken.session.state == session_pb2.SESSION_STATE_SEARCHING
        assert taken.session.rejected_attempts == 1
        before = len(await events_until(camera.watch(), "capture_complete"))
        await camera.push_until("CAPTURED")
        call = camera.watch()
        events = await events_until(call, "capture_complete")
        while kinds(events).count("capture_complete") < 2:
            events += await events_until(call, "capture_complete")
        assert len(events) > before
        done = await server.stub.ConfirmCapture(request)
        assert done.session.state == session_pb2.SESSION_STATE_COMPLETED
