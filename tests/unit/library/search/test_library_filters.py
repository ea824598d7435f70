"""What filters mean, what they refuse, and that databases find what they accept."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from fakes.postgres import Home
from fakes.search import LIBRARY_MIGRATIONS, put_documents, put_library
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.search.filter_sql import condition
from vidence_server.library.search.filters import (
    And,
    Compare,
    Exists,
    Filter,
    In,
    Metadata,
    MetadataValue,
    Not,
    Or,
    Range,
    check_limits,
    check_metadata,
    matches,
    microseconds,
    time_of,
)
from vidence_server.library.tables import DOCUMENTS

pytestmark = pytest.mark.requirement("R-LI2")

FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
MAY = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
DOCUMENT: Metadata = {"kind": "invoice", "total": 12.5, "paid": True, "issued": MAY, "pages": 3}

HOLDS: list[tuple[Filter, bool]] = [
    (Compare("kind", True, "invoice"), True),
    (Compare("kind", True, "Invoice"), False),
    (Compare("kind", False, "letter"), True),
    (Compare("absent", True, "x"), False),
    (Compare("absent", False, "x"), True),
    (Compare("paid", True, 1.0), False),
    (Compare("total", False, "12.5"), True),
    (Compare("pages", True, 3.0), True),
    (Compare("issued", True, MAY.astimezone(timezone(timedelta(hours=5)))), True),
    (In("kind", ("letter", "invoice", 7.0)), True),
    (In("kind", ()), False),
    (Range("total", 12.5, None), True),
    (Range("total", 12.5, None, include_low=False), False),
    (Range("total", None, 12.5), False),
    (Range("total", None, 12.5, include_high=True), True),
    (Range("total", "a", "z"), False),
    (Range("kind", "inv", "inw"), True),
    (Range("issued", MAY, MAY + timedelta(microseconds=1)), True),
    (Range("absent", 1.0, 2.0), False),
    (Exists("paid"), True),
    (Exists("absent"), False),
    (And(()), True),
    (Or(()), False),
    (Not(And((Exists("kind"), Exists("absent")))), True),
    (Or((Exists("absent"), Compare("paid", True, True))), True),
]


@pytest.mark.parametrize(("wanted", "holds"), HOLDS)
def test_a_filter_holds_for_what_it_says(wanted: Filter, holds: bool) -> None:
    assert matches(wanted, DOCUMENT) is holds


@pytest.mark.parametrize(
    "make",
    [
        lambda: Compare("", True, 1.0),
        lambda: Compare("1st", True, 1.0),
        lambda: Exists("a b"),
        lambda: In("a" * 65, (1.0,)),
        lambda: Compare("a", True, math.nan),
        lambda: In("a", (math.inf,)),
        lambda: Compare("a", True, 10**400),
        lambda: Compare("a", True, "\0"),
        lambda: Compare("a", True, "\ud800"),
        lambda: Compare("a", True, "x" * 4097),
        lambda: Compare("a", True, datetime(2026, 1, 1)),  # noqa: DTZ001  # no zone: what is refused
        lambda: Compare("a", True, datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))),
        lambda: Range("a", None, None),
        lambda: Range("a", 1.0, "b"),
        lambda: Range("a", True, False),
        lambda: Range("a", 0.0, MAY),
        lambda: check_metadata({"a b": 1.0}),
        lambda: check_metadata({"a": math.inf}),
        lambda: check_metadata({f"f{number}": 1.0 for number in range(257)}),
    ],
)
def test_wrong_names_and_values_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(DomainError) as caught:
        make()
    assert caught.value.reason is Reason.REQUEST_INVALID
    assert caught.value.fields


def test_the_value_of_a_refused_field_is_in_no_message() -> None:
    with pytest.raises(DomainError) as caught:
        check_metadata({"name": "Erika Mustermann\0"})
    assert "Erika" not in repr(caught.value) + str(caught.value.fields)


def test_right_metadata_is_accepted() -> None:
    check_metadata(DOCUMENT)
    check_metadata({"big": 2**1000, "text": "x" * 4096, "_a.b-C": ""})


def nested(levels: int) -> Filter:
    wanted: Filter = Exists("a")
    for _ in range(levels - 1):
        wanted = Not(wanted)
    return wanted


def test_filters_have_a_depth_and_a_size() -> None:
    check_limits(nested(16))
    check_limits(In("a", tuple(map(float, range(1024)))))
    for too_much in (nested(17), nested(100_000), In("a", tuple(map(float, range(1025))))):
        with pytest.raises(DomainError) as caught:
            check_limits(too_much)
        assert caught.value.reason is Reason.REQUEST_INVALID
        with pytest.raises(DomainError):
            condition(too_much)


@given(st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.timezones()))
def test_times_are_kept_to_the_microsecond(time: datetime) -> None:
    check_metadata({"time": time})
    assert time_of(microseconds(time)) == time.astimezone(UTC)


# Few names and values, so that filters meet documents.
KEYS = st.sampled_from(["a", "b", "c-1.x_Y"])
TEXTS = st.sampled_from(
    ["", "a", "ab", "b", "B", "é", "e\u0301", "'", '"%_\\', "\U0001f600", "\uffff", "1", "true"]
)
NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 0.1 + 0.2, 0.3, 1e308, 5e-324, 2.0**53, 2.0**53 + 2]) | st.floats(
    allow_nan=False, allow_infinity=False
)
TIMES = st.sampled_from([MAY, MAY + timedelta(microseconds=1), datetime(1, 1, 1, tzinfo=UTC)]) | st.datetimes(
    timezones=st.just(UTC)
)
VALUES: st.SearchStrategy[MetadataValue] = TEXTS | NUMBERS | st.booleans() | TIMES | st.integers(-3, 3)
METADATA = st.dictionaries(KEYS, VALUES, max_size=3)


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    kind = draw(st.sampled_from([TEXTS, NUMBERS, TIMES]))
    low: Any
    high: Any
    low, high = draw(st.tuples(st.none() | kind, kind).flatmap(st.permutations))
    return Range(draw(KEYS), low, high, draw(st.booleans()), draw(st.booleans()))


FILTERS: st.SearchStrategy[Filter] = st.recursive(
    st.builds(Compare, KEYS, st.booleans(), VALUES)
    | st.builds(In, KEYS, st.lists(VALUES, max_size=3).map(tuple))
    | ranges()
    | st.builds(Exists, KEYS),
    lambda inner: (
        st.builds(And, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Not, inner)
    ),
    max_leaves=6,
)


def naive(wanted: Filter, metadata: Metadata) -> bool:
    """The definition, without looking at how `matches` does it."""
    if isinstance(wanted, And):
        return not [one for one in wanted.filters if not naive(one, metadata)]
    if isinstance(wanted, Or):
        return bool([one for one in wanted.filters if naive(one, metadata)])
    if isinstance(wanted, Not):
        return not naive(wanted.filter, metadata)
    if wanted.key not in metadata:
        return isinstance(wanted, Compare) and not wanted.equal
    return naive_leaf(wanted, metadata[wanted.key])


def naive_leaf(wanted: Compare | In | Range | Exists, found: MetadataValue) -> bool:

    def same_type(other: MetadataValue) -> bool:
        groups = (bool, str, datetime, (int, float))
        first = [isinstance(found, group) for group in groups].index(True)
        return [isinstance(other, group) for group in groups].index(True) == first

    match wanted:
        case Exists():
            return True
        case Compare(_, equal, value):
            return (same_type(value) and found == value) == equal
        case In(_, values):
            return any(same_type(value) and found == value for value in values)
        case Range(_, low, high, include_low, include_high):
            between: Any = found
            return (
                all(same_type(bound) for bound in wanted.bounds)
                and (low is None or between > low or (include_low and between == low))
                and (high is None or between < high or (include_high and between == high))
            )


@given(wanted=FILTERS, metadata=METADATA)
@settings(max_examples=500, deadline=None)
def test_the_evaluator_agrees_with_the_definition(wanted: Filter, metadata: Metadata) -> None:
    assert matches(wanted, metadata) is naive(wanted, metadata)


@pytest.mark.requirement("R-OP6")
async def test_databases_find_what_the_evaluator_accepts(home: Home) -> None:
    cases: list[tuple[list[Metadata], list[Filter]]] = []

    @given(st.lists(METADATA, min_size=30, max_size=30), st.lists(FILTERS, min_size=100, max_size=100))
    @settings(max_examples=3, deadline=None, database=None)
    def collect(documents: list[Metadata], filters: list[Filter]) -> None:
        cases.append((documents, filters))

    collect()
    async with home.database(LIBRARY_MIGRATIONS) as database:
        for library_no, (documents, filters) in enumerate(cases, 1):
            async with database.transaction() as transaction:
                await put_library(transaction, library_no)
                await put_documents(transaction, library_no, dict(enumerate(documents)))
            async with database.snapshot() as reading:
                for wanted in filters:
                    right = [no for no, metadata in enumerate(documents) if matches(wanted, metadata)]
                    for compiled in (condition(wanted), condition(wanted, library_no)):
                        statement = (
                            select(DOCUMENTS.c.no)
                            .where(DOCUMENTS.c.library_no == library_no, compiled)
                            .order_by(DOCUMENTS.c.no)
                        )
                        found = (await reading.execute(statement)).scalars().all()
                        assert found == right, wanted
