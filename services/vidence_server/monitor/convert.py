"""Between what is told of people and its messages. Nothing is decided here."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.protobuf.timestamp_pb2 import Timestamp

from vidence.event.v1 import event_pb2
from vidence.monitor.v1 import monitor_events_pb2
from vidence.type.v1 import geometry_pb2, image_pb2
from vidence_server.access.principal import DEFAULT_TENANT
from vidence_server.monitor.domain.appearances import (
    LeaveReason,
    PersonAppeared,
    PersonChange,
    PersonIdentified,
    PersonLeft,
    Snapshot,
)
from vidence_server.storage.outbox import OutboxEvent
from vidence_server.vision.faces.face import Box

EVENT_SOURCE = "vidence/monitor"
"""Who tells these events."""
_REASONS = {
    LeaveReason.LEFT: monitor_events_pb2.LEAVE_REASON_LEFT,
    LeaveReason.REPLACED: monitor_events_pb2.LEAVE_REASON_REPLACED,
    LeaveReason.SOURCE_ENDED: monitor_events_pb2.LEAVE_REASON_SOURCE_ENDED,
    LeaveReason.SOURCE_LOST: monitor_events_pb2.LEAVE_REASON_SOURCE_LOST,
    LeaveReason.STOPPED: monitor_events_pb2.LEAVE_REASON_STOPPED,
    LeaveReason.INTERRUPTED: monitor_events_pb2.LEAVE_REASON_INTERRUPTED,
}


def to_event(change: PersonChange) -> event_pb2.Event:
    """What the bus is told. Something happens to an appearance once, so its id names that."""
    match change:
        case PersonAppeared():
            event = _envelope(change, "appeared")
            event.data.Pack(_appeared(change))
        case PersonIdentified():
            event = _envelope(change, "identified")
            event.data.Pack(_identified(change))
        case PersonLeft():
            event = _envelope(change, "left")
            event.data.Pack(_left(change))
        case _:
            assert_never(change)
    return event


def to_outbox_event(change: PersonChange, tenant: str = DEFAULT_TENANT) -> OutboxEvent:
    """The same, as the outbox keeps it for a tenant's bus."""
    event = to_event(change)
    return OutboxEvent(
        tenant=tenant,
        source=event.source,
        event_id=event.id,
        type=event.type,
        subject=event.subject,
        encoded=event.SerializeToString(),
        create_time=change.time,
    )


def to_json(change: PersonChange) -> str:
    """The event as one line of ProtoJSON, without its place in a log."""
    return MessageToJson(to_event(change), preserving_proto_field_name=True, indent=None)


def _envelope(change: PersonChange, what: str) -> event_pb2.Event:
    return event_pb2.Event(
        source=EVENT_SOURCE,
        id=f"{change.appearance_id}/{what}",
        type=f"person.{what}",
        subject=f"monitors/{change.monitor}/appearances/{change.appearance_id}",
        severity=event_pb2.SEVERITY_INFO,
        occurrence_time=_timestamp(change.time),
        attributes={"monitor": change.monitor},
    )


def _appeared(change: PersonAppeared) -> monitor_events_pb2.PersonAppeared:
    sight = change.sight
    return monitor_events_pb2.PersonAppeared(
        appearance_id=change.appearance_id,
        monitor=change.monitor,
        first_seen_time=_timestamp(change.first_seen),
        source_position=_position(change.position_s),
        frame_size=geometry_pb2.ImageSize(width_px=sight.width_px, height_px=sight.height_px),
        face_box=_quad(sight.box),
        confidence=min(1.0, max(0.0, sight.confidence)),
        snapshot=None if change.snapshot is None else _image(change.snapshot),
    )


def _identified(change: PersonIdentified) -> monitor_events_pb2.PersonIdentified:
    return monitor_events_pb2.PersonIdentified(
        appearance_id=change.appearance_id,
        monitor=change.monitor,
        name=change.name,
        similarity=change.similarity,
        threshold=change.threshold,
        model=change.model,
        source_position=_position(change.position_s),
    )


def _left(change: PersonLeft) -> monitor_events_pb2.PersonLeft:
    return monitor_events_pb2.PersonLeft(
        appearance_id=change.appearance_id,
        monitor=change.monitor,
        reason=_REASONS[change.reason],
        first_seen_time=_timestamp(change.first_seen),
        last_seen_time=_timestamp(change.last_seen),
        source_position=_position(change.position_s),
    )


def _image(snapshot: Snapshot) -> image_pb2.ImageRef:
    return image_pb2.ImageRef(
        id=snapshot.image_id,
        sha256=snapshot.sha256,
        media_type="image/jpeg",
        width_px=snapshot.width_px,
        height_px=snapshot.height_px,
        expire_time=_timestamp(snapshot.expire_time),
    )


def _quad(box: Box) -> geometry_pb2.Quad:
    corners = ((box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom))
    top_left, top_right, bottom_right, bottom_left = (geometry_pb2.Point(x=x, y=y) for x, y in corners)
    return geometry_pb2.Quad(
        top_left=top_left, top_right=top_right, bottom_right=bottom_right, bottom_left=bottom_left
    )


def _timestamp(time: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp


def _position(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration
