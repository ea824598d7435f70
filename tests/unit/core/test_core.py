"""Errors, ids and deadlines: what everything else rests on."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.core.clock import SystemClock
from vidence_server.core.deadline import Deadline
from vidence_server.core.errors import KIND_OF_REASON, DomainError, ErrorKind, FieldViolation, Reason
from vidence_server.core.ids import IdFactory, uuid7


class FixedClock:
    def __init__(self, seconds: float = 100.0) -> None:
        self.seconds = seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_kind(reason: Reason) -> None:
    assert DomainError(reason, "words").kind is KIND_OF_REASON[reason]


def test_an_error_carries_what_a_caller_needs() -> None:
    violation = FieldViolation("options.pdf_page", "must be positive")
    error = DomainError(
        Reason.QUEUE_FULL, "busy", fields=(violation,), metadata={"queue": "ocr"}, retry_after_s=1.5
    )
    assert error.kind is ErrorKind.RESOURCE_EXHAUSTED
    assert (error.fields, error.metadata, error.retry_after_s) == ((violation,), {"queue": "ocr"}, 1.5)
    assert str(error) == "busy"
    assert repr(error) == "DomainError(QUEUE_FULL, 'busy')"


@given(unix_ms=st.integers(0, (1 << 48) - 1), random=st.binary(min_size=10, max_size=10))
def test_uuid7_keeps_its_time_and_says_what_it_is(unix_ms: int, random: bytes) -> None:
    made = uuid7(unix_ms, random)
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == unix_ms


def test_ids_name_their_kind_and_sort_by_time() -> None:
    clock = FixedClock(1_000.0)
    factory = IdFactory(clock, bytes)
    first = factory.new("ext")
    clock.seconds += 0.001
    second = factory.new("ext")
    assert first.startswith("ext_")
    assert uuid.UUID(first.removeprefix("ext_")).version == 7
    assert first < second


def test_ids_differ_within_a_millisecond() -> None:
    factory = IdFactory(FixedClock())
    assert len({factory.new("con") for _ in range(1000)}) == 1000


def test_a_deadline_counts_down_and_passes() -> None:
    clock = FixedClock(10.0)
    deadline = Deadline.after(2.0, clock)
    assert deadline.remaining_s(clock) == pytest.approx(2.0)
    assert not deadline.passed(clock)
    clock.seconds = 12.0
    assert deadline.passed(clock)


def test_the_system_clock_is_in_utc_and_does_not_run_backwards() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    first = clock.monotonic()
    assert clock.monotonic() >= first
