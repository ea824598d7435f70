"""Cursors and the bytes of entries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.cursor import CURSOR_LENGTH, MAX_OFFSET, Cursor, log_id
from vidence_server.streams.entry import encode_entry, varint
from vidence_server.streams.frames import encode_batch

BITS = st.integers(0, 2**32 - 1)


@given(BITS, BITS, st.integers(0, MAX_OFFSET))
def test_a_cursor_is_text_of_fixed_length_and_back(log: int, epoch: int, offset: int) -> None:
    cursor = Cursor(log, epoch, offset)
    assert len(str(cursor)) == CURSOR_LENGTH
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text", ["", "1", "x" * 34, "00000000.00000000.8000000000000000", "00000000.00000000.000000000000000G"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(DomainError) as caught:
        Cursor.parse(text)
    assert caught.value.reason is Reason.CURSOR_INVALID


def test_logs_of_other_tenants_and_names_have_other_cursors() -> None:
    assert len({log_id("default", "events"), log_id("other", "events"), log_id("default", "x")}) == 3
    assert 0 <= log_id("default", "events") < 2**32


@given(st.integers(0, 2**40))
def test_varint_is_protobufs(value: int) -> None:
    event = event_pb2.Event(sequence=value)
    assert event.SerializeToString() == (b"\x10" + varint(value) if value else b"")


@pytest.mark.requirement("R-ST2")
@given(st.lists(st.text(max_size=300), min_size=1, max_size=5))
def test_joined_entries_are_one_response(subjects: list[str]) -> None:
    cursors = [str(Cursor(1, 2, offset)) for offset in range(len(subjects) + 1)]
    events = [
        encode_entry(event_pb2.Event(subject=subject, cursor="forged").SerializeToString(), cursor)
        for subject, cursor in zip(subjects, cursors[1:], strict=True)
    ]
    response = pb.SubscribeResponse.FromString(encode_batch(events, cursors[-1], cursors[0]))
    assert [event.subject for event in response.events] == subjects
    assert [event.cursor for event in response.events] == cursors[1:]
    assert (response.cursor, response.previous_cursor) == (cursors[-1], cursors[0])
