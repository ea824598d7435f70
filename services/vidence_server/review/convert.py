"""Between the domain of reviews and its messages. Nothing is decided here."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from google.protobuf.timestamp_pb2 import Timestamp

from vidence.event.v1 import event_pb2
from vidence.review.v1 import review_events_pb2, review_pb2
from vidence.review.v1 import review_service_pb2 as pb
from vidence_server.review.domain.events import (
    Change,
    Claimed,
    Decided,
    Noted,
    Presence,
    Released,
    ReviewEvent,
)
from vidence_server.review.domain.review import Attendant, Note, Review, Verdict
from vidence_server.review.store import Name
from vidence_server.runtime.service_logs import Encoder, Place
from vidence_server.storage.outbox import OutboxEvent

EVENT_SOURCE = "vidence/review"
"""Who tells the events of this service."""


class Codec:
    """Makes messages of what is told; fits `ledger.Codec`."""

    def entry(self, name: Name, event: ReviewEvent) -> Encoder:
        """An entry of a review's log."""

        def encode(place: Place) -> bytes:
            entry = to_event(event)
            entry.sequence = place.sequence
            entry.emit_time.FromNanoseconds(place.time_ns)
            entry.subject = name.subject
            return entry.SerializeToString()

        return encode

    def changed(self, event: Change) -> OutboxEvent:
        """The event that a review was changed."""
        return _outbox(event.review, event.review.revision, _kind(event))

    def deleted(self, review: Review) -> OutboxEvent:
        """The event that a review was deleted."""
        return _outbox(review, review.revision + 1, "review.deleted")


def to_event(event: ReviewEvent) -> pb.ReviewEvent:
    """The payload of an entry; its place is set by the caller."""
    match event:
        case Claimed():
            claimed = pb.ReviewClaimed(review=to_review(event.review), taken_over=event.taken_over)
            return pb.ReviewEvent(claimed=claimed)
        case Released():
            return pb.ReviewEvent(released=pb.ReviewReleased(review=to_review(event.review)))
        case Noted():
            added = pb.NoteAdded(review=to_review(event.review), note=to_note(event.note))
            return pb.ReviewEvent(note_added=added)
        case Decided():
            return pb.ReviewEvent(decided=pb.ReviewDecided(review=to_review(event.review)))
        case Presence():
            presence = pb.ReviewPresence(attendants=map(to_attendant, event.attendants))
            return pb.ReviewEvent(presence=presence)
        case _:
            assert_never(event)


def to_review(review: Review) -> review_pb2.Review:
    """A review."""
    made = review_pb2.Review(
        subject=review.subject,
        revision=review.revision,
        note_count=review.note_count,
        create_time=_timestamp(review.create_time),
        update_time=_timestamp(review.update_time),
    )
    if review.claim is not None:
        made.claim.reviewer = review.claim.reviewer
        made.claim.claim_time.FromDatetime(review.claim.time)
    if review.decision is not None:
        made.decision.verdict = to_verdict(review.decision.verdict)
        made.decision.reviewer = review.decision.reviewer
        made.decision.decide_time.FromDatetime(review.decision.time)
    return made


def to_note(note: Note) -> review_pb2.Note:
    """A note."""
    return review_pb2.Note(
        note_id=note.id, reviewer=note.reviewer, text=note.text, create_time=_timestamp(note.time)
    )


def to_attendant(attendant: Attendant) -> review_pb2.Attendant:
    """Somebody who looks at a review."""
    return review_pb2.Attendant(
        attendance_id=attendant.id, reviewer=attendant.reviewer, since_time=_timestamp(attendant.since)
    )


def to_verdict(verdict: Verdict) -> review_pb2.Verdict.ValueType:
    """What was decided."""
    return review_pb2.Verdict.Value(f"VERDICT_{verdict.value}")


def of_verdict(verdict: review_pb2.Verdict.ValueType) -> Verdict:
    """The same back."""
    return Verdict(review_pb2.Verdict.Name(verdict).removeprefix("VERDICT_"))


def _timestamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    made = Timestamp()
    made.FromDatetime(time)
    return made


def _kind(event: Change) -> str:
    match event:
        case Claimed():
            return "review.claimed"
        case Released():
            return "review.released"
        case Noted():
            return "review.noted"
        case Decided():
            return "review.decided"
        case _:
            assert_never(event)


def _outbox(review: Review, revision: int, kind: str) -> OutboxEvent:
    data = review_events_pb2.ReviewChanged(
        review_subject=review.subject,
        revision=revision,
        claimed=review.claim is not None,
        verdict=review_pb2.VERDICT_UNSPECIFIED
        if review.decision is None
        else to_verdict(review.decision.verdict),
        note_count=review.note_count,
    )
    when = review.update_time
    if when is None:
        raise ValueError("a review that is told of was changed")
    event = event_pb2.Event(
        source=EVENT_SOURCE,
        # Of the time too: a review that is deleted may be begun again.
        id=f"{review.subject}/{revision}/{int(when.timestamp() * 1e6)}",
        type=kind,
        subject=f"reviews/{review.subject}",
        severity=event_pb2.SEVERITY_INFO,
        occurrence_time=_timestamp(when),
    )
    event.data.Pack(data)
    return OutboxEvent(
        tenant=review.tenant,
        source=event.source,
        event_id=event.id,
        type=event.type,
        subject=event.subject,
        encoded=event.SerializeToString(),
        create_time=when,
    )
