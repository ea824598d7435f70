"""Between the domain of batches and its messages. Nothing is decided here."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from google.protobuf.timestamp_pb2 import Timestamp

from vidence.batch.v1 import batch_pb2
from vidence.batch.v1 import batch_service_pb2 as pb
from vidence.extraction.v1 import document_pb2
from vidence_server.batch.domain.batch import Batch, Image, Item
from vidence_server.batch.domain.events import (
    BatchEvent,
    ItemFailed,
    ItemFiled,
    ItemRead,
    Progress,
    RunEnded,
    RunStarted,
)
from vidence_server.batch.domain.limits import media_type_of
from vidence_server.batch.domain.states import BatchState, ItemState, Stage
from vidence_server.batch.status_convert import to_failure_status, to_filing
from vidence_server.runtime.status import to_duration


def to_batch_event(event: BatchEvent) -> pb.BatchEvent:
    """The payload of an entry; its place is set by the caller."""
    match event:
        case RunStarted():
            return pb.BatchEvent(batch_start=batch_pb2.BatchStart(total=event.total, done=event.done))
        case Progress():
            return pb.BatchEvent(progress=_progress(event))
        case ItemRead():
            result = batch_pb2.BatchResult(
                index=event.index,
                file_name=event.file_name,
                document=document_pb2.Document.FromString(event.document),
                attempt=event.attempt,
                duration=to_duration(event.duration_s),
            )
            return pb.BatchEvent(result=result)
        case ItemFailed():
            error = batch_pb2.BatchError(
                index=event.index,
                file_name=event.file_name,
                reason=event.failure.reason,
                error=to_failure_status(event.failure),
                attempt_count=event.attempts,
            )
            return pb.BatchEvent(error=error)
        case ItemFiled():
            filing = batch_pb2.BatchFiling(
                index=event.index, file_name=event.file_name, filing=to_filing(event.filing)
            )
            return pb.BatchEvent(filing=filing)
        case RunEnded():
            return pb.BatchEvent(complete=to_complete(event.batch))
        case _:
            assert_never(event)


def to_process_responses(message: bytes) -> list[pb.ProcessBatchResponse]:
    """The messages of a call from a stretch of its batch's log; the stream numbers them."""
    responses: list[pb.ProcessBatchResponse] = []
    for event in pb.WatchBatchResponse.FromString(message).events:
        response = pb.ProcessBatchResponse()
        match event.WhichOneof("payload"):
            case "batch_start":
                response.batch_start.CopyFrom(event.batch_start)
            case "progress":
                response.progress.CopyFrom(event.progress)
            case "result":
                response.result.CopyFrom(event.result)
            case "error":
                response.error.CopyFrom(event.error)
            case "filing":
                response.filing.CopyFrom(event.filing)
            case "complete":
                response.complete.CopyFrom(event.complete)
            case other:
                raise ValueError(f"a batch's log has no {other}")
        responses.append(response)
    return responses


def to_read_response(batch: Batch, items: list[Item]) -> pb.ReadBatchResponse:
    """The unary answer."""
    return pb.ReadBatchResponse(
        outcomes=map(_outcome, items), statistics=to_statistics(batch), timing=to_timing(batch)
    )


def to_image(image: batch_pb2.BatchImage) -> Image:
    """An image as it was submitted."""
    return Image(image.content, image.file_name, image.document_type, image.pdf_page or 1, image.subject_id)


def to_batch(batch: Batch) -> batch_pb2.Batch:
    """A batch."""
    counts = batch.counts
    return batch_pb2.Batch(
        batch_id=batch.id,
        state=to_batch_state(batch.state),
        run=batch.run,
        counts=batch_pb2.BatchCounts(
            total=counts.total,
            queued=counts.queued,
            running=counts.running,
            succeeded=counts.succeeded,
            failed=counts.failed,
            cancelled=counts.cancelled,
            filing=counts.filing,
            filed=counts.filed,
            unfiled=counts.unfiled,
        ),
        size_bytes=batch.size_bytes,
        document_type=batch.document_type,
        create_time=timestamp(batch.create_time),
        start_time=timestamp(batch.start_time),
        end_time=timestamp(batch.end_time),
        expire_time=timestamp(batch.expire_time),
        library_id=batch.library_id,
    )


def to_item(item: Item) -> batch_pb2.BatchItem:
    """An item, with what was read where it was asked for."""
    read = item.state is ItemState.SUCCEEDED and item.result is not None
    failed = item.state is ItemState.FAILED and item.failure is not None
    return batch_pb2.BatchItem(
        index=item.index,
        file_name=item.file_name,
        state=batch_pb2.ItemState.Value(f"ITEM_STATE_{item.state.value}"),
        sha256=item.sha256,
        size_bytes=item.size_bytes,
        attempt_count=item.attempt,
        document=document_pb2.Document.FromString(item.result or b"") if read else None,
        error=to_failure_status(item.failure) if failed and item.failure else None,
        duration=to_duration(item.duration_ms / 1000) if item.state.ended else None,
        end_time=timestamp(item.end_time),
        filing=None if item.filing is None else to_filing(item.filing),
        image_expire_time=timestamp(item.image_expire_time),
    )


def to_image_start(item: Item, first: bytes) -> pb.ItemImageStart:
    """What image an item has, of which these are the first bytes."""
    return pb.ItemImageStart(
        index=item.index,
        file_name=item.file_name,
        sha256=item.sha256,
        media_type=media_type_of(first) or "application/octet-stream",
        size_bytes=item.size_bytes,
    )


def to_complete(batch: Batch) -> batch_pb2.BatchComplete:
    """How a run ended."""
    return batch_pb2.BatchComplete(
        state=to_batch_state(batch.state), statistics=to_statistics(batch), timing=to_timing(batch)
    )


def to_statistics(batch: Batch) -> batch_pb2.BatchStatistics:
    """What became of the items."""
    counts = batch.counts
    return batch_pb2.BatchStatistics(
        total=counts.total,
        succeeded=counts.succeeded,
        failed=counts.failed,
        cancelled=counts.cancelled,
        retried=batch.retried,
        size_bytes=batch.size_bytes,
        filed=counts.filed,
        unfiled=counts.unfiled,
    )


def to_timing(batch: Batch) -> batch_pb2.BatchTiming:
    """Where the time of a run went."""
    first_s = batch.first_result_s
    return batch_pb2.BatchTiming(
        total_duration=to_duration(batch.total_s),
        first_result_duration=None if first_s is None else to_duration(first_s),
        work_duration=to_duration(batch.work_ms / 1000),
    )


def to_batch_state(state: BatchState) -> batch_pb2.BatchState.ValueType:
    """A state of a batch."""
    return batch_pb2.BatchState.Value(f"BATCH_STATE_{state.value}")


def of_batch_state(state: batch_pb2.BatchState.ValueType) -> BatchState:
    """The same back."""
    return BatchState(batch_pb2.BatchState.Name(state).removeprefix("BATCH_STATE_"))


def of_item_state(state: batch_pb2.ItemState.ValueType) -> ItemState:
    """A state of an item."""
    return ItemState(batch_pb2.ItemState.Name(state).removeprefix("ITEM_STATE_"))


def timestamp(time: datetime | None) -> Timestamp | None:
    """A time; None stays None, an unset field."""
    if time is None:
        return None
    made = Timestamp()
    made.FromDatetime(time)
    return made


def _progress(event: Progress) -> batch_pb2.BatchProgress:
    stages = {
        Stage.READING: batch_pb2.BATCH_STAGE_READING,
        Stage.DONE: batch_pb2.BATCH_STAGE_DONE,
        Stage.RETRY: batch_pb2.BATCH_STAGE_RETRY,
    }
    return batch_pb2.BatchProgress(
        current=event.current,
        total=event.total,
        index=event.index,
        file_name=event.file_name,
        stage=stages[event.stage],
        attempt=event.attempt,
    )


def _outcome(item: Item) -> pb.BatchOutcome:
    outcome = pb.BatchOutcome(index=item.index, file_name=item.file_name)
    if item.failure is not None and item.state is ItemState.FAILED:
        outcome.error.CopyFrom(to_failure_status(item.failure))
    else:
        outcome.document.CopyFrom(document_pb2.Document.FromString(item.result or b""))
    if item.filing is not None:
        outcome.filing.CopyFrom(to_filing(item.filing))
    return outcome
