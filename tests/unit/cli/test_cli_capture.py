"""What a person sees of a capture session, and where its frames come from."""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
import pytest
from rich.console import Console

from vidence.capture.v1 import quality_pb2, session_pb2
from vidence.capture.v1 import session_event_pb2 as pb
from vidence_cli.capture.plan import chosen_plan
from vidence_cli.capture.sources import FrameSource
from vidence_cli.capture.telling import PersonTelling


def measure(verdict: quality_pb2.GateVerdict.ValueType) -> quality_pb2.QualityMeasure:
    return quality_pb2.QualityMeasure(name="glare", value=0.25, unit="share", verdict=verdict)


EVENTS = [
    (pb.CaptureEvent(guidance=pb.Guidance(message="Come \x1b[31mcloser.")), "» Come ·[31mcloser."),
    (
        pb.CaptureEvent(
            state_change=pb.StateChange(
                old=session_pb2.SESSION_STATE_LOCKED, new=session_pb2.SESSION_STATE_COUNTDOWN, reason="steady"
            )
        ),
        "LOCKED → COUNTDOWN  steady",
    ),
    (
        pb.CaptureEvent(
            quality_gate_failed=pb.QualityGateFailed(measure=measure(quality_pb2.GATE_VERDICT_TOO_HIGH))
        ),
        "✗ glare 0.25 share too high",
    ),
    (
        pb.CaptureEvent(
            quality_gate_passed=pb.QualityGatePassed(measure=measure(quality_pb2.GATE_VERDICT_PASSED))
        ),
        "✓ glare 0.25 share",
    ),
    (
        pb.CaptureEvent(
            capture_complete=pb.CaptureComplete(
                captured=session_pb2.CapturedTarget(target=session_pb2.TARGET_FACE, score=71)
            )
        ),
        "● face captured, score 71",
    ),
    (pb.CaptureEvent(warning=pb.Warning(code="frames_superseded", count=3)), "! frames_superseded 3"),
    (
        pb.CaptureEvent(
            liveness=pb.LivenessEvent(
                result=pb.LivenessResult(method="passive", verdict=session_pb2.LIVENESS_VERDICT_PASSED)
            )
        ),
        "liveness by passive: passed (not certified)",
    ),
    (
        pb.CaptureEvent(liveness=pb.LivenessEvent(challenge_failed=pb.ChallengeFailed(reason="timeout"))),
        "challenge failed: timeout",
    ),
    (
        pb.CaptureEvent(
            verification=session_pb2.Verification(
                checks=[
                    session_pb2.VerificationCheck(
                        name="document_expiry", verdict=session_pb2.CHECK_VERDICT_FAILED, detail="expired"
                    )
                ]
            )
        ),
        "verification  document_expiry failed (expired)",
    ),
]


@pytest.mark.requirement("R-CA6")
@pytest.mark.parametrize(("event", "words"), EVENTS)
def test_an_event_is_told_in_one_line(event: pb.CaptureEvent, words: str) -> None:
    console = Console(record=True, width=200)
    PersonTelling(console).take(event)
    assert console.export_text().strip().startswith(words)


def test_errors_fields_and_readings_that_failed_are_told() -> None:
    console = Console(record=True, width=200)
    telling = PersonTelling(console)
    event = pb.CaptureEvent()
    event.error.status.message = "No image."
    telling.take(event)
    event = pb.CaptureEvent()
    event.extraction_failed.status.message = "Too much."
    telling.take(event)
    event = pb.CaptureEvent()
    event.extraction_field.field.key, event.extraction_field.field.raw_value = "document.number", "L8"
    telling.take(event)
    telling.take(pb.CaptureEvent(capture_progress=pb.CaptureProgress(fraction=0.5)))
    told = console.export_text().split("\n")
    assert [line.strip() for line in told if line] == [
        "! No image.",
        "! not read: Too much.",
        "document.number L8",
    ]


def test_the_options_make_a_plan() -> None:
    plan = chosen_plan(
        {
            "targets": ("front", "face", "front"),
            "verification": True,
            "language": "es",
            "reference": "r",
            "liveness": True,
            "challenges": 2,
            "extraction": True,
            "document_type": "passport",
        }
    )
    assert list(plan.targets) == [session_pb2.TARGET_DOCUMENT_FRONT, session_pb2.TARGET_FACE]
    assert (plan.liveness.passive, plan.liveness.challenge_count) == (True, 2)
    assert plan.extraction.document_type == "passport"


async def test_a_video_gives_its_frames_as_pictures_without_a_time(tmp_path: Path) -> None:
    path = str(tmp_path / "video.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for level in (40, 90, 140):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    frames = [frame async for frame in FrameSource(video=path, fps=0).frames()]
    assert [frame.frame_number for frame in frames] == [1, 2, 3]
    assert all(frame.encoded.startswith(b"\xff\xd8") for frame in frames)
    assert not any(frame.HasField("capture_time") for frame in frames)


async def test_sources_without_frames_say_so(tmp_path: Path) -> None:
    for source in (FrameSource(images=tmp_path), FrameSource(video=str(tmp_path / "none.mp4"))):
        with pytest.raises(click.ClickException):
            await anext(source.frames())
