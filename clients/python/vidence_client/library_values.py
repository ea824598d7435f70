"""Documents, filters and searches as plain Python says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from vidence.library.v1 import library_pb2, search_pb2

Value = str | float | bool | datetime
"""A value of metadata; an integer counts as a number; a time has a time zone."""


def make_document(
    document_id: str = "",
    text: str = "",
    metadata: Mapping[str, Value] | None = None,
    *,
    vector: library_pb2.Vector | None = None,
) -> library_pb2.Document:
    """Makes a document.

    Args:
        document_id: Names it within its library; empty: the server gives a name.
        text: What it says.
        metadata: Its properties.
        vector: Its vector; None: the server makes it of the text.

    Raises:
        ValueError: A time has no time zone.
    """
    document = library_pb2.Document(document_id=document_id, text=text, vector=vector)
    for key, value in (metadata or {}).items():
        document.metadata[key].CopyFrom(to_value(value))
    return document


def make_vector(model_id: str, values: Sequence[float]) -> library_pb2.Vector:
    """Makes a vector of a model."""
    return library_pb2.Vector(model_id=model_id, values=values)


def metadata_of(document: library_pb2.Document | search_pb2.Hit) -> dict[str, Value]:
    """Gives the metadata of a document or hit as plain values."""
    return {key: of_value(value) for key, value in document.metadata.items()}


def where(**equals: Value) -> library_pb2.Filter:
    """Makes a filter: every named property has this value.

    Raises:
        ValueError: A time has no time zone.
    """
    parts = [
        library_pb2.Filter(equal=library_pb2.Comparison(key=key, value=to_value(value)))
        for key, value in equals.items()
    ]
    if len(parts) == 1:
        return parts[0]
    joined = library_pb2.Filter()
    all_of: library_pb2.FilterList = getattr(joined, "and")  # a word of Python's
    all_of.filters.extend(parts)
    all_of.SetInParent()
    return joined


def make_search(
    query: str = "",
    *,
    k: int = 0,
    mode: search_pb2.SearchMode.ValueType = search_pb2.SEARCH_MODE_UNSPECIFIED,
    vector: library_pb2.Vector | None = None,
    filter: library_pb2.Filter | None = None,  # noqa: A002 - the field's name
    minimum_score: float | None = None,
    exact: bool = False,
    include_metadata: bool = False,
    include_text: bool = False,
    explain: bool = False,
) -> search_pb2.Search:
    """Makes a search.

    Args:
        query: What is looked for, in words.
        k: Hits at most; 0: 10.
        mode: By meaning, by words or by both; unspecified: as the library can.
        vector: The query as a vector.
        filter: Only documents for which this holds; `where` makes simple ones.
        minimum_score: Hits below this score are left out.
        exact: Compare every vector, whatever the library's index is.
        include_metadata: Give the metadata of hits.
        include_text: Give the texts of hits.
        explain: Tell how each score came about.
    """
    options = search_pb2.SearchOptions(
        mode=mode,
        vector=vector,
        filter=filter,
        minimum_score=minimum_score,
        vector_index=library_pb2.VECTOR_INDEX_EXACT if exact else library_pb2.VECTOR_INDEX_UNSPECIFIED,
        include_metadata=include_metadata,
        include_text=include_text,
        explain=explain,
    )
    return search_pb2.Search(query=query, k=k, options=options)


def to_value(value: Value) -> library_pb2.MetadataValue:
    """Makes the message of a value; raises ValueError where a time has no time zone."""
    if isinstance(value, bool):
        return library_pb2.MetadataValue(bool_value=value)
    if isinstance(value, str):
        return library_pb2.MetadataValue(string_value=value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time has a time zone")
        time = Timestamp()
        time.FromDatetime(value)
        return library_pb2.MetadataValue(time_value=time)
    return library_pb2.MetadataValue(number_value=value)


def of_value(value: library_pb2.MetadataValue) -> Value:
    """Gives a value as Python has it; times in UTC."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "time_value":
            return value.time_value.ToDatetime(tzinfo=UTC)
        case _:
            return value.number_value
