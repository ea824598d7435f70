"""Messages mean what they say: filters, vectors, values, searches; what breaks a rule is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from vidence.library.v1 import face_pb2, library_pb2, search_pb2
from vidence_cli.library.filters import to_filter as written
from vidence_client.library_values import of_value, to_value, where
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library import convert
from vidence_server.library.convert_search import to_filter, to_search
from vidence_server.library.domain.searches import SearchMode
from vidence_server.library.search.filters import And, Compare, Exists, In, Not, Or, Range

NOW = datetime(2026, 3, 4, 5, 6, 7, 890_123, UTC)


def value(content: Any) -> library_pb2.MetadataValue:
    return to_value(content)


def listed(kind: str, *parts: library_pb2.Filter) -> library_pb2.Filter:
    joined = library_pb2.Filter()
    getattr(joined, kind).filters.extend(parts)
    getattr(joined, kind).SetInParent()
    return joined


@pytest.mark.requirement("R-LI2")
def test_every_kind_of_filter_is_understood() -> None:
    equal = library_pb2.Filter(equal=library_pb2.Comparison(key="a", value=value("x")))
    unequal = library_pb2.Filter(not_equal=library_pb2.Comparison(key="a", value=value(True)))
    among = library_pb2.Filter()
    getattr(among, "in").CopyFrom(library_pb2.Membership(key="a", values=[value(1), value(NOW)]))
    negated = library_pb2.Filter()
    getattr(negated, "not").CopyFrom(equal)
    exists = library_pb2.Filter(exists=library_pb2.Existence(key="a"))
    within = library_pb2.Filter(range=library_pb2.Range(key="a", more_than=value(1), at_most=value(2)))
    assert to_filter(equal) == Compare("a", equal=True, value="x")
    assert to_filter(unequal) == Compare("a", equal=False, value=True)
    assert to_filter(among) == In("a", (1.0, NOW))
    assert to_filter(negated) == Not(Compare("a", equal=True, value="x"))
    assert to_filter(exists) == Exists("a")
    assert to_filter(within) == Range("a", 1.0, 2.0, include_low=False, include_high=True)
    assert to_filter(listed("and", equal, exists)) == And((to_filter(equal), to_filter(exists)))
    assert to_filter(listed("or")) == Or(())


@pytest.mark.parametrize(
    "wrong",
    [
        library_pb2.Filter(),
        library_pb2.Filter(range=library_pb2.Range(key="a")),
        library_pb2.Filter(range=library_pb2.Range(key="a", at_least=to_value(1), more_than=to_value(1))),
        library_pb2.Filter(range=library_pb2.Range(key="a", at_least=to_value(1), at_most=to_value("x"))),
        library_pb2.Filter(equal=library_pb2.Comparison(key="a", value=library_pb2.MetadataValue())),
        library_pb2.Filter(equal=library_pb2.Comparison(key="a b", value=to_value(1))),
    ],
)
@pytest.mark.requirement("R-LI2")
def test_filters_that_break_a_rule_are_refused(wrong: library_pb2.Filter) -> None:
    with pytest.raises(DomainError) as refused:
        to_filter(wrong)
    assert refused.value.reason is Reason.REQUEST_INVALID


@pytest.mark.requirement("R-LI2")
@pytest.mark.parametrize("content", ["x", "", 1.5, True, False, NOW])
def test_values_are_the_same_there_and_back(content: Any) -> None:
    assert convert.to_value(to_value(content)) == content
    assert of_value(convert.of_value(content)) == content
    assert type(convert.to_value(to_value(content))) is type(content)


@pytest.mark.requirement("R-LI2")
def test_a_vector_is_given_by_numbers_or_by_bytes() -> None:
    data = np.array([1.5, -2], "<f4").tobytes()
    assert convert.to_vector(library_pb2.Vector(model_id="m", values=[1.5, -2])).data == data
    assert convert.to_vector(library_pb2.Vector(model_id="m", data=data)).dimensions == 2
    for wrong in (
        library_pb2.Vector(model_id="m"),
        library_pb2.Vector(values=[1]),
        library_pb2.Vector(model_id="m", values=[1], data=data),
        library_pb2.Vector(model_id="m", data=b"abc"),
    ):
        with pytest.raises(DomainError):
            convert.to_vector(wrong)
    with pytest.raises(DomainError):
        convert.to_template(face_pb2.FaceTemplate(model_name="m", model_version="1"))


@pytest.mark.requirement("R-LI2")
def test_a_search_says_what_it_wants() -> None:
    options = search_pb2.SearchOptions(
        mode=search_pb2.SEARCH_MODE_HYBRID,
        filter=where(a=1),
        minimum_score=0.0,
        vector_index=library_pb2.VECTOR_INDEX_EXACT,
        explain=True,
    )
    found = to_search("  red ", 0, options)
    assert (found.query, found.k, found.mode, found.minimum_score) == ("red", 10, SearchMode.HYBRID, 0.0)
    assert (found.exact, found.explain, found.include_text) == (True, True, False)
    assert found.filter == Compare("a", equal=True, value=1.0)
    plain = to_search("red", 7, search_pb2.SearchOptions())
    assert (plain.k, plain.mode, plain.filter, plain.minimum_score) == (7, None, None, None)


@pytest.mark.requirement("R-LI1")
def test_times_out_of_range_are_refused() -> None:
    with pytest.raises(DomainError) as refused:
        convert.to_time(Timestamp(seconds=2**60))
    assert refused.value.reason is Reason.REQUEST_INVALID


@pytest.mark.requirement("R-LI2")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lang=en", Compare("lang", equal=True, value="en")),
        ("n=5", Compare("n", equal=True, value=5.0)),
        ('n="5"', Compare("n", equal=True, value="5")),
        ("draft!=true", Compare("draft", equal=False, value=True)),
        ("n>=1", Range("n", 1.0, None, include_low=True, include_high=False)),
        ("n<1", Range("n", None, 1.0, include_low=False, include_high=False)),
        ("n>1", Range("n", 1.0, None, include_low=False, include_high=False)),
        ("n<=1", Range("n", None, 1.0, include_low=False, include_high=True)),
        (
            "read>2026-01-01T00:00:00Z",
            Range("read", datetime(2026, 1, 1, tzinfo=UTC), None, include_low=False),
        ),
        ("day=2026-01-01", Compare("day", equal=True, value="2026-01-01")),
        ("author", Exists("author")),
        ("a=b=c", Compare("a", equal=True, value="b=c")),
    ],
)
def test_conditions_of_the_command_mean_what_they_say(text: str, expected: object) -> None:
    wanted = written([text])
    assert wanted is not None
    assert to_filter(wanted) == And((expected,))  # type: ignore[arg-type]  # one of the filters above
    assert written([]) is None
