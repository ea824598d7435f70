"""What people type about events: times, filters, starts, payloads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from vidence.event.v1 import event_pb2, event_service_pb2
from vidence.extraction.v1 import extraction_events_pb2
from vidence.stream.v1 import stream_control_pb2
from vidence_cli.events.draft import DraftError, put_payload, read_content, read_events
from vidence_cli.events.matching import matcher_of
from vidence_cli.events.moments import parse_moment
from vidence_cli.events.selection import (
    chosen_events,
    chosen_start,
    filter_options,
    start_options,
    subscribe_request,
)

pytestmark = pytest.mark.requirement("R-EV1")

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ANY_DOCUMENT = event_pb2.EventFilter(types=["document.*"])


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10m", NOW - timedelta(minutes=10)),
        ("1.5h", NOW - timedelta(minutes=90)),
        ("250ms", NOW - timedelta(milliseconds=250)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+08:00", datetime(2026, 1, 31, 4, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_time_or_how_long_ago_it_was(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


def test_a_time_without_a_zone_is_local() -> None:
    assert parse_moment("2026-01-31T12:00", NOW) == datetime(2026, 1, 31, 12).astimezone()


@pytest.mark.parametrize("text", ["soon", "10", "m", "-5m", "2026-13-01", "9999999999999d", ""])
def test_anything_else_is_no_moment(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        parse_moment(text, NOW)


def request_of(*arguments: str) -> event_service_pb2.SubscribeRequest:
    """What a command with the shared options would ask for."""
    made = []

    @click.command()
    @filter_options
    @start_options
    @click.pass_context
    def command(context: click.Context, /, **given: Any) -> None:
        made.append(subscribe_request(chosen_start(context), chosen_events(given), heartbeat_period_s=1.5))

    result = CliRunner().invoke(command, arguments)
    if result.exit_code:
        raise click.UsageError(result.stderr)
    return made[0]


def test_filter_options_become_the_filter_of_the_request() -> None:
    request = request_of(
        *("--type", "document.*", "--type", "batch.*", "--source", "vidence/*", "--subject", "libraries/*"),
        *("--attribute", "colour=a=b", "--attribute", "urgent", "--severity", "warning"),
    )
    assert request.filter == event_pb2.EventFilter(
        types=["document.*", "batch.*"],
        sources=["vidence/*"],
        subject_pattern="libraries/*",
        attributes={"colour": "a=b", "urgent": ""},
        minimum_severity=event_pb2.SEVERITY_WARNING,
    )
    assert request.heartbeat_period.ToNanoseconds() == 1_500_000_000


def test_without_options_everything_from_now_on_is_asked_for() -> None:
    request = request_of()
    assert not request.HasField("filter")
    assert request.WhichOneof("start") is None
    assert request.on_expired == stream_control_pb2.ON_EXPIRED_UNSPECIFIED


@pytest.mark.parametrize(
    ("arguments", "start", "value"),
    [
        (["--after", "cursor"], "after_cursor", "cursor"),
        (["--from-start"], "position", stream_control_pb2.START_POSITION_EARLIEST),
    ],
)
def test_each_start_has_its_option(arguments: list[str], start: str, value: object) -> None:
    request = request_of(*arguments, "--on-expired", "gap")
    assert request.WhichOneof("start") == start
    assert getattr(request, start) == value
    assert request.on_expired == stream_control_pb2.ON_EXPIRED_GAP


def test_a_time_to_start_at_is_sent_as_a_timestamp() -> None:
    request = request_of("--since", "2026-01-31T12:00:00.25Z")
    assert request.since_time.ToDatetime(UTC) == datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--after", "x", "--from-start"],
        ["--since", "10m", "--after", "x"],
        ["--since", "soon"],
        ["--attribute", "=x"],
        ["--severity", "loud"],
        ["--on-expired", "ignore"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(click.UsageError):
        request_of(*arguments)


def event(**fields: Any) -> event_pb2.Event:
    return event_pb2.Event(**{"type": "document.extracted", "source": "vidence/extraction", **fields})


@pytest.mark.parametrize(
    ("wanted", "matching", "other"),
    [
        (ANY_DOCUMENT, event(), event(type="batch.completed")),
        (event_pb2.EventFilter(types=["a", "document.extracted"]), event(), event(type="document")),
        (event_pb2.EventFilter(types=["*.extracted"]), event(), event(type="documentXextracte")),
        (event_pb2.EventFilter(sources=["vidence/*"]), event(), event(source="other/vidence/")),
        (event_pb2.EventFilter(subject_pattern="a/*/c"), event(subject="a/b\n/c"), event(subject="a/b/d")),
        (event_pb2.EventFilter(subject_pattern="[ab]?"), event(subject="[ab]?"), event(subject="a")),
        (
            event_pb2.EventFilter(attributes={"k": "v"}),
            event(attributes={"k": "v"}),
            event(attributes={"k": "w"}),
        ),
        (event_pb2.EventFilter(attributes={"k": ""}), event(attributes={"k": "w"}), event()),
        (
            event_pb2.EventFilter(minimum_severity=event_pb2.SEVERITY_WARNING),
            event(severity=event_pb2.SEVERITY_CRITICAL),
            event(severity=event_pb2.SEVERITY_UNSPECIFIED),
        ),
        (
            event_pb2.EventFilter(minimum_severity=event_pb2.SEVERITY_INFO),
            event(severity=event_pb2.SEVERITY_UNSPECIFIED),
            event(severity=event_pb2.SEVERITY_DEBUG),
        ),
    ],
)
def test_a_filter_is_judged_here_as_its_comment_says(
    wanted: event_pb2.EventFilter, matching: event_pb2.Event, other: event_pb2.Event
) -> None:
    matches = matcher_of(wanted)
    assert matches(matching)
    assert not matches(other)
    assert not matches("no event")


def with_payload(content: bytes, content_type: str) -> event_pb2.Event:
    made = event()
    put_payload(made, content, content_type)
    return made


def test_json_that_names_its_message_becomes_that_message() -> None:
    name = extraction_events_pb2.DESCRIPTOR.message_types_by_name["DocumentExtracted"].full_name
    made = with_payload(f'{{"@type": "type.googleapis.com/{name}"}}'.encode(), "application/json")
    assert made.data.Is(extraction_events_pb2.DocumentExtracted.DESCRIPTOR)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(b'{"total": 3}', "application/json"), (b"\x00\xff", "image/png"), (b"[1]", "application/json")],
)
def test_other_data_is_carried_as_it_is(content: bytes, content_type: str) -> None:
    opaque = with_payload(content, content_type).opaque
    assert (opaque.content, opaque.content_type) == (content, content_type)


@pytest.mark.parametrize("content", [b"{", b'{"@type": "type.googleapis.com/no.such.Message"}', b"\xff"])
def test_data_that_is_not_what_it_says_is_refused(content: bytes) -> None:
    with pytest.raises(DraftError):
        with_payload(content, "application/json")


def test_data_comes_from_the_command_line_or_from_a_file(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG")
    assert read_content('{"a": 1}') == (b'{"a": 1}', "application/json")
    assert read_content(f"@{picture}") == (b"\x89PNG", "image/png")
    with pytest.raises(DraftError, match="No such file"):
        read_content(f"@{tmp_path / 'absent'}")


def test_events_are_read_from_lines_of_events_and_of_responses() -> None:
    lines = [
        '{"type": "a.b", "source": "s", "id": "1", "cursor": "c", "emitTime": "2026-01-01T00:00:00Z"}',
        "",
        '{"events": [{"type": "a.c", "source": "s"}, {"type": "a.d", "source": "s"}], "cursor": "x"}',
        '{"control": {"heartbeat": {}}, "cursor": "x"}',
    ]
    read = list(read_events(lines))
    assert [one.type for one in read] == ["a.b", "a.c", "a.d"]
    assert read[0] == event_pb2.Event(type="a.b", source="s", id="1")


@pytest.mark.parametrize(
    "line", ["{", "[1]", "3", '{"type": 3}', '{"events": 3}', '{"type": "a", "colour": "b"}']
)
def test_a_line_that_is_no_event_is_named(line: str) -> None:
    lines: Mapping[int, str] = {1: '{"type": "a.b"}', 2: line}
    with pytest.raises(DraftError, match="line 2"):
        list(read_events(lines.values()))
