"""The requests of watch streams: how they begin and how they go on."""

from __future__ import annotations

from typing import TypeAlias

from vidence.event.v1 import event_service_pb2

WatchRequest: TypeAlias = event_service_pb2.SubscribeRequest | event_service_pb2.WatchStatisticsRequest


def resumed(request: WatchRequest, cursor: str) -> WatchRequest:
    """The same request, after a cursor; an empty one changes nothing."""
    copy = type(request).FromString(request.SerializeToString())
    if cursor:
        copy.after_cursor = cursor
    return copy


def statistics_request(
    request: event_service_pb2.SubscribeRequest,
) -> event_service_pb2.WatchStatisticsRequest:
    """The request for statistics that starts like one for events: the shared fields have the same numbers."""
    bare = event_service_pb2.SubscribeRequest()
    bare.CopyFrom(request)
    bare.ClearField("filter")
    return event_service_pb2.WatchStatisticsRequest.FromString(bare.SerializeToString())
