"""Which events are wanted, and where a watch starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from vidence.batch.v1 import batch_service_pb2
from vidence.capture.v1 import capture_service_pb2
from vidence.event.v1 import event_pb2, event_service_pb2
from vidence.job.v1 import job_service_pb2
from vidence.library.v1 import library_service_pb2
from vidence.review.v1 import review_service_pb2
from vidence.stream.v1 import stream_control_pb2

WatchRequest = (
    event_service_pb2.SubscribeRequest
    | event_service_pb2.WatchStatisticsRequest
    | batch_service_pb2.WatchBatchRequest
    | job_service_pb2.WatchJobRequest
    | capture_service_pb2.WatchSessionRequest
    | capture_service_pb2.WatchSessionsRequest
    | library_service_pb2.WatchLibraryRequest
    | library_service_pb2.WatchQueryRequest
    | review_service_pb2.WatchReviewRequest
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which events are wanted: all conditions that are set must hold; within a sequence one match is enough.

    Attributes:
        types: Types, with `*` for any run of characters.
        sources: Sources, with `*` likewise.
        subject: Subject, with `*` likewise; empty: all.
        attributes: Attributes that must be there with these values; an empty value asks only for presence.
        minimum_severity: This severity and above.
    """

    types: Sequence[str] = ()
    sources: Sequence[str] = ()
    subject: str = ""
    attributes: Mapping[str, str] | None = None
    minimum_severity: event_pb2.Severity.ValueType = event_pb2.SEVERITY_UNSPECIFIED

    def to_filter(self) -> event_pb2.EventFilter:
        """Makes the message."""
        return event_pb2.EventFilter(
            types=self.types,
            sources=self.sources,
            subject_pattern=self.subject,
            attributes=self.attributes,
            minimum_severity=self.minimum_severity,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStart:
    """Where a watch starts and what its server shall do; what the requests of all watches share.

    Attributes:
        after: After the message or event with this cursor; empty: not given.
        since: At the first event accepted at or after this time, with a time zone.
        from_start: At the oldest event that is kept. Without any of the three: what comes from now on.
        skip_expired: Whether a start that is no longer kept is answered by a gap instead of CURSOR_EXPIRED.
        on_overflow: What to do when this subscriber falls behind.
        heartbeat_period_s: How often the stream shows that it is alive, 1–300 s; None: the server's default.
    """

    after: str = ""
    since: datetime | None = None
    from_start: bool = False
    skip_expired: bool = False
    on_overflow: stream_control_pb2.OnOverflow.ValueType = stream_control_pb2.ON_OVERFLOW_UNSPECIFIED
    heartbeat_period_s: float | None = None

    def __post_init__(self) -> None:
        if bool(self.after) + (self.since is not None) + self.from_start > 1:
            raise ValueError("a watch starts at one of `after`, `since` and `from_start`")

    def apply(self, request: WatchRequest, after: str) -> None:
        """Fills the shared fields of a request.

        Args:
            request: The request.
            after: Where an earlier connection stood; empty: this is the first.
        """
        if after or self.after:
            request.after_cursor = after or self.after
        elif self.since is not None:
            request.since_time.FromDatetime(self.since)
        elif self.from_start:
            request.position = stream_control_pb2.START_POSITION_EARLIEST
        if self.skip_expired:
            request.on_expired = stream_control_pb2.ON_EXPIRED_GAP
        request.on_overflow = self.on_overflow
        if self.heartbeat_period_s is not None:
            request.heartbeat_period.FromTimedelta(timedelta(seconds=self.heartbeat_period_s))
