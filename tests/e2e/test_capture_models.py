"""Sessions with the real models: a rendered document before a camera, read and told on one stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import pytest

from fakes.capture import Camera, RunningCapture, events_until, kinds
from fakes.capture_models import capture_with_models, frames_of, person_before_a_camera
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import session_pb2

SAMPLES = Path(__file__).resolve().parents[2] / "examples" / "samples"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningCapture]:
    async with capture_with_models(tmp_path) as running:
        yield running


def sample_on_desk() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The rendered passport of the examples, smaller, on a larger desk."""
    sample = cv2.imread(str(SAMPLES / "passport.jpg"))
    assert sample is not None
    small = cv2.resize(sample, None, fx=0.66, fy=0.66, interpolation=cv2.INTER_AREA)
    desk = np.full((800, 1280, 3), np.median(sample[:20].reshape(-1, 3), axis=0), np.uint8)
    top, left = (800 - small.shape[0]) // 2, (1280 - small.shape[1]) // 2
    desk[top : top + small.shape[0], left : left + small.shape[1]] = small
    return desk


async def push_all(camera: Camera, frames: list[bytes]) -> None:
    for content in frames:
        answer = await camera.push(content)
        if answer.state not in {
            session_pb2.SESSION_STATE_SEARCHING,
            session_pb2.SESSION_STATE_LOCKED,
            session_pb2.SESSION_STATE_COUNTDOWN,
        }:
            return


@pytest.mark.requirement("R-CA1", "R-CA3", "R-CA8")
async def test_a_rendered_passport_is_found_captured_and_read(server: RunningCapture) -> None:
    camera = await server.create("DOCUMENT_FRONT", extraction=session_pb2.ExtractionPlan())
    call = camera.watch()
    empty = np.full((800, 1280, 3), 120, np.uint8)
    await push_all(camera, frames_of(empty, 2))
    await push_all(camera, frames_of(sample_on_desk(), 12))
    events = await events_until(call)
    assert events[-1].session_end.session.state == session_pb2.SESSION_STATE_COMPLETED, kinds(events)
    fields = {e.extraction_field.field.key for e in events if e.HasField("extraction_field")}
    assert {"document.number", "document.expiry_date", "person.surname"} <= fields
    crop = events[-1].session_end.session.captured[0].crop
    assert crop.width_px / crop.height_px == pytest.approx(125 / 88, rel=0.06)
    measured = {
        measure.name
        for event in events
        if event.HasField("quality_update")
        for measure in event.quality_update.measures
    }
    assert {"framing", "tilt", "sharpness", "glare", "exposure", "resolution"} <= measured


@pytest.mark.requirement("R-CA3", "R-CA7")
async def test_frames_without_a_face_say_so_and_raw_pixels_are_looked_at(server: RunningCapture) -> None:
    camera = await server.create("FACE", liveness=session_pb2.LivenessPlan(passive=True))
    raw = pb.RawPicture(bgr=b"\x60" * (320 * 240 * 3), width_px=320, height_px=240)
    request = pb.PushFrameRequest(
        session_id=camera.session_id,
        session_token=camera.created.session_token,
        frame=pb.Frame(raw=raw, frame_number=1),
    )
    assert (await server.stub.PushFrame(request)).fate == pb.FRAME_FATE_PROCESSED
    events = await events_until(camera.watch(), "quality_update")
    assert [event.guidance.code for event in events if event.HasField("guidance")] == ["show_face"]
    update = events[-1].quality_update
    assert (update.image_size.width_px, update.image_size.height_px) == (320, 240)
    assert not update.passed


def document_with_portrait() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The passport of the examples with the astronaut's portrait over the drawn one."""
    desk = sample_on_desk()
    portrait = cv2.resize(person_before_a_camera(), (230, 190), interpolation=cv2.INTER_AREA)
    desk[300:490, 190:420] = portrait
    return desk


@pytest.mark.requirement("R-CA3", "R-CA7", "R-CA8")
async def test_a_person_and_the_portrait_on_the_document_are_compared(server: RunningCapture) -> None:
    camera = await server.create(
        "DOCUMENT_FRONT", "FACE", verification=True, liveness=session_pb2.LivenessPlan(passive=True)
    )
    call = camera.watch()
    for content in frames_of(document_with_portrait(), 12):
        await camera.push(content)
        if (await camera.get()).captured:
            break
    for content in frames_of(person_before_a_camera(), 30):
        try:
            await camera.push(content)
        except grpc.aio.AioRpcError:
            break  # it is over
    events = await events_until(call)
    measured = {
        measure.name: measure
        for event in events
        if event.HasField("quality_update")
        for measure in event.quality_update.measures
    }
    assert {"head_size", "head_pose_yaw", "inter_eye_distance", "sharpness"} <= set(measured)
    evidence = await server.stub.GetSessionEvidence(
        pb.GetSessionEvidenceRequest(session_id=camera.session_id)
    )
    assert len(evidence.passive[0].scores) >= 5
    assert evidence.portrait_similarity > evidence.portrait_threshold
    end = events[-1].session_end.session
    assert end.state == session_pb2.SESSION_STATE_COMPLETED
    verdicts = {check.name: check.verdict for check in end.verification.checks}
    assert verdicts["portrait_match"] == session_pb2.CHECK_VERDICT_PASSED
    assert verdicts["document_checks"] == session_pb2.CHECK_VERDICT_PASSED
    assert end.liveness == session_pb2.LIVENESS_VERDICT_PASSED
