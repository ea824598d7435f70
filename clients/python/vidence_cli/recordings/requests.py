"""The requests of watch streams: how they begin and how they go on."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

from vidence.batch.v1 import batch_service_pb2
from vidence.event.v1 import event_service_pb2
from vidence.job.v1 import job_service_pb2

WatchRequest: TypeAlias = (
    event_service_pb2.SubscribeRequest
    | event_service_pb2.WatchStatisticsRequest
    | batch_service_pb2.WatchBatchRequest
    | job_service_pb2.WatchJobRequest
)
_Other = TypeVar(
    "_Other",
    event_service_pb2.WatchStatisticsRequest,
    batch_service_pb2.WatchBatchRequest,
    job_service_pb2.WatchJobRequest,
)


def resumed(request: WatchRequest, cursor: str) -> WatchRequest:
    """The same request, after a cursor; an empty one changes nothing."""
    copy = type(request).FromString(request.SerializeToString())
    if cursor:
        copy.after_cursor = cursor
    return copy


def like(request: event_service_pb2.SubscribeRequest, kind: type[_Other]) -> _Other:
    """A request of another watch stream that starts like this one: the shared fields have one number."""
    bare = event_service_pb2.SubscribeRequest()
    bare.CopyFrom(request)
    bare.ClearField("filter")
    return kind.FromString(bare.SerializeToString())
