"""Requests, answers and domain events of capture as messages. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from vidence.capture.v1 import capture_events_pb2, session_pb2
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.event.v1 import event_pb2
from vidence_server.capture.domain.results import Evidence
from vidence_server.capture.domain.states import LIVE, State
from vidence_server.capture.event_messages import CHALLENGES
from vidence_server.capture.frames import Fate, IncomingFrame
from vidence_server.capture.live import LiveSession
from vidence_server.capture.numbers import Totals
from vidence_server.capture.ports import EncodedPicture, Picture, RawPicture
from vidence_server.capture.record import SessionRecord
from vidence_server.capture.session_messages import (
    FAILURES,
    STATES,
    TARGETS,
    VERDICTS,
    to_frames,
    to_liveness,
    to_timestamp,
)
from vidence_server.runtime.status import to_duration
from vidence_server.storage.outbox import OutboxEvent

EVENT_SOURCE = "vidence/capture"
"""Who tells the events of this service."""
MAX_SESSIONS_TOLD = 1000
_FATES = {fate: pb.FrameFate.Value(f"FRAME_FATE_{fate}") for fate in Fate}


def to_incoming(frame: pb.Frame) -> IncomingFrame:
    """A frame as it was sent."""
    picture: Picture
    if frame.WhichOneof("picture") == "raw":
        picture = RawPicture(frame.raw.bgr, frame.raw.width_px, frame.raw.height_px)
    else:
        picture = EncodedPicture(frame.encoded)
    taken = frame.capture_time.ToDatetime(tzinfo=UTC) if frame.HasField("capture_time") else None
    return IncomingFrame(picture, frame.frame_number, taken)


def to_push_response(live: LiveSession, number: int, fate: Fate) -> pb.PushFrameResponse:
    """What became of a frame."""
    return pb.PushFrameResponse(
        frame_number=number, fate=_FATES[fate], state=STATES[live.state], cursor=live.log.cursor
    )


def to_pushed(live: LiveSession) -> pb.PushFramesResponse:
    """What became of the frames of a call."""
    return pb.PushFramesResponse(frames=to_frames(live.session.frames), state=STATES[live.state])


def to_evidence(evidence: Evidence) -> pb.GetSessionEvidenceResponse:
    """What verdicts rest on."""
    message = pb.GetSessionEvidenceResponse(
        passive=[
            pb.PassiveEvidence(
                scores=one.scores,
                mean=min(1.0, max(0.0, one.mean)),
                threshold=one.threshold,
                passed=one.passed,
            )
            for one in evidence.passive
        ],
        challenges=[
            pb.ChallengeEvidence(
                challenge=CHALLENGES[one.challenge],
                met=one.met,
                reason=one.reason,
                duration=to_duration(one.duration_s),
            )
            for one in evidence.challenges
        ],
        replay_signs=dict(evidence.replay_signs),
        models=evidence.models,
    )
    if evidence.portrait_similarity is not None:
        message.portrait_similarity = evidence.portrait_similarity
    if evidence.portrait_threshold is not None:
        message.portrait_threshold = evidence.portrait_threshold
    return message


def to_statistics(
    totals: Totals, sessions: Iterable[LiveSession], time: datetime
) -> pb.GetStreamStatisticsResponse:
    """The numbers of streams and frames."""
    told = [_of_session(live) for live in sessions]
    told.sort(key=lambda one: -one.watcher_count)
    live_states = {STATES[state] for state in LIVE}
    return pb.GetStreamStatisticsResponse(
        snapshot_time=to_timestamp(time),
        active_session_count=sum(one.state in live_states for one in told),
        session_count=len(told),
        pusher_count=totals.pushers,
        watcher_count=sum(one.watcher_count for one in told),
        frames=to_frames(totals.frames),
        total_events=totals.events,
        total_delivered=totals.delivered,
        total_heartbeats=totals.heartbeats,
        stale_removed=totals.stale_removed,
        dropped_by_reason=dict(totals.dropped),
        conflated_updates=totals.conflated,
        sessions=told[:MAX_SESSIONS_TOLD],
    )


def began(record: SessionRecord) -> OutboxEvent:
    """What the bus is told of a new session."""
    event = _event(record, "started", record.create_time)
    event.data.Pack(
        capture_events_pb2.SessionStarted(
            session_id=record.session_id,
            targets=[TARGETS[target] for target in record.plan.targets],
            reference=record.plan.reference,
            create_time=to_timestamp(record.create_time),
        )
    )
    return _outbox(record, event, record.create_time)


def ended(record: SessionRecord) -> OutboxEvent:
    """What the bus is told of a session that is over: that it is, never what was seen or read."""
    end_time = record.end_time or record.expire_time
    completed = record.state is State.COMPLETED
    event = _event(record, "completed" if completed else "failed", end_time)
    total = to_duration(max(0.0, (end_time - record.create_time).total_seconds()))
    if completed:
        event.data.Pack(
            capture_events_pb2.SessionCompleted(
                session_id=record.session_id,
                targets=[TARGETS[one.target] for one in record.captured],
                liveness=to_liveness(record.liveness_passed),
                verification=(
                    VERDICTS[record.verification.verdict]
                    if record.verification
                    else session_pb2.CHECK_VERDICT_UNSPECIFIED
                ),
                reference=record.plan.reference,
                total_duration=total,
            )
        )
    else:
        event.severity = event_pb2.SEVERITY_WARNING
        event.data.Pack(
            capture_events_pb2.SessionFailed(
                session_id=record.session_id,
                state=STATES[record.state],
                failure=(
                    FAILURES[record.failure] if record.failure else session_pb2.SESSION_FAILURE_UNSPECIFIED
                ),
                reference=record.plan.reference,
                total_duration=total,
            )
        )
    return _outbox(record, event, end_time)


def _event(record: SessionRecord, what: str, time: datetime) -> event_pb2.Event:
    return event_pb2.Event(
        source=EVENT_SOURCE,
        # A session begins once and ends once, so its id names both.
        id=f"{record.session_id}/{what}",
        type=f"session.{what}",
        subject=f"sessions/{record.session_id}",
        severity=event_pb2.SEVERITY_INFO,
        occurrence_time=to_timestamp(time),
    )


def _outbox(record: SessionRecord, event: event_pb2.Event, time: datetime) -> OutboxEvent:
    return OutboxEvent(
        tenant=record.tenant,
        source=event.source,
        event_id=event.id,
        type=event.type,
        subject=event.subject,
        encoded=event.SerializeToString(),
        create_time=time,
    )


def _of_session(live: LiveSession) -> pb.SessionStatistics:
    message = pb.SessionStatistics(
        session_id=live.record.session_id,
        state=STATES[live.state],
        watcher_count=live.log.statistics().subscribers,
        backlog_events=live.log.backlog(),
        log_events=live.log.events,
        log_bytes=live.log.bytes,
        frames=to_frames(live.session.frames),
    )
    if live.frame_s:
        message.mean_frame_duration.CopyFrom(to_duration(sum(live.frame_s) / len(live.frame_s)))
    return message
