"""kill -9 of the capture service as a process: what was told as confirmed stands, the rest begins anew."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from fakes.capture_process import capture_process
from fakes.capture_scripts import scripted
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import capture_service_pb2_grpc as pb_grpc
from vidence.capture.v1 import session_event_pb2, session_pb2
from vidence.stream.v1 import stream_control_pb2 as stream

OWN_CONNECTION = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))
CALL_S = 100.0
"""Longer than any call takes, and a watch of a session, on a busy machine."""
UNDER_WAY = {
    session_pb2.SESSION_STATE_SEARCHING,
    session_pb2.SESSION_STATE_LOCKED,
    session_pb2.SESSION_STATE_COUNTDOWN,
}
Stub = pb_grpc.CaptureServiceStub


def push(stub: Stub, created: pb.CreateSessionResponse, number: int) -> session_pb2.SessionState.ValueType:
    frame = pb.Frame(frame_number=number, encoded=scripted(number))
    request = pb.PushFrameRequest(
        session_id=created.session.id, session_token=created.session_token, frame=frame
    )
    return stub.PushFrame(request, timeout=CALL_S).state


def events_to(call: object, *, reason: str = "", payload: str = "") -> list[session_event_pb2.CaptureEvent]:
    """Events of a watch up to a change for that reason, or the first of a payload."""
    told: list[session_event_pb2.CaptureEvent] = []
    for message in call:  # type: ignore[attr-defined]  # a call of the generated stub
        for event in message.events:
            told.append(event)
            if event.state_change.reason == (reason or None) or event.WhichOneof("payload") == payload:
                return told
    raise AssertionError(f"the stream ended before {reason or payload}")


@pytest.mark.timeout(300)  # two processes start; on a busy machine each takes its time
@pytest.mark.requirement("R-CA10", "R-ST4", "R-OP2")
def test_a_session_survives_a_kill_of_its_process(tmp_path: Path) -> None:
    plan = session_pb2.SessionPlan(
        targets=[session_pb2.TARGET_DOCUMENT_FRONT, session_pb2.TARGET_DOCUMENT_BACK], reference="kill-9"
    )
    with capture_process(tmp_path) as first, grpc.insecure_channel(first.address, OWN_CONNECTION) as channel:
        stub = pb_grpc.CaptureServiceStub(channel)
        created = stub.CreateSession(pb.CreateSessionRequest(plan=plan), timeout=CALL_S)
        watch = pb.WatchSessionRequest(session_id=created.session.id, session_token=created.session_token)
        call = stub.WatchSession(watch, timeout=CALL_S)
        number = 0
        get = pb.GetSessionRequest(session_id=created.session.id)
        while not stub.GetSession(get, timeout=CALL_S).session.captured:
            number += 1
            push(stub, created, number)
        told = events_to(call, reason="next_target")
        number += 1
        push(stub, created, number)  # the other side is locked: that need not survive
        first.kill()
    image = next(event for event in told if event.HasField("capture_complete")).capture_complete
    with (
        capture_process(tmp_path) as second,
        grpc.insecure_channel(second.address, OWN_CONNECTION) as channel,
    ):
        stub = pb_grpc.CaptureServiceStub(channel)
        session = stub.GetSession(get, timeout=CALL_S).session
        assert session.state == session_pb2.SESSION_STATE_SEARCHING
        assert [one.target for one in session.captured] == [session_pb2.TARGET_DOCUMENT_FRONT]
        assert session.captured[0].image == image.captured.image
        # The watcher resumes where it was: told that memory is gone, then the session as it is.
        watch.after_cursor = told[-1].cursor
        watch.on_expired = stream.ON_EXPIRED_GAP
        call = stub.WatchSession(watch, timeout=CALL_S)
        while push(stub, created, number := number + 1) in UNDER_WAY:
            pass
        resumed = events_to(call, payload="session_end")
        assert resumed[0].session_start.resumed
        assert [one.target for one in resumed[-1].session_end.session.captured] == list(plan.targets)
        pieces = list(stub.GetImage(pb.GetImageRequest(image_id=image.captured.image.id), timeout=CALL_S))
        assert pieces[-1].HasField("image_complete")
