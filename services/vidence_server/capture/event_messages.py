"""Events of a session as messages. Nothing is decided here."""

from __future__ import annotations

from typing import assert_never

from google.protobuf.message import Message

from vidence.capture.v1 import quality_pb2, session_event_pb2, session_pb2
from vidence.capture.v1 import session_event_pb2 as pb
from vidence.extraction.v1 import extraction_service_pb2
from vidence.type.v1 import geometry_pb2
from vidence_server.capture.domain import events as ev
from vidence_server.capture.domain.challenges import Challenge
from vidence_server.capture.domain.gates import JudgedMeasure, Verdict
from vidence_server.capture.domain.results import SessionSummary
from vidence_server.capture.feed import Stamp
from vidence_server.capture.frames import FrameTiming
from vidence_server.capture.guidance import GuidanceTexts
from vidence_server.capture.session_messages import (
    STATES,
    TARGETS,
    to_captured,
    to_frames,
    to_liveness,
    to_quad,
    to_session,
    to_timestamp,
    to_verification,
)
from vidence_server.capture.teller import EventPlace
from vidence_server.core.errors import DomainError
from vidence_server.runtime.status import to_duration, to_status

CHALLENGES = {one: session_event_pb2.Challenge.Value(f"CHALLENGE_{one}") for one in Challenge}
_VERDICTS = {verdict: quality_pb2.GateVerdict.Value(f"GATE_VERDICT_{verdict}") for verdict in Verdict}

_NO_VERDICT = quality_pb2.GATE_VERDICT_UNSPECIFIED


class EventEncoder:
    """Makes the bytes of events, with the words of the guidance."""

    def __init__(self, texts: GuidanceTexts) -> None:
        self._texts = texts

    def encode(self, event: ev.SessionEvent, place: EventPlace) -> bytes:
        """An event without its cursor."""
        message = pb.CaptureEvent(
            sequence=place.stamp.sequence,
            emit_time=to_timestamp(place.stamp.time),
            session_id=place.session_id,
        )
        if place.timing is not None:
            message.timing.CopyFrom(_timing(place.timing, place.total_s))
        if place.target is not None:
            message.target = TARGETS[place.target]
        if isinstance(event, ev.GuidanceGiven):
            words = self._texts.text(place.language, event.code)
            message.guidance.CopyFrom(pb.Guidance(code=event.code, message=words, language=place.language))
        elif isinstance(event, ev.DocumentRead):
            getattr(message, event.kind).MergeFromString(event.encoded)
            getattr(message, event.kind).SetInParent()
        else:
            name, payload = _payload(event)
            getattr(message, name).CopyFrom(payload)
        return message.SerializeToString()


def encode_failure(error: DomainError) -> bytes:
    """The member `extraction_failed`."""
    failed = extraction_service_pb2.ExtractionFailed(status=to_status(error, ""))
    return failed.SerializeToString()


def encode_snapshot(session: SessionSummary, stamp: Stamp) -> bytes:
    """A session of a snapshot, for those who watch all of them."""
    message = _sessions_event(stamp)
    message.snapshot.session.CopyFrom(to_session(session))
    return message.SerializeToString()


def encode_snapshot_complete(count: int, stamp: Stamp) -> bytes:
    """The end of a snapshot."""
    message = _sessions_event(stamp)
    message.snapshot_complete.session_count = count
    message.snapshot_complete.SetInParent()
    return message.SerializeToString()


def encode_changed(session: SessionSummary, stamp: Stamp) -> bytes:
    """A session that is new or has changed."""
    message = _sessions_event(stamp)
    message.changed.session.CopyFrom(to_session(session))
    return message.SerializeToString()


def to_measure(judged: JudgedMeasure) -> quality_pb2.QualityMeasure:
    """One measure."""
    measure = judged.measure
    return quality_pb2.QualityMeasure(
        name=measure.name,
        value=measure.value,
        unit=measure.unit,
        score=measure.score,
        verdict=_NO_VERDICT if judged.verdict is None else _VERDICTS[judged.verdict],
    )


def _sessions_event(stamp: Stamp) -> pb.SessionsEvent:
    return pb.SessionsEvent(sequence=stamp.sequence, emit_time=to_timestamp(stamp.time))


def _timing(timing: FrameTiming, total_s: float) -> pb.FrameTiming:
    message = pb.FrameTiming(
        frame_number=timing.number,
        receive_time=to_timestamp(timing.receive_time),
        queued_duration=to_duration(timing.queued_s),
        inference_duration=to_duration(timing.inference_s),
        total_duration=to_duration(total_s),
    )
    if timing.capture_time is not None:
        message.capture_time.CopyFrom(to_timestamp(timing.capture_time))
    return message


def _payload(  # noqa: C901, PLR0911, PLR0912  # one case per event: a table would hide the types
    event: ev.SessionEvent,
) -> tuple[str, Message]:
    """Name and message of a payload."""
    match event:
        case ev.SessionStarted():
            start = pb.SessionStart(session=to_session(event.session), resumed=event.resumed)
            return "session_start", start
        case ev.TransitionTried():
            return "state_transition", _transition(event)
        case ev.StateChanged():
            change = pb.StateChange(old=STATES[event.old], new=STATES[event.new], reason=event.reason)
            return "state_change", change
        case ev.QualityUpdated():
            return "quality_update", _quality(event)
        case ev.GateChanged(judged, passed):
            gate, measure = judged.measure.name, to_measure(judged)
            if passed:
                return "quality_gate_passed", pb.QualityGatePassed(gate=gate, measure=measure)
            return "quality_gate_failed", pb.QualityGateFailed(gate=gate, measure=measure)
        case ev.CaptureStarted():
            duration = to_duration(event.countdown_s)
            return "capture_start", pb.CaptureStart(attempt=event.attempt, countdown_duration=duration)
        case ev.CaptureProgressed():
            return "capture_progress", pb.CaptureProgress(fraction=event.fraction)
        case ev.CaptureCompleted():
            complete = pb.CaptureComplete(
                captured=to_captured(event.captured),
                measures=map(to_measure, event.measures),
                window_frames=event.window_frames,
            )
            return "capture_complete", complete
        case ev.Warned():
            return "warning", pb.Warning(code=event.code, count=event.count)
        case ev.Failed():
            return "error", pb.SessionError(status=to_status(event.error, ""))
        case ev.ChallengeGiven() | ev.ChallengeMet() | ev.ChallengeFailed() | ev.LivenessDecided():
            return "liveness", _liveness(event)
        case ev.Verified():
            return "verification", to_verification(event.verification)
        case ev.SessionEnded():
            return "session_end", pb.SessionEnd(session=to_session(event.session))
        case ev.GuidanceGiven() | ev.DocumentRead():
            raise ValueError("encoded apart")
        case _:
            assert_never(event)


def _transition(event: ev.TransitionTried) -> pb.StateTransition:
    message = pb.StateTransition(
        trigger=event.trigger,
        to=session_pb2.SESSION_STATE_UNSPECIFIED if event.to is None else STATES[event.to],
        accepted=event.accepted,
        guards=[
            pb.GuardResult(
                name=guard.guard,
                passed=guard.passed,
                actual=guard.actual,
                required=guard.required,
                unit=guard.unit,
                failing=guard.failing,
            )
            for guard in event.guards
        ],
        state_duration=to_duration(event.state_s),
        session_duration=to_duration(event.session_s),
        attempt_count=event.attempt_count,
    )
    setattr(message, "from", STATES[event.source])  # a word of Python
    return message


def _quality(event: ev.QualityUpdated) -> pb.QualityUpdate:
    message = pb.QualityUpdate(
        measures=map(to_measure, event.measures),
        score=event.score,
        passed=event.passed,
        image_size=geometry_pb2.ImageSize(width_px=event.width_px, height_px=event.height_px),
        frames=to_frames(event.frames),
    )
    if event.subject is not None:
        message.subject.CopyFrom(to_quad(event.subject))
    if event.drift_px is not None:
        message.drift_px = event.drift_px
    return message


def _liveness(
    event: ev.ChallengeGiven | ev.ChallengeMet | ev.ChallengeFailed | ev.LivenessDecided,
) -> pb.LivenessEvent:
    match event:
        case ev.ChallengeGiven():
            given = pb.ChallengeGiven(
                challenge=CHALLENGES[event.challenge],
                number=event.number,
                total=event.total,
                time_limit=to_duration(event.time_limit_s),
            )
            return pb.LivenessEvent(challenge_given=given)
        case ev.ChallengeMet():
            return pb.LivenessEvent(challenge_met=pb.ChallengeMet(challenge=CHALLENGES[event.challenge]))
        case ev.ChallengeFailed():
            failed = pb.ChallengeFailed(challenge=CHALLENGES[event.challenge], reason=event.reason)
            return pb.LivenessEvent(challenge_failed=failed)
        case ev.LivenessDecided():
            result = pb.LivenessResult(verdict=to_liveness(event.passed), method=event.method)
            return pb.LivenessEvent(result=result)
        case _:
            assert_never(event)
