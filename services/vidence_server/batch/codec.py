"""Makes the entries of logs, and the events for the bus, of what is told. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from vidence.batch.v1 import batch_events_pb2
from vidence.event.v1 import event_pb2
from vidence_server.batch import convert
from vidence_server.batch.domain.batch import Batch, Item
from vidence_server.batch.domain.events import BatchEvent, JobEvent
from vidence_server.batch.domain.states import BatchState
from vidence_server.batch.job_convert import to_job_event
from vidence_server.runtime.service_logs import Encoder, Place
from vidence_server.runtime.status import to_duration
from vidence_server.storage.outbox import OutboxEvent

EVENT_SOURCE = "vidence/batch"
"""Who tells the events of this service."""


class Codec:
    """Makes messages of what is told; fits `ledger.Codec`."""

    def batch_entry(self, event: BatchEvent, batch: Batch) -> Encoder:
        """An entry of a batch's log."""

        def encode(place: Place) -> bytes:
            entry = convert.to_batch_event(event)
            entry.sequence = place.sequence
            entry.emit_time.FromNanoseconds(place.time_ns)
            entry.batch_id = batch.id
            entry.run = batch.run
            return entry.SerializeToString()

        return encode

    def job_entry(self, event: JobEvent, job: Item) -> Encoder:
        """An entry of a job's log."""

        def encode(place: Place) -> bytes:
            entry = to_job_event(event)
            entry.sequence = place.sequence
            entry.emit_time.FromNanoseconds(place.time_ns)
            entry.job_id = job.id
            entry.run = job.run
            return entry.SerializeToString()

        return encode

    def started(self, batch: Batch) -> OutboxEvent:
        """The event that a run was started."""
        data = batch_events_pb2.BatchStarted(
            batch_id=batch.id,
            run=batch.run,
            item_count=batch.counts.total,
            start_time=convert.timestamp(batch.start_time),
        )
        return _outbox(batch, "batch.started", lambda event: event.data.Pack(data), batch.start_time)

    def ended(self, batch: Batch) -> OutboxEvent:
        """The event that a run ended."""
        kind = {BatchState.FAILED: "batch.failed", BatchState.CANCELLED: "batch.cancelled"}
        data = batch_events_pb2.BatchEnded(
            batch_id=batch.id,
            run=batch.run,
            state=convert.to_batch_state(batch.state),
            statistics=convert.to_statistics(batch),
            total_duration=to_duration(batch.total_s),
        )
        name = kind.get(batch.state, "batch.completed")
        return _outbox(batch, name, lambda event: event.data.Pack(data), batch.end_time)


def _outbox(
    batch: Batch, kind: str, fill: Callable[[event_pb2.Event], None], time: datetime | None
) -> OutboxEvent:
    when = time or batch.create_time
    event = event_pb2.Event(
        source=EVENT_SOURCE,
        # A run starts once and ends once.
        id=f"{batch.id}/{batch.run}/{'started' if kind == 'batch.started' else 'ended'}",
        type=kind,
        subject=f"batches/{batch.id}",
        severity=event_pb2.SEVERITY_WARNING if kind == "batch.failed" else event_pb2.SEVERITY_INFO,
        occurrence_time=convert.timestamp(when),
    )
    fill(event)
    return OutboxEvent(
        tenant=batch.tenant,
        source=event.source,
        event_id=event.id,
        type=event.type,
        subject=event.subject,
        encoded=event.SerializeToString(),
        create_time=when,
    )
