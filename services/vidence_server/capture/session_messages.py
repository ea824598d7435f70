"""Sessions, results and statistics as messages. Nothing is decided here."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from vidence.capture.v1 import session_pb2 as pb
from vidence.type.v1 import geometry_pb2, image_pb2
from vidence_server.capture.domain.plan import HoldRule, SessionPlan
from vidence_server.capture.domain.results import (
    CapturedTarget,
    CheckVerdict,
    FrameTally,
    ImageRef,
    SessionSummary,
    Verification,
)
from vidence_server.capture.domain.states import Failure, State, Target
from vidence_server.runtime.status import to_duration
from vidence_server.vision.geometry import Point, Quad

K = TypeVar("K", State, Target, Failure, CheckVerdict)

TARGETS = {target: pb.Target.Value(f"TARGET_{target}") for target in Target}
STATES = {state: pb.SessionState.Value(f"SESSION_STATE_{state}") for state in State}
FAILURES = {failure: pb.SessionFailure.Value(f"SESSION_FAILURE_{failure}") for failure in Failure}
VERDICTS = {verdict: pb.CheckVerdict.Value(f"CHECK_VERDICT_{verdict}") for verdict in CheckVerdict}
TARGET_OF = {number: target for target, number in TARGETS.items()}
STATE_OF = {number: state for state, number in STATES.items()}


def to_plan(plan: pb.SessionPlan, hold: HoldRule, language: str) -> SessionPlan:
    """What a caller asks for.

    Args:
        plan: As it was asked.
        hold: The server's own rule, where nothing else is asked.
        language: That serves the one that was asked for.

    Raises:
        DomainError: REQUEST_INVALID.
    """
    asked = plan.hold
    rule = HoldRule(
        stable_frames=asked.stable_frames if asked.HasField("stable_frames") else hold.stable_frames,
        stable_s=_seconds(asked, "stable_duration", hold.stable_s),
        max_drift_px=asked.max_drift_px if asked.HasField("max_drift_px") else hold.max_drift_px,
        countdown_s=_seconds(asked, "countdown_duration", hold.countdown_s),
    )
    return SessionPlan(
        targets=tuple(TARGET_OF[target] for target in plan.targets),
        hold=rule,
        language=language,
        reference=plan.reference,
        subject_id=plan.subject_id,
        passive_liveness=plan.liveness.passive,
        challenge_count=plan.liveness.challenge_count,
        extraction=plan.HasField("extraction") or plan.verification,
        document_type=plan.extraction.document_type,
        verification=plan.verification,
        confirm_by_person=plan.confirmation == pb.CONFIRMATION_BY_PERSON,
    )


def from_plan(plan: SessionPlan) -> pb.SessionPlan:
    """A plan with everything that was left to the server."""
    message = pb.SessionPlan(
        targets=[TARGETS[target] for target in plan.targets],
        verification=plan.verification,
        confirmation=pb.CONFIRMATION_BY_PERSON if plan.confirm_by_person else pb.CONFIRMATION_AUTOMATIC,
        hold=pb.HoldRule(
            stable_frames=plan.hold.stable_frames,
            stable_duration=to_duration(plan.hold.stable_s),
            max_drift_px=plan.hold.max_drift_px,
            countdown_duration=to_duration(plan.hold.countdown_s),
        ),
        language=plan.language,
        reference=plan.reference,
        subject_id=plan.subject_id,
    )
    if plan.liveness:
        message.liveness.passive = plan.passive_liveness
        message.liveness.challenge_count = plan.challenge_count
    if plan.extraction:
        message.extraction.document_type = plan.document_type
    return message


def to_session(session: SessionSummary) -> pb.Session:
    """A session as it is told."""
    message = pb.Session(
        id=session.session_id,
        plan=from_plan(session.plan),
        state=STATES[session.state],
        target=TARGETS[session.target] if session.target is not None else pb.TARGET_UNSPECIFIED,
        captured=map(to_captured, session.captured),
        rejected_attempts=session.rejected_attempts,
        create_time=to_timestamp(session.create_time),
        expire_time=to_timestamp(session.expire_time),
        frames=to_frames(session.frames),
        liveness=to_liveness(session.liveness_passed),
        guidance_code=session.guidance,
    )
    if session.end_time is not None:
        message.end_time.CopyFrom(to_timestamp(session.end_time))
    if session.failure is not None:
        message.failure = FAILURES[session.failure]
    if session.verification is not None:
        message.verification.CopyFrom(to_verification(session.verification))
    return message


def to_captured(captured: CapturedTarget) -> pb.CapturedTarget:
    """A picture that stands."""
    message = pb.CapturedTarget(
        target=TARGETS[captured.target],
        image=to_image(captured.image),
        score=captured.score,
        frame_number=captured.frame_number,
        receive_time=to_timestamp(captured.receive_time),
    )
    if captured.crop is not None:
        message.crop.CopyFrom(to_image(captured.crop))
    return message


def to_image(image: ImageRef) -> image_pb2.ImageRef:
    """A reference to a picture."""
    message = image_pb2.ImageRef(
        id=image.id,
        sha256=image.sha256,
        media_type=image.media_type,
        width_px=image.width_px,
        height_px=image.height_px,
    )
    if image.expire_time is not None:
        message.expire_time.CopyFrom(to_timestamp(image.expire_time))
    return message


def to_frames(frames: FrameTally) -> pb.FrameCounts:
    """What became of frames."""
    return pb.FrameCounts(
        received=frames.received,
        processed=frames.processed,
        superseded=frames.superseded,
        unneeded=frames.unneeded,
        refused=frames.refused.total(),
        refused_by_reason=dict(frames.refused),
    )


def to_verification(verification: Verification) -> pb.Verification:
    """What was found out."""
    return pb.Verification(
        verdict=VERDICTS[verification.verdict],
        checks=[
            pb.VerificationCheck(name=check.name, verdict=VERDICTS[check.verdict], detail=check.detail)
            for check in verification.checks
        ],
        image_sha256s=verification.image_sha256s,
        models=verification.models,
    )


def to_liveness(passed: bool | None) -> pb.LivenessVerdict.ValueType:
    """A verdict on liveness."""
    if passed is None:
        return pb.LIVENESS_VERDICT_UNSPECIFIED
    return pb.LIVENESS_VERDICT_PASSED if passed else pb.LIVENESS_VERDICT_FAILED


def to_quad(quad: Quad) -> geometry_pb2.Quad:
    """Four corners in pixels."""
    return geometry_pb2.Quad(
        top_left=_point(quad.top_left),
        top_right=_point(quad.top_right),
        bottom_right=_point(quad.bottom_right),
        bottom_left=_point(quad.bottom_left),
    )


def to_timestamp(time: datetime) -> Timestamp:
    """A time."""
    # Several of them in every event: half the time that `FromDatetime` takes.
    return Timestamp(seconds=int(time.timestamp() // 1), nanos=time.microsecond * 1000)


def _point(point: Point) -> geometry_pb2.Point:
    return geometry_pb2.Point(x=point.x, y=point.y)


def _seconds(rule: pb.HoldRule, field: str, default: float) -> float:
    if not rule.HasField(field):  # type: ignore[arg-type]  # one of two literal names, see the callers
        return default
    nanoseconds: int = getattr(rule, field).ToNanoseconds()
    return nanoseconds / 1e9
