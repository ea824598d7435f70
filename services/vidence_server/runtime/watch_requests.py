"""What all watch requests share: where to start, and what to do when that is gone or the reader is slow."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from vidence.stream.v1 import stream_control_pb2 as pb
from vidence_server.runtime.watch_streams import WatchRequest
from vidence_server.streams.cursor import Cursor
from vidence_server.streams.requests import (
    AfterCursor,
    Earliest,
    Filter,
    Latest,
    OnExpired,
    OnOverflow,
    SinceTime,
    Start,
)

_NS = 1_000_000_000
_Oneof: TypeAlias = Literal["start"]


class WatchFields(Protocol):
    """The fields of every watch request of the suite; generated messages have them."""

    @property
    def after_cursor(self) -> str:
        """Resumes after a message of an earlier stream."""
        ...

    @property
    def since_time(self) -> Timestamp:
        """Starts at the first entry at or after a time."""
        ...

    @property
    def position(self) -> pb.StartPosition.ValueType:
        """Latest or earliest."""
        ...

    @property
    def on_expired(self) -> pb.OnExpired.ValueType:
        """What to do when the start is gone."""
        ...

    @property
    def on_overflow(self) -> pb.OnOverflow.ValueType:
        """What to do when the reader is slow."""
        ...

    @property
    def heartbeat_period(self) -> Duration:
        """How long the stream may be silent."""
        ...

    def HasField(self, field_name: Literal["heartbeat_period"], /) -> bool:  # noqa: N802 - protobuf's name
        """Whether a field is set."""
        ...

    def WhichOneof(self, oneof_group: _Oneof, /) -> str | None:  # noqa: N802 - protobuf's name
        """Which member of `start` is set."""
        ...


def to_watch_request(request: WatchFields, *, default: Start, wanted: Filter | None = None) -> WatchRequest:
    """What the shared fields say.

    Args:
        request: The message.
        default: Where the stream starts when nothing is said.
        wanted: Which entries; None: all, and none is looked at.

    Raises:
        DomainError: CURSOR_INVALID.
    """
    period_s = None
    if request.HasField("heartbeat_period"):
        period_s = request.heartbeat_period.ToNanoseconds() / _NS
    return WatchRequest(
        start=_start(request, default),
        on_expired=OnExpired(request.on_expired or OnExpired.FAIL),
        on_overflow=OnOverflow(request.on_overflow or OnOverflow.PARK),
        heartbeat_period_s=period_s,
        filter=wanted,
    )


def _start(request: WatchFields, default: Start) -> Start:
    match request.WhichOneof("start"):
        case "after_cursor":
            return AfterCursor(Cursor.parse(request.after_cursor))
        case "since_time":
            return SinceTime(request.since_time.ToNanoseconds())
        case "position" if request.position == pb.START_POSITION_EARLIEST:
            return Earliest()
        case "position" if request.position == pb.START_POSITION_LATEST:
            return Latest()
    return default
