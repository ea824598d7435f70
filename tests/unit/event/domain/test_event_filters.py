from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.event.domain.event import EventHeader, Severity
from vidence_server.event.domain.filters import EventFilter, pattern_regex

TEXTS = st.text(alphabet="ab./[]?\n", max_size=12)
PATTERNS = st.text(alphabet="ab./[]?\n*", max_size=12)


def header(**fields: object) -> EventHeader:
    defaults: dict[str, object] = {
        "source": "vidence/tests",
        "id": "1",
        "type": "document.extracted",
        "subject": "",
        "severity": int(Severity.INFO),
        "attributes": {},
    }
    return EventHeader(**(defaults | fields))  # type: ignore[arg-type]  # fields are those of the header


def modelled(text: str, pattern: str) -> bool:
    """What a pattern means, by the standard library's way of matching file names."""
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]"))


@pytest.mark.requirement("R-EV1")
@given(TEXTS, st.lists(PATTERNS, min_size=1, max_size=3))
def test_patterns_match_what_the_model_matches(text: str, patterns: list[str]) -> None:
    regex = pattern_regex(patterns)
    assert regex is not None
    assert (regex.fullmatch(text) is not None) == any(modelled(text, pattern) for pattern in patterns)


HEADERS = st.builds(
    EventHeader,
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
    st.integers(1, 5),
    st.dictionaries(st.sampled_from("kl"), st.sampled_from(["x", "y", ""]), max_size=2),
)
FILTERS = st.builds(
    EventFilter.of,
    types=st.lists(PATTERNS, max_size=2),
    sources=st.lists(PATTERNS, max_size=2),
    subject_pattern=PATTERNS,
    attributes=st.dictionaries(st.sampled_from("kl"), st.sampled_from(["", "x", "y"]), max_size=2),
    minimum_severity=st.integers(0, 5),
)


@pytest.mark.requirement("R-EV1")
@given(FILTERS, HEADERS)
def test_all_conditions_must_hold(wanted: EventFilter, seen: EventHeader) -> None:
    expected = (
        (not wanted.types or any(modelled(seen.type, pattern) for pattern in wanted.types))
        and (not wanted.sources or any(modelled(seen.source, pattern) for pattern in wanted.sources))
        and (not wanted.subject_pattern or modelled(seen.subject, wanted.subject_pattern))
        and all(
            name in seen.attributes and value in {"", seen.attributes[name]}
            for name, value in wanted.attributes
        )
        and seen.severity >= wanted.minimum_severity
    )
    assert wanted.matches(seen) is expected


def test_equal_filters_are_equal_whatever_their_order() -> None:
    one = EventFilter.of(types=["a", "b", "a"], attributes={"x": "1", "y": ""})
    other = EventFilter.of(types=["b", "a"], attributes={"y": "", "x": "1"})
    assert one == other
    assert hash(one) == hash(other)
    assert one != EventFilter.of(types=["a", "b"])


def test_only_the_filter_without_conditions_selects_all() -> None:
    assert EventFilter.of().selects_all
    assert EventFilter.of().matches(header())
    assert not EventFilter.of(minimum_severity=1).selects_all


@pytest.mark.requirement("R-EV1")
def test_severity_is_a_lower_bound() -> None:
    wanted = EventFilter.of(minimum_severity=Severity.WARNING)
    assert [severity for severity in Severity if wanted.matches(header(severity=int(severity)))] == [3, 4, 5]


def test_hostile_patterns_do_not_backtrack() -> None:
    wanted = EventFilter.of(types=["*a" * 60 + "b"])
    # With backtracking this would not end before the test's time is up.
    assert not wanted.matches(header(type="a" * 128))
