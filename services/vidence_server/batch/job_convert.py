"""Between the domain of jobs and its messages. Nothing is decided here."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from google.protobuf.timestamp_pb2 import Timestamp

from vidence.extraction.v1 import document_pb2
from vidence.job.v1 import job_pb2, worker_service_pb2
from vidence.job.v1 import job_service_pb2 as pb
from vidence_server.batch.domain.batch import Image, Item
from vidence_server.batch.domain.events import JobAttempted, JobEnded, JobEvent, JobRetried
from vidence_server.batch.domain.states import ItemState
from vidence_server.batch.domain.work import Directive, Done, Lease, LeaseRef, Outcome, Presence, WorkerView
from vidence_server.batch.jobs import QueueReport
from vidence_server.batch.status_convert import of_failure_status, to_failure_status, to_filing
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.status import to_duration


def to_job_event(event: JobEvent) -> pb.JobEvent:
    """The payload of an entry; its place is set by the caller."""
    match event:
        case JobAttempted():
            return pb.JobEvent(attempt=job_pb2.JobAttempt(attempt=event.attempt))
        case JobRetried():
            retry = job_pb2.JobRetry(
                attempt=event.attempt,
                error=to_failure_status(event.failure),
                delay=to_duration(event.delay_s),
            )
            return pb.JobEvent(retry=retry)
        case JobEnded():
            complete = job_pb2.JobComplete(
                state=_state(event.state),
                result=None if event.result is None else to_result(event.result),
                error=None if event.failure is None else to_failure_status(event.failure),
                attempt_count=event.attempts,
                filing=None if event.filing is None else to_filing(event.filing),
            )
            return pb.JobEvent(complete=complete)
        case _:
            assert_never(event)


def to_job(job: Item) -> job_pb2.Job:
    """A job, with its result where it was asked for."""
    read = job.state is ItemState.SUCCEEDED and job.result is not None
    return job_pb2.Job(
        job_id=job.id,
        operation=job.operation,
        state=_state(job.state),
        run=job.run,
        attempt_count=job.attempt,
        max_attempts=job.max_attempts,
        result=to_result(job.result or b"") if read else None,
        error=None if job.failure is None else to_failure_status(job.failure),
        create_time=_timestamp(job.create_time),
        end_time=_timestamp(job.end_time),
        expire_time=_timestamp(job.expire_time),
        filing=None if job.filing is None else to_filing(job.filing),
    )


def to_result(result: bytes) -> job_pb2.JobResult:
    """What came of an operation."""
    return job_pb2.JobResult(document=document_pb2.Document.FromString(result))


def to_image(operation: job_pb2.ReadDocumentOperation) -> Image:
    """The image that is to be read."""
    return Image(
        operation.content, "", operation.document_type, operation.pdf_page or 1, operation.subject_id
    )


def to_dead_letter(item: Item) -> job_pb2.DeadLetter:
    """An item that failed after all its attempts."""
    return job_pb2.DeadLetter(
        item_id=item.id,
        batch_id=item.batch_id or "",
        index=item.index,
        job_id="" if item.batch_id else item.id,
        attempt_count=item.attempt,
        error=None if item.failure is None else to_failure_status(item.failure),
        end_time=_timestamp(item.end_time),
    )


def to_queue_statistics(report: QueueReport, workers: list[WorkerView]) -> job_pb2.QueueStatistics:
    """The numbers of the queue."""
    numbers = report.numbers
    oldest_s = 0.0
    if numbers.oldest_available is not None:
        oldest_s = max(0.0, (report.now - numbers.oldest_available).total_seconds())
    return job_pb2.QueueStatistics(
        waiting=numbers.waiting,
        delayed=numbers.delayed,
        leased=numbers.leased,
        dead_letters=report.dead_letters,
        oldest_wait_duration=to_duration(oldest_s),
        workers=len(workers),
        capacity=sum(worker.concurrency for worker in workers if not worker.draining),
    )


def to_worker(worker: WorkerView) -> job_pb2.Worker:
    """A worker as operators see it."""
    return job_pb2.Worker(
        worker_id=worker.worker_id,
        name=worker.name,
        state=job_pb2.WORKER_STATE_DRAINING if worker.draining else job_pb2.WORKER_STATE_ACTIVE,
        concurrency=worker.concurrency,
        running_count=worker.running,
        completed_count=worker.completed,
        operations=worker.operations,
        start_time=_timestamp(worker.start_time),
        last_seen_time=_timestamp(worker.last_seen_time),
    )


def of_job_state(state: job_pb2.JobState.ValueType) -> ItemState:
    """A state of a job."""
    return ItemState(job_pb2.JobState.Name(state).removeprefix("JOB_STATE_"))


def of_presence(worker: worker_service_pb2.WorkerPresence) -> Presence:
    """What a worker says of itself."""
    return Presence(
        worker.worker_id, worker.name, worker.concurrency, tuple(worker.operations), worker.running_count
    )


def to_presence(worker: Presence) -> worker_service_pb2.WorkerPresence:
    """The same, to be sent."""
    return worker_service_pb2.WorkerPresence(
        worker_id=worker.worker_id,
        name=worker.name,
        concurrency=worker.concurrency,
        operations=worker.operations,
        running_count=worker.running,
    )


def to_directive(directive: Directive) -> worker_service_pb2.WorkerDirective:
    """What a worker is asked to do."""
    return worker_service_pb2.WorkerDirective(drain=directive.drain, concurrency=directive.concurrency)


def of_directive(directive: worker_service_pb2.WorkerDirective) -> Directive:
    """The same, received."""
    return Directive(directive.drain, directive.concurrency)


def to_ref(ref: LeaseRef) -> worker_service_pb2.LeaseRef:
    """The name of a lease."""
    return worker_service_pb2.LeaseRef(item_id=ref.item_id, lease_token=ref.token)


def of_ref(ref: worker_service_pb2.LeaseRef) -> LeaseRef:
    """The same, received."""
    return LeaseRef(ref.item_id, ref.lease_token)


def to_lease(lease: Lease) -> worker_service_pb2.LeasedItem:
    """An item for a worker."""
    return worker_service_pb2.LeasedItem(
        lease=to_ref(lease.ref),
        lease_duration=to_duration(lease.duration_s),
        attempt=lease.attempt,
        read_document=job_pb2.ReadDocumentOperation(
            document_type=lease.document_type, pdf_page=lease.pdf_page
        ),
    )


def of_lease(item: worker_service_pb2.LeasedItem) -> Lease:
    """The same, received."""
    operation = item.WhichOneof("operation")
    if operation is None:
        raise DomainError(Reason.REQUEST_INVALID, "The item asks for an operation that is not known here.")
    return Lease(
        ref=of_ref(item.lease),
        attempt=item.attempt,
        duration_s=item.lease_duration.ToNanoseconds() / 1e9,
        operation=operation,
        document_type=item.read_document.document_type,
        pdf_page=item.read_document.pdf_page or 1,
    )


def of_outcome(request: worker_service_pb2.CompleteItemRequest) -> Outcome:
    """What came of an attempt."""
    if request.HasField("error"):
        return of_failure_status(request.error)
    return Done(request.result.document.SerializeToString())


def _state(state: ItemState) -> job_pb2.JobState.ValueType:
    return job_pb2.JobState.Value(f"JOB_STATE_{state.value}")


def _timestamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    made = Timestamp()
    made.FromDatetime(time)
    return made
