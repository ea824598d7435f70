from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from fakes.event_bus import SOURCE, TYPE, event
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.stream.v1 import stream_control_pb2
from vidence_server.core.errors import DomainError, Reason
from vidence_server.event import convert
from vidence_server.event.domain.event import EventHeader
from vidence_server.event.publishing import Published
from vidence_server.runtime.interceptors.validation import ValidationInterceptor
from vidence_server.streams.append import Durability
from vidence_server.streams.cursor import Cursor
from vidence_server.streams.requests import AfterCursor, Earliest, Latest, OnExpired, OnOverflow, SinceTime

VALIDATION = ValidationInterceptor()
CURSOR = str(Cursor(0x5BD1E995, 1, 7))


def near(*limits: int) -> st.SearchStrategy[str]:
    """Texts at and around the limits of the rules, also of characters of several bytes."""
    lengths = st.sampled_from(sorted({max(0, limit + by) for limit in (1, *limits) for by in (-1, 0, 1)}))
    return st.builds(lambda length, letter: letter * length, lengths, st.sampled_from(["a", "ß", "𝄞"]))


EVENTS = st.builds(
    event_pb2.Event,
    sequence=st.sampled_from([-1, 0, 1]),
    source=near(256),
    id=near(128),
    type=near(128),
    subject=near(512),
    severity=st.sampled_from([-1, 0, 1, 5, 6]),
    attributes=st.one_of(
        st.dictionaries(near(64), near(256), max_size=2),
        st.sampled_from([31, 32, 33]).map(lambda count: {f"k{i}": "v" for i in range(count)}),
    ),
    opaque=st.one_of(st.none(), st.builds(event_pb2.OpaqueData, content_type=near(128))),
)


@given(EVENTS)
def test_events_are_refused_exactly_where_they_break_the_rules_of_the_proto(message: event_pb2.Event) -> None:
    broken: DomainError | None = None
    try:
        VALIDATION.check_request(message)
    except DomainError as error:
        broken = error
    refusal = convert.to_incoming(message, VALIDATION.check_request).refusal
    assert (refusal is None) == (broken is None)
    if refusal is not None:
        assert refusal.reason is Reason.REQUEST_INVALID


def test_most_events_never_reach_the_validator() -> None:
    def never(message: object) -> None:
        raise AssertionError("asked")

    full = event("1", attributes={"a": "b"}, opaque=event_pb2.OpaqueData(content_type="text/plain"))
    assert convert.to_incoming(full, never).refusal is None


@given(st.integers(0, 2**62), st.text(max_size=128))
def test_the_stamp_of_the_server_overrules_what_a_publisher_wrote(time_ns: int, event_id: str) -> None:
    message = event("theirs", cursor="theirs", emit_time=Timestamp(seconds=5, nanos=999_999_999))
    body = convert.to_incoming(message, VALIDATION.check_request).body
    codec = convert.Codec()
    stored = event_pb2.Event.FromString(body + codec.event_id(event_id) + codec.emit_time(time_ns))
    assert stored.emit_time.ToNanoseconds() == time_ns
    assert stored.id == event_id
    assert stored.cursor == ""
    assert stored.type == TYPE


def test_a_stored_event_has_the_header_it_came_with() -> None:
    message = event("1", subject="a/b", severity=event_pb2.SEVERITY_ERROR, attributes={"k": "v"})
    incoming = convert.to_incoming(message, VALIDATION.check_request)
    assert incoming.header == EventHeader(SOURCE, "1", TYPE, "a/b", 4, {"k": "v"})
    assert convert.header_of(incoming.body) == incoming.header


def test_an_event_without_severity_is_information() -> None:
    assert convert.header_of(event("1").SerializeToString()).severity == event_pb2.SEVERITY_INFO


@pytest.mark.parametrize("repeated", [True, False])
@pytest.mark.parametrize("durability", list(Durability))
def test_results_are_the_messages_that_the_proto_says(durability: Durability, repeated: bool) -> None:
    outcomes = [Published("i" * 128, 7, repeated, None)]
    results = convert.to_results(outcomes, durability, lambda offset: CURSOR, "req_1")
    assert pb.PublishResults.FromString(results) == pb.PublishResults(
        results=[
            pb.PublishResult(
                cursor=CURSOR,
                id="i" * 128,
                durability=event_pb2.Durability.ValueType(durability),
                repeated=repeated,
            )
        ]
    )


def test_a_refused_event_has_an_error_and_no_cursor() -> None:
    error = DomainError(Reason.EVENT_TOO_LARGE, "Too large.")
    encoded = convert.to_results(
        [Published("1", 0, False, error)], Durability.WRITTEN, lambda offset: CURSOR, "req_1"
    )
    (result,) = pb.PublishResults.FromString(encoded).results
    assert (result.id, result.cursor, result.durability) == ("1", "", event_pb2.DURABILITY_UNSPECIFIED)
    assert result.error.code == 3


def test_durability_unset_is_written() -> None:
    assert convert.to_durability(event_pb2.DURABILITY_UNSPECIFIED) is Durability.WRITTEN
    assert convert.to_durability(event_pb2.DURABILITY_SYNCED) is Durability.SYNCED


@pytest.mark.requirement("R-ST2")
def test_a_watch_begins_where_its_request_says() -> None:
    def start(**fields: object) -> object:
        return convert.to_watch(pb.SubscribeRequest(**fields)).start  # type: ignore[arg-type]  # passed on

    assert start() == Latest()
    assert start(position=stream_control_pb2.START_POSITION_LATEST) == Latest()
    assert start(position=stream_control_pb2.START_POSITION_EARLIEST) == Earliest()
    assert start(since_time=Timestamp(seconds=2)) == SinceTime(2_000_000_000)
    assert start(after_cursor=CURSOR) == AfterCursor(Cursor.parse(CURSOR))
    with pytest.raises(DomainError) as caught:
        start(after_cursor="elsewhere")
    assert caught.value.reason is Reason.CURSOR_INVALID


def test_what_a_watch_does_not_ask_for_is_the_default() -> None:
    asked = convert.to_watch(pb.SubscribeRequest(), convert.to_filter(event_pb2.EventFilter()))
    assert (asked.on_expired, asked.on_overflow) == (OnExpired.FAIL, OnOverflow.PARK)
    assert asked.heartbeat_period_s is None
    assert asked.filter is None
