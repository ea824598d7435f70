"""Limits, failures, back-off, and what batches come to."""

from __future__ import annotations

from typing import Any

import pytest

from vidence_server.batch.domain.batch import Counts
from vidence_server.batch.domain.failure import BackOff, Failure, worker_lost
from vidence_server.batch.domain.limits import BatchLimits, media_type_of
from vidence_server.batch.domain.pages import decode_token, encode_token
from vidence_server.batch.domain.states import BatchState, ItemState
from vidence_server.batch.status_convert import of_failure_status, to_failure_status
from vidence_server.core.errors import DomainError, ErrorKind, Reason

LIMITS = BatchLimits(max_images=3, max_image_bytes=100, max_batch_bytes=150, max_waiting_items=5)
JPEG = b"\xff\xd8\xff"


@pytest.mark.requirement("R-BA4")
@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (JPEG, "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
        (b"MM\0*", "image/tiff"),
        (b"BM", "image/bmp"),
        (b"\n\n%PDF-1.7", "application/pdf"),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"hello", None),
        (b"", None),
    ],
)
def test_types_are_told_by_the_first_bytes(content: bytes, media_type: str | None) -> None:
    assert media_type_of(content) == media_type


@pytest.mark.requirement("R-BA4")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.IMAGE_EMPTY),
        (JPEG + bytes(98), Reason.IMAGE_TOO_LARGE),
        (b"hello", Reason.IMAGE_UNSUPPORTED),
        (JPEG + bytes(97), None),
    ],
)
def test_one_over_a_limit_of_images_is_refused(content: bytes, reason: Reason | None) -> None:
    found = None
    try:
        LIMITS.check_image(content)
    except DomainError as error:
        found = error.reason
    assert found == reason


@pytest.mark.requirement("R-BA4")
@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({"images": 3, "size_bytes": 150}, None),
        ({"images": 4, "size_bytes": 150}, Reason.BATCH_TOO_MANY_IMAGES),
        ({"images": 3, "size_bytes": 151}, Reason.BATCH_TOO_LARGE),
    ],
)
def test_one_over_a_limit_of_batches_is_refused(numbers: dict[str, Any], reason: Reason | None) -> None:
    found = None
    try:
        LIMITS.check_batch(**numbers)
    except DomainError as error:
        found = error.reason
    assert found == reason


@pytest.mark.requirement("R-BA4")
def test_a_tenant_with_too_much_waiting_is_told_when_to_come_back() -> None:
    LIMITS.check_waiting(waiting=4, added=1)
    with pytest.raises(DomainError) as raised:
        LIMITS.check_waiting(waiting=5, added=1)
    assert raised.value.reason is Reason.QUEUE_FULL
    assert raised.value.retry_after_s is not None


@pytest.mark.requirement("R-BA5")
@pytest.mark.parametrize(
    ("kind", "passing"),
    [
        (ErrorKind.INVALID_ARGUMENT, False),
        (ErrorKind.NOT_FOUND, False),
        (ErrorKind.UNAVAILABLE, True),
        (ErrorKind.INTERNAL, True),
        (ErrorKind.RESOURCE_EXHAUSTED, True),
    ],
)
def test_only_what_may_pass_is_tried_again(kind: ErrorKind, passing: bool) -> None:
    assert Failure("R", kind, "why").passing is passing


@pytest.mark.requirement("R-BA5")
def test_the_delay_doubles_up_to_its_bound_with_jitter_above_the_half() -> None:
    back_off = BackOff(first_s=1, longest_s=8)
    assert [back_off.delay_s(attempt, 0.0) for attempt in (1, 2, 3, 4, 5)] == [0.5, 1, 2, 4, 4]
    assert back_off.delay_s(1, 0.999) == pytest.approx(1, abs=0.01)


@pytest.mark.requirement("R-BA1")
@pytest.mark.parametrize("failure", [worker_lost(3), Failure("NEWER", ErrorKind.ABORTED, "why", {"a": "b"})])
def test_a_failure_survives_the_wire(failure: Failure) -> None:
    assert of_failure_status(to_failure_status(failure)) == failure


@pytest.mark.requirement("R-BA1")
@pytest.mark.parametrize(
    ("counts", "state"),
    [
        (Counts(total=2, succeeded=2), BatchState.SUCCEEDED),
        (Counts(total=2, succeeded=1, failed=1), BatchState.PARTIAL),
        (Counts(total=2, failed=2), BatchState.FAILED),
    ],
)
def test_a_batch_ends_as_its_items_did(counts: Counts, state: BatchState) -> None:
    assert counts.final_state is state
    assert state.ended
    assert not state.active
    assert counts.queued == 0


@pytest.mark.requirement("R-BA2")
def test_states_know_whether_anything_is_still_to_come() -> None:
    assert [state for state in ItemState if not state.ended] == [ItemState.QUEUED, ItemState.RUNNING]
    assert [state for state in BatchState if state.active] == [BatchState.QUEUED, BatchState.RUNNING]


@pytest.mark.requirement("R-BA2")
@pytest.mark.parametrize("token", ["x", "!!!!", "e30", "WyJhIl0", encode_token("bat_1", "other")])
def test_a_token_of_another_listing_is_refused(token: str) -> None:
    assert decode_token("", "mine") == ""
    assert decode_token(encode_token("bat_1", "mine"), "mine") == "bat_1"
    with pytest.raises(DomainError) as raised:
        decode_token(token, "mine")
    assert raised.value.reason is Reason.PAGE_TOKEN_INVALID
