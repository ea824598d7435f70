"""Searches and their results as messages. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from vidence.library.v1 import library_pb2, search_pb2
from vidence.library.v1 import library_service_pb2 as pb
from vidence_server.library.convert import invalid, of_kind, of_metadata, to_value, to_vector
from vidence_server.library.domain.metadata import metadata_of
from vidence_server.library.domain.searches import Hit, SearchMode, SearchPlan, SearchRequest
from vidence_server.library.search.filters import (
    And,
    Compare,
    Exists,
    Filter,
    In,
    MetadataValue,
    Not,
    Or,
    Range,
)

DEFAULT_K = 10
WithHits: TypeAlias = pb.SearchHits | pb.FindDocumentsResponse | pb.QueryResults
_BoundName: TypeAlias = Literal["at_least", "more_than", "at_most", "less_than"]


def to_search(query: str, k: int, options: search_pb2.SearchOptions) -> SearchRequest:
    """A search; raises `DomainError`, REQUEST_INVALID."""
    return SearchRequest(
        query=query.strip(),
        vector=to_vector(options.vector) if options.HasField("vector") else None,
        k=k or DEFAULT_K,
        mode=SearchMode(int(options.mode)) if options.mode else None,
        filter=to_filter(options.filter) if options.HasField("filter") else None,
        minimum_score=options.minimum_score if options.HasField("minimum_score") else None,
        exact=options.vector_index == library_pb2.VECTOR_INDEX_EXACT,
        include_metadata=options.include_metadata,
        include_text=options.include_text,
        explain=options.explain,
    )


def to_filter(wanted: library_pb2.Filter) -> Filter:
    """A filter; raises `DomainError`, REQUEST_INVALID."""
    kind = wanted.WhichOneof("condition")
    if kind is None:
        raise invalid("filter", "has no condition")
    value = getattr(wanted, kind)
    return _of_parts(kind, value) if kind in {"and", "or", "not"} else _of_field(kind, value)


def add_hits(target: WithHits, hits: Iterable[Hit]) -> None:
    """Adds hits to a message: made where they stay, none is copied."""
    add = target.hits.add
    for rank, document_id, score, version, metadata_json, text, parts in hits:
        message = add()  # field by field: keyword arguments take a third longer, and there are thousands
        message.rank = rank
        message.document_id = document_id
        message.score = score
        message.version = version
        if text:
            message.text = text
        if metadata_json is not None and metadata_json != "{}":
            for key, value in of_metadata(metadata_of(metadata_json)).items():
                message.metadata[key].CopyFrom(value)
        for part in parts:
            message.parts.add(
                ranking=part.ranking, rank=part.rank, score=part.score, contribution=part.contribution
            )


def of_plan(plan: SearchPlan) -> search_pb2.SearchPlan:
    """A plan."""
    return search_pb2.SearchPlan(
        mode=search_pb2.SearchMode.ValueType(int(plan.mode)),
        vector_index=of_kind(plan.index_kind),
        model_id=plan.model_id,
        filtered_count=plan.filtered_count,
        hit_count=plan.hit_count,
    )


def _of_parts(kind: str, value: library_pb2.FilterList | library_pb2.Filter) -> Filter:
    if isinstance(value, library_pb2.Filter):
        return Not(to_filter(value))
    filters = tuple(map(to_filter, value.filters))
    return And(filters) if kind == "and" else Or(filters)


def _of_field(
    kind: str,
    value: library_pb2.Comparison | library_pb2.Membership | library_pb2.Range | library_pb2.Existence,
) -> Filter:
    match value:
        case library_pb2.Comparison():
            return Compare(value.key, kind == "equal", to_value(value.value))
        case library_pb2.Membership():
            return In(value.key, tuple(map(to_value, value.values)))
        case library_pb2.Range():
            return _range(value)
        case _:
            return Exists(value.key)


def _range(wanted: library_pb2.Range) -> Range:
    for both in (("at_least", "more_than"), ("at_most", "less_than")):
        if wanted.HasField(both[0]) and wanted.HasField(both[1]):
            raise invalid("filter.range", f"has either {both[0]} or {both[1]}")
    low, high = _bound(wanted, "at_least", "more_than"), _bound(wanted, "at_most", "less_than")
    if low is None and high is None:
        raise invalid("filter.range", "has a bound")
    return Range(
        wanted.key,
        low,
        high,
        include_low=wanted.HasField("at_least"),
        include_high=wanted.HasField("at_most"),
    )


def _bound(wanted: library_pb2.Range, *names: _BoundName) -> MetadataValue | None:
    for name in names:
        if wanted.HasField(name):
            return to_value(getattr(wanted, name))
    return None
