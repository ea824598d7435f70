"""Between the domain of events and its messages. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from vidence.event.v1 import event_pb2, event_statistics_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence_server.core.errors import DomainError, Reason
from vidence_server.event.domain.event import NO_ATTRIBUTES, EventHeader, IncomingEvent, Severity
from vidence_server.event.domain.filters import EventFilter
from vidence_server.event.domain.pages import EventQuery
from vidence_server.event.domain.statistics import BusStatistics, LogNumbers, SubscriberNumbers
from vidence_server.event.listing import EventPage
from vidence_server.event.publishing import Published
from vidence_server.runtime.interceptors.chain import Undecodable
from vidence_server.runtime.status import to_duration, to_status
from vidence_server.runtime.watch_requests import to_watch_request
from vidence_server.runtime.watch_streams import WatchRequest
from vidence_server.streams.append import Durability
from vidence_server.streams.entry import Entry, varint
from vidence_server.streams.requests import Latest

Check = Callable[[Message | Undecodable], None]
"""Raises `DomainError`, REQUEST_INVALID, where a message breaks the rules of its proto."""
_ID_TAG = b"\x2a"  # field 5, with a length
_EMIT_TIME_TAG = b"\x1a"  # field 3, with a length
_SECONDS_TAG = b"\x08"
_NANOS_TAG = b"\x10"
# Of `PublishResult`: a cursor of 34 characters, id, durability, `repeated: true`; and `results` around it.
_RESULT_CURSOR_TAG = b"\x0a\x22"
_RESULT_ID_TAG = b"\x12"
_DURABILITY_TAG = b"\x18"
_REPEATED = b"\x20\x01"
_RESULTS_TAG = b"\x0a"
_NS = 1_000_000_000
_INFO = int(Severity.INFO)
_CRITICAL = int(Severity.CRITICAL)


class Codec:
    """What the server adds to an encoded event; fits `publishing.EventCodec`."""

    def emit_time(self, time_ns: int) -> bytes:
        """The field `emit_time`. Both parts are written, so that no earlier value shines through."""
        seconds, nanos = divmod(time_ns, _NS)
        stamp = _SECONDS_TAG + varint(seconds) + _NANOS_TAG + varint(nanos)
        return _EMIT_TIME_TAG + varint(len(stamp)) + stamp

    def event_id(self, event_id: str) -> bytes:
        """The field `id`."""
        encoded = event_id.encode()
        return _ID_TAG + varint(len(encoded)) + encoded


def to_incoming(event: event_pb2.Event, check: Check) -> IncomingEvent:
    """An event as its publisher sent it; what it broke is in `refusal`."""
    if event.cursor:
        event.ClearField("cursor")
    if event.HasField("emit_time"):
        event.ClearField("emit_time")
    header = _header(event)
    refusal = None if _is_plainly_valid(event, header) else _violation(event, check)
    return IncomingEvent(header, event.sequence, event.SerializeToString(), refusal)


def incoming_of(encoded: bytes, check: Check) -> IncomingEvent:
    """The same of an encoded event of this suite; raises `DomainError`, REQUEST_INVALID, where it is none."""
    try:
        event = event_pb2.Event.FromString(encoded)
    except DecodeError:
        raise DomainError(Reason.REQUEST_INVALID, "The bytes are no event.") from None
    return to_incoming(event, check)


def header_of(body: bytes) -> EventHeader:
    """The header of a stored event."""
    return _header(event_pb2.Event.FromString(body))


def to_durability(durability: event_pb2.Durability.ValueType) -> Durability:
    """Unset: WRITTEN."""
    return Durability(int(durability) or Durability.WRITTEN)


def to_filter(wanted: event_pb2.EventFilter) -> EventFilter:
    """A filter."""
    return EventFilter.of(
        types=wanted.types,
        sources=wanted.sources,
        subject_pattern=wanted.subject_pattern,
        attributes=wanted.attributes,
        minimum_severity=wanted.minimum_severity,
    )


def to_query(request: pb.ListEventsRequest) -> EventQuery:
    """What is listed."""
    return EventQuery(
        filter=to_filter(request.filter),
        text=request.query,
        since_ns=request.since_time.ToNanoseconds() if request.HasField("since_time") else None,
        until_ns=request.until_time.ToNanoseconds() if request.HasField("until_time") else None,
    )


def to_watch(
    request: pb.SubscribeRequest | pb.WatchStatisticsRequest, wanted: EventFilter | None = None
) -> WatchRequest:
    """What the fields say that all watches share; raises `DomainError`, CURSOR_INVALID."""
    # Without a filter no event is looked at.
    selected = None if wanted is None or wanted.selects_all else wanted
    return to_watch_request(request, default=Latest(), wanted=selected)


def to_results(
    outcomes: Iterable[Published], durability: Durability, cursor_of: Callable[[int], str], request_id: str
) -> bytes:
    """One result per event: an encoded `PublishResults`, and a `PublishResponse` too. Several may be joined.

    Put together as bytes: building the messages one by one takes thrice the time, for every event published.
    """
    reached = _DURABILITY_TAG + varint(durability)
    parts: list[bytes] = []
    for event_id, offset, repeated, error in outcomes:
        if error is not None:
            refused = pb.PublishResult(id=event_id, error=to_status(error, request_id))
            encoded = refused.SerializeToString()
        else:
            encoded_id = event_id.encode()
            encoded = b"".join(
                (
                    _RESULT_CURSOR_TAG,
                    cursor_of(offset).encode(),
                    _RESULT_ID_TAG,
                    varint(len(encoded_id)),
                    encoded_id,
                    reached,
                    _REPEATED if repeated else b"",
                )
            )
        parts += (_RESULTS_TAG, varint(len(encoded)), encoded)
    return b"".join(parts)


def to_list_response(page: EventPage) -> pb.ListEventsResponse:
    """A page. Stored entries are elements of field 1, `events`, here as in watch responses."""
    response = pb.ListEventsResponse.FromString(b"".join(entry.encoded for entry in page.entries))
    response.next_page_token = page.next_page_token
    response.corrupt_count = page.corrupt_count
    response.cursor = page.cursor
    return response


def to_get_response(entry: Entry) -> pb.GetEventResponse:
    """One event. `event` is field 1, as `events` is elsewhere."""
    return pb.GetEventResponse.FromString(entry.encoded)


def to_statistics(statistics: BusStatistics) -> event_statistics_pb2.Statistics:
    """The numbers."""
    return event_statistics_pb2.Statistics(
        snapshot_time=_timestamp(statistics.snapshot_time_ns),
        running=statistics.running,
        uptime_duration=to_duration(statistics.uptime_s),
        total_published=statistics.total_published,
        total_delivered=statistics.total_delivered,
        total_errors=statistics.total_errors,
        pending_events=statistics.pending_events,
        subscriber_count=statistics.subscriber_count,
        total_repeated=statistics.total_repeated,
        dropped_by_reason=statistics.dropped_by_reason,
        errors_by_reason=statistics.errors_by_reason,
        total_heartbeats=statistics.total_heartbeats,
        total_subscriptions=statistics.total_subscriptions,
        stale_removed=statistics.stale_removed,
        published_per_second=statistics.published_per_second,
        delivered_per_second=statistics.delivered_per_second,
        log=_log_statistics(statistics.log),
        subscribers=map(_subscriber, statistics.subscribers),
    )


def encode_snapshot(statistics: BusStatistics, sequence: int) -> bytes:
    """A snapshot as an event of `WatchStatistics`, without its cursor."""
    event = pb.StatisticsEvent(
        sequence=sequence,
        emit_time=_timestamp(statistics.snapshot_time_ns),
        snapshot=to_statistics(statistics),
    )
    return event.SerializeToString()


def _header(event: event_pb2.Event) -> EventHeader:
    attributes = event.attributes
    return EventHeader(
        event.source,
        event.id,
        event.type,
        event.subject,
        event.severity or _INFO,
        # A message's map is slow as the argument of `dict`.
        {name: attributes[name] for name in attributes} if attributes else NO_ATTRIBUTES,
    )


def _is_plainly_valid(event: event_pb2.Event, header: EventHeader) -> bool:
    """Whether the rules of `Event` hold, for a tenth of the time that asking the validator takes.

    False where they do not, and where that takes a closer look. A test holds this to the rules in the proto.
    """
    source, event_id, type_, subject, severity, attributes = header
    return (
        0 < len(source) <= 256
        and len(event_id) <= 128
        and 0 < len(type_) <= 128
        and len(subject) <= 512
        and 0 < severity <= _CRITICAL
        and event.sequence >= 0
        and (not attributes or _are_plainly_valid(attributes))
        and (not event.HasField("opaque") or 0 < len(event.opaque.content_type) <= 128)
    )


def _are_plainly_valid(attributes: Mapping[str, str]) -> bool:
    return (
        len(attributes) <= 32
        and max(map(len, attributes)) <= 64
        and "" not in attributes
        and max(map(len, attributes.values())) <= 256
    )


def _violation(event: event_pb2.Event, check: Check) -> DomainError | None:
    try:
        check(event)
    except DomainError as error:
        return error
    return None


def _log_statistics(log: LogNumbers) -> event_statistics_pb2.LogStatistics:
    return event_statistics_pb2.LogStatistics(
        event_count=log.event_count,
        size_bytes=log.size_bytes,
        oldest_cursor=log.oldest_cursor,
        newest_cursor=log.newest_cursor,
        oldest_time=None if log.oldest_time_ns is None else _timestamp(log.oldest_time_ns),
        total_expired=log.total_expired,
    )


def _subscriber(subscriber: SubscriberNumbers) -> event_statistics_pb2.SubscriberStatistics:
    stalled: Duration | None = to_duration(subscriber.stalled_s) if subscriber.stalled_s else None
    return event_statistics_pb2.SubscriberStatistics(
        connection_id=subscriber.connection_id,
        open_time=_timestamp(subscriber.open_time_ns),
        cursor=subscriber.cursor,
        lag_events=subscriber.lag_events,
        delivered=subscriber.delivered,
        dropped=subscriber.dropped,
        stalled_duration=stalled,
        acknowledged_cursor=subscriber.acknowledged,
    )


def _timestamp(time_ns: int) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromNanoseconds(time_ns)
    return timestamp
