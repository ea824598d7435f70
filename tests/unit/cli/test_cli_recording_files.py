"""Files of recordings: what was written is read again and judged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.message import Message

from fakes import extraction_servicer
from fakes.recordings import OK, written
from fakes.scripted_bus import connected, disconnected, events, gap, heartbeat
from vidence.event.v1 import event_pb2, event_service_pb2
from vidence_cli.recordings.format import (
    Header,
    RecordingError,
    read_recording,
)
from vidence_cli.recordings.judging import judge
from vidence_cli.wire import EXTRACT_DOCUMENT, SUBSCRIBE, WireStatus

pytestmark = pytest.mark.requirement("R-ST1")


SOUND = [connected(0), events(0, 2), heartbeat(2), gap(2, 5), events(5, 6), disconnected(6)]


def judged(*connections: Sequence[Message], **how: Any) -> set[str]:
    return {found.validator for found in judge(read_recording(written(*connections, **how)))}


def test_what_was_written_is_read_again() -> None:
    recording = read_recording(written(SOUND, [connected(6)]))
    assert recording.header == Header(SUBSCRIBE, "127.0.0.1:1", "0.1.0", datetime(2026, 1, 1, tzinfo=UTC))
    assert [connection.messages for connection in recording.connections] == [SOUND, [connected(6)]]
    assert [connection.status for connection in recording.connections] == [OK, OK]
    assert [round(arrival.at_s, 3) for arrival in recording.arrivals][:2] == [0.2, 0.3]


def damaged(number: int, line: str) -> list[str]:
    lines = written([connected(0), events(0, 1)])
    lines[number - 1] = line
    return lines


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "line 1"),
        (["{}"], "line 1 is no header"),
        (damaged(1, '{"vidence_recording": 2}'), "line 1 is no header"),
        (damaged(1, '{"vidence_recording": 1, "rpc": "x"}'), "line 1 is damaged: start_time is missing"),
        (written([connected(0)])[:1], "nothing was recorded"),
        (damaged(3, '{"message": "CgI'), "line 3 is no JSON object"),
        (damaged(3, "3"), "line 3 is no JSON object"),
        (damaged(3, '{"message": "???", "at_s": 1}'), "line 3 is damaged: it is no base64"),
        (damaged(3, '{"message": "CgL/", "at_s": 1}'), "line 3 is damaged: its bytes are no message"),
        (damaged(3, '{"message": "", "at_s": "soon"}'), "line 3 is damaged: a value has the wrong form"),
        (damaged(3, '{"at_s": 1}'), "line 3 is damaged: status is missing"),
        (damaged(2, '{"message": "", "at_s": 1}'), "line 2 is damaged: it belongs to no call"),
        (damaged(4, '{"open": "", "at_s": 1}'), "line 4 is damaged: a call begins before the last one ended"),
    ],
)
def test_a_damaged_file_is_refused_with_the_line(lines: list[str], told: str) -> None:
    with pytest.raises(RecordingError, match=told):
        read_recording(lines)


def test_a_sound_recording_holds_every_guarantee() -> None:
    assert judged(SOUND) == set()


@pytest.mark.parametrize(
    ("messages", "broken"),
    [
        ([events(0, 1), disconnected(1)], "Ordered"),
        ([connected(0), events(0, 1), events(2, 3), disconnected(3)], "Chained"),
        ([connected(0), events(0, 1), events(1, 2), heartbeat(2)], "Terminated"),
    ],
)
def test_a_broken_guarantee_is_found(messages: list[Message], broken: str) -> None:
    assert broken in judged(messages)


def test_a_hole_that_no_gap_tells_is_found() -> None:
    hole = events(0, 3)
    del hole.events[1]
    assert judged([connected(0), hole, disconnected(3)]) == {"Reliable"}


def test_events_that_the_recorded_filter_hides_are_found() -> None:
    request = event_service_pb2.SubscribeRequest(filter=event_pb2.EventFilter(types=["other.*"]))
    assert judged([connected(0), events(0, 1), disconnected(1)], request=request) == {"Filtered"}


def test_a_recording_that_was_cut_off_is_found() -> None:
    assert judged([connected(0), events(0, 1)], status=None) == {"Recording"}


def test_a_refused_call_is_no_broken_stream() -> None:
    assert judged([], status=WireStatus("OUT_OF_RANGE", "CURSOR_EXPIRED", "")) == set()


def test_a_reading_is_judged_by_the_guarantees_of_result_streams() -> None:
    assert judged(list(extraction_servicer.PASSPORT), rpc=EXTRACT_DOCUMENT) == set()
    assert judged(list(extraction_servicer.PASSPORT[:-1]), rpc=EXTRACT_DOCUMENT) == {"Terminated"}
    assert (
        judged(list(extraction_servicer.PASSPORT[:-1]), rpc=EXTRACT_DOCUMENT, status=WireStatus("CANCELLED"))
        == set()
    )
