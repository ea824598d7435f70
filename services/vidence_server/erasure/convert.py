"""Between the domain of purges and its messages. Nothing is decided here."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from vidence.erasure.v1 import erasure_events_pb2
from vidence.erasure.v1 import erasure_pb2 as pb
from vidence.event.v1 import event_pb2
from vidence_server.core.erasure import Erasure
from vidence_server.erasure.domain.purge import Purge, ServicePart
from vidence_server.runtime.erasure_client import to_kind_counts
from vidence_server.storage.outbox import OutboxEvent

EVENT_SOURCE = "vidence/erasure"
"""Who tells the events of this service."""


class Codec:
    """Makes messages of what is told; fits `ports.Codec`."""

    def purged(self, purge: Purge) -> OutboxEvent:
        """The event that a purge is complete."""
        when = purge.complete_time or purge.create_time
        event = event_pb2.Event(
            source=EVENT_SOURCE,
            id=purge.id,
            type="subject.purged",
            subject=f"purges/{purge.id}",
            severity=event_pb2.SEVERITY_INFO,
            occurrence_time=_timestamp(when),
        )
        event.data.Pack(
            erasure_events_pb2.SubjectPurged(
                purge_id=purge.id, erased_count=purge.erased, receipt_hash=purge.receipt_hash
            )
        )
        return OutboxEvent(
            tenant=purge.tenant,
            source=event.source,
            event_id=event.id,
            type=event.type,
            subject=event.subject,
            encoded=event.SerializeToString(),
            create_time=when,
        )


def to_purge(purge: Purge) -> pb.Purge:
    """A purge."""
    return pb.Purge(
        purge_id=purge.id,
        state=pb.PurgeState.Value(f"PURGE_STATE_{purge.state.value}"),
        subject_digest=purge.subject_digest,
        request_id=purge.request_id,
        create_time=_timestamp(purge.create_time),
        complete_time=None if purge.complete_time is None else _timestamp(purge.complete_time),
        attempt_count=purge.attempts,
        services=map(_part, purge.parts),
        receipt=purge.receipt,
        receipt_hash=purge.receipt_hash,
    )


def _part(part: ServicePart) -> pb.ServiceErasure:
    return pb.ServiceErasure(
        service=part.service, done=part.done, reason=part.reason, kinds=to_kind_counts(Erasure(part.kinds))
    )


def _timestamp(time: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(time)
    return made
