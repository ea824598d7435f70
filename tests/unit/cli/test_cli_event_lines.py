"""What a person and a program see of events."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console

from vidence.event.v1 import event_pb2, event_service_pb2
from vidence.extraction.v1 import extraction_events_pb2
from vidence.stream.v1 import stream_control_pb2
from vidence_cli.events.lines import event_line, event_table, gap_text, local_time
from vidence_cli.events.payload import payload_text, response_members
from vidence_cli.events.telling import PersonTelling

pytestmark = pytest.mark.requirement("R-EV1")

TIME = Timestamp(seconds=1_770_000_000, nanos=123_456_789)
CURSOR = "5bd1e995.00000001.0000000000000003"


def event(**fields: object) -> event_pb2.Event:
    plain = event_pb2.Event(
        cursor=CURSOR,
        emit_time=TIME,
        source="vidence/extraction",
        id="17",
        type="document.extracted",
        subject="documents/17",
    )
    plain.MergeFrom(event_pb2.Event(**fields))  # type: ignore[arg-type]  # any field of the message
    return plain


def test_an_event_is_one_line_with_its_local_time() -> None:
    line = event_line(event()).plain
    assert line == f"{local_time(TIME)}  INFO      document.extracted  documents/17  vidence/extraction"
    there = datetime.fromisoformat(local_time(TIME)).astimezone(UTC)
    assert there == datetime.fromtimestamp(1_770_000_000.123, UTC)


@pytest.mark.parametrize(
    ("severity", "name"),
    [(event_pb2.SEVERITY_CRITICAL, "CRITICAL"), (event_pb2.SEVERITY_UNSPECIFIED, "INFO"), (77, "77")],
)
def test_a_severity_is_told_by_its_name_or_its_number(severity: int, name: str) -> None:
    assert f"  {name:<8}  " in event_line(event(severity=severity)).plain


def test_what_events_say_cannot_steer_the_terminal() -> None:
    line = event_line(event(subject="\x1b[2Jgone", attributes={"k": "\r"}), verbose=True).plain
    assert "\x1b" not in line
    assert "\r" not in line
    assert "·[2Jgone" in line


def test_verbose_tells_what_the_event_carries() -> None:
    told = extraction_events_pb2.DocumentExtracted(extraction_id="ext_1")
    carried = AnyMessage()
    carried.Pack(told)
    lines = event_line(event(data=carried, attributes={"b": "2", "a": "1"}), verbose=True).plain.splitlines()
    assert CURSOR in lines[1]
    assert [line.strip() for line in lines[2:4]] == ["a=1", "b=2"]
    assert '"extraction_id": "ext_1"' in lines[4]


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"opaque": event_pb2.OpaqueData(content_type="application/json", content=b'{"a": 1}')}, '{"a": 1}'),
        ({"opaque": event_pb2.OpaqueData(content_type="text/plain", content=b"\xff")}, "text/plain, 1 bytes"),
        ({"opaque": event_pb2.OpaqueData(content_type="image/png", content=b"123")}, "image/png, 3 bytes"),
        ({"data": AnyMessage(type_url="x.org/no.such.Message", value=b"1234")}, "no.such.Message, 4 bytes"),
        ({}, ""),
    ],
)
def test_a_payload_is_told_as_far_as_it_is_known(payload: dict[str, object], text: str) -> None:
    assert payload_text(event(**payload)) == text


def test_json_of_a_message_that_is_not_known_here_keeps_its_bytes() -> None:
    unknown = event(data=AnyMessage(type_url="type.googleapis.com/no.such.Message", value=b"\x08\x01"))
    response = event_service_pb2.SubscribeResponse(events=[event(), unknown], cursor=CURSOR)
    members = response_members(response)
    assert members["events"][1]["data"] == {"@type": "type.googleapis.com/no.such.Message", "value": "CAE="}
    known = ParseDict({**members, "events": members["events"][:1]}, event_service_pb2.SubscribeResponse())
    assert known == event_service_pb2.SubscribeResponse(events=[event()], cursor=CURSOR)
    one = response_members(event_service_pb2.GetEventResponse(event=unknown))
    assert one["event"]["data"]["value"] == "CAE="


def test_json_of_a_known_message_that_is_damaged_keeps_its_bytes() -> None:
    name = extraction_events_pb2.DocumentExtracted.DESCRIPTOR.full_name
    damaged = event(data=AnyMessage(type_url=f"type.googleapis.com/{name}", value=b"\x0a\xff"))
    assert (
        response_members(event_service_pb2.GetEventResponse(event=damaged))["event"]["data"]["value"]
        == "Cv8="
    )


def test_json_of_other_messages_is_plain_protojson() -> None:
    heartbeat = stream_control_pb2.StreamControl(heartbeat=stream_control_pb2.Heartbeat(cursor=CURSOR))
    response = event_service_pb2.SubscribeResponse(control=heartbeat, cursor=CURSOR)
    assert response_members(response) == {"control": {"heartbeat": {"cursor": CURSOR}}, "cursor": CURSOR}


def console() -> Console:
    return Console(file=io.StringIO(), width=140, color_system=None)


def shown(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


@pytest.mark.requirement("R-ST1")
def test_gaps_and_endings_are_told_beside_the_events() -> None:
    screen, errors = console(), console()
    telling = PersonTelling(screen, errors)
    gap = stream_control_pb2.Gap(
        from_cursor=CURSOR,
        to_cursor=CURSOR[:-1] + "9",
        missed_count=6,
        reason=stream_control_pb2.GAP_REASON_EXPIRED,
    )
    over = stream_control_pb2.Disconnected(reason=stream_control_pb2.DISCONNECT_REASON_DRAINING)
    for control in (
        stream_control_pb2.StreamControl(heartbeat=stream_control_pb2.Heartbeat(cursor=CURSOR)),
        stream_control_pb2.StreamControl(gap=gap),
        stream_control_pb2.StreamControl(disconnected=over),
    ):
        telling.take(event_service_pb2.SubscribeResponse(control=control))
    telling.take(event_service_pb2.SubscribeResponse(events=[event(), event()]))
    assert len(shown(screen).splitlines()) == 2
    assert "EXPIRED: 6 events missing after" in shown(errors)
    assert "DRAINING" in shown(errors)
    gap.ClearField("missed_count")
    assert "an unknown number of events" in gap_text(gap).plain


@pytest.mark.requirement("R-EV2")
def test_snapshots_are_one_line_each() -> None:
    screen = console()
    snapshot = event_service_pb2.StatisticsEvent(emit_time=TIME, sequence=1)
    snapshot.snapshot.total_published = 12345
    snapshot.snapshot.subscriber_count = 3
    snapshot.snapshot.total_errors = 2
    PersonTelling(screen, console()).take(event_service_pb2.WatchStatisticsResponse(events=[snapshot]))
    assert "12,345 published" in shown(screen)
    assert "3 subscribers" in shown(screen)
    assert "2 errors" in shown(screen)


def test_a_page_of_events_is_a_table() -> None:
    screen = console()
    screen.print(event_table([event(), event(subject="other")]))
    lines = shown(screen).splitlines()
    assert lines[0].split() == ["time", "severity", "type", "subject", "source", "id"]
    assert "documents/17" in lines[1]
    assert "other" in lines[2]
