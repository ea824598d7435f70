from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.core.errors import DomainError, Reason
from vidence_server.event.domain.filters import EventFilter
from vidence_server.event.domain.pages import EventQuery, PageToken

LOG = 0x5BD1E995
QUERY = EventQuery(EventFilter.of(types=["a.*"]), text="t", since_ns=1, until_ns=2)
OTHERS = [
    EventQuery(EventFilter.of(types=["b.*"]), text="t", since_ns=1, until_ns=2),
    EventQuery(EventFilter.of(types=["a.*"], minimum_severity=2), text="t", since_ns=1, until_ns=2),
    EventQuery(EventFilter.of(types=["a.*"], attributes={"k": ""}), text="t", since_ns=1, until_ns=2),
    EventQuery(EventFilter.of(types=["a.*"]), text="u", since_ns=1, until_ns=2),
    EventQuery(EventFilter.of(types=["a.*"]), text="t", since_ns=None, until_ns=2),
    EventQuery(EventFilter.of(types=["a.*"]), text="t", since_ns=1, until_ns=3),
    EventQuery(EventFilter.of(sources=["a.*"]), text="t", since_ns=1, until_ns=2),
]


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**63 - 1))
def test_a_token_comes_back_as_it_was(epoch: int, before: int) -> None:
    token = PageToken(epoch, before)
    text = token.encode(LOG, QUERY)
    assert len(text) <= 256
    assert PageToken.decode(text, LOG, QUERY) == token


@pytest.mark.requirement("R-EV1")
@pytest.mark.parametrize("other", OTHERS)
def test_a_token_holds_for_its_listing_only(other: EventQuery) -> None:
    with pytest.raises(DomainError) as caught:
        PageToken.decode(PageToken(1, 7).encode(LOG, QUERY), LOG, other)
    assert caught.value.reason is Reason.PAGE_TOKEN_INVALID


def test_a_token_holds_for_its_log_only() -> None:
    with pytest.raises(DomainError) as caught:
        PageToken.decode(PageToken(1, 7).encode(LOG, QUERY), LOG + 1, QUERY)
    assert caught.value.reason is Reason.PAGE_TOKEN_INVALID


@given(st.text(max_size=40))
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(DomainError) as caught:
        PageToken.decode(text, LOG, QUERY)
    assert caught.value.reason is Reason.PAGE_TOKEN_INVALID


@given(st.integers(0, 19), st.integers(1, 255))
def test_a_changed_token_is_refused(place: int, change: int) -> None:
    text = PageToken(1, 7).encode(LOG, QUERY)
    raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    raw[place] ^= change
    with pytest.raises(DomainError):
        PageToken.decode(base64.urlsafe_b64encode(raw).decode().rstrip("="), LOG, QUERY)
