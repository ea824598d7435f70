"""What a purge remembers of each service, over attempts that end anywhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.core.canonical import canonical_hash
from vidence_server.core.erasure import Erasure, KindCount, counted
from vidence_server.erasure.domain.purge import BUSY, Purge, PurgeState, ServicePart, digest_of
from vidence_server.erasure.domain.receipt import receipt_of

pytestmark = pytest.mark.requirement("R-OP5")
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def held(count: int, failed: int = 0) -> Erasure:
    return counted([KindCount("document", count, count - failed, failed)])


def numbers(part: ServicePart) -> tuple[int, int, int]:
    (kind,) = part.kinds
    return kind.found, kind.erased, kind.failed


def test_what_a_dead_process_erased_is_counted_by_the_next() -> None:
    before = ServicePart("library").planned(held(3))
    assert numbers(before) == (3, 0, 0)
    # Killed after the service had erased; the next attempt finds nothing.
    after = before.planned(Erasure()).erased(Erasure())
    assert (numbers(after), after.done) == ((3, 3, 0), True)


def test_what_is_in_work_is_left_and_counted_once_it_is_gone() -> None:
    first = ServicePart("batch").planned(held(5)).erased(held(5, failed=3))
    assert (numbers(first), first.done, first.reason) == ((5, 2, 3), False, BUSY)
    second = first.planned(held(3)).erased(held(3))
    assert (numbers(second), second.done, second.reason) == ((5, 5, 0), True, "")


def test_what_came_meanwhile_comes_on_top() -> None:
    first = ServicePart("library").planned(held(2)).erased(held(2))
    again = first.planned(held(1)).erased(held(1))
    assert numbers(again) == (3, 3, 0)


def test_a_service_that_is_away_keeps_what_is_known_of_it() -> None:
    part = ServicePart("library").planned(held(2)).failed("NOT_READY")
    assert (numbers(part), part.done, part.reason) == ((2, 0, 0), False, "NOT_READY")


@given(tenants=st.tuples(st.text(), st.text()), subjects=st.tuples(st.text(), st.text()))
def test_digests_are_equal_for_the_same_subject_only(
    tenants: tuple[str, str], subjects: tuple[str, str]
) -> None:
    one, other = zip(tenants, subjects, strict=True)
    assert (digest_of(*one) == digest_of(*other)) == (one == other)


def test_the_hash_of_a_receipt_is_over_all_of_it() -> None:
    purge = Purge(
        id="pur_1",
        tenant="acme",
        subject_digest=digest_of("acme", "anna"),
        request_id="ticket-7",
        state=PurgeState.COMPLETE,
        create_time=NOW,
        complete_time=NOW,
        parts=(ServicePart("library", done=True, kinds=(KindCount("document", 2, 2),)),),
    )
    receipt, hashed = receipt_of(purge)
    content = json.loads(receipt)
    assert content.pop("hash") == hashed == canonical_hash(content)
    assert content["services"][0]["kinds"] == {"document": {"found": 2, "erased": 2, "failed": 0}}
    assert "anna" not in receipt
