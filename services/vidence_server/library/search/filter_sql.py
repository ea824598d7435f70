"""Filters as conditions of a database; they find what `filters.matches` accepts.

The metadata of a document are rows of `tables.FIELDS`, one a field, each value in the column of its kind.
Every database compares these alike; the text column has the collation "C" in PostgreSQL: the order of code
points, which SQLite has anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias, assert_never

from sqlalchemy import ColumnElement, Select, and_, false, not_, or_, select, true

from vidence_server.library.search.filters import (
    And,
    Compare,
    Exists,
    Filter,
    In,
    Kind,
    Metadata,
    MetadataValue,
    Not,
    Or,
    Range,
    check_limits,
    kind_of,
    plain,
)
from vidence_server.library.tables import DOCUMENTS, FIELDS

Condition: TypeAlias = ColumnElement[bool]
_VALUE_COLUMNS: Mapping[Kind, str] = {
    Kind.TEXT: "text_value",
    Kind.NUMBER: "number_value",
    Kind.TRUTH: "integer_value",
    Kind.TIME: "integer_value",
}


def field_rows(document_no: int, library_no: int, metadata: Metadata) -> list[dict[str, Any]]:
    """The rows of `tables.FIELDS` of one document; `metadata` is one that `check_metadata` accepts."""
    empty = dict.fromkeys(("text_value", "number_value", "integer_value"))
    return [
        {
            "document_no": document_no,
            "library_no": library_no,
            "key": key,
            "kind": kind_of(value).value,
            **empty,
            _VALUE_COLUMNS[kind_of(value)]: plain(value),
        }
        for key, value in metadata.items()
    ]


def condition(wanted: Filter, library_no: int | None = None) -> Condition:
    """The condition over `tables.DOCUMENTS` that holds for exactly the rows whose metadata match; never NULL.

    Args:
        wanted: What to look for.
        library_no: The library to which the statement keeps by itself: then fields are found by value,
            through their index, instead of document by document.

    Raises:
        DomainError: REQUEST_INVALID where the filter is too deep or too large.
    """
    check_limits(wanted)
    return _compiled(wanted, library_no)


def _compiled(wanted: Filter, library_no: int | None) -> Condition:
    match wanted:
        case And(filters):
            found = and_(true(), *(_compiled(inner, library_no) for inner in filters))
        case Or(filters):
            found = or_(false(), *(_compiled(inner, library_no) for inner in filters))
        case Not(inner):
            found = not_(_compiled(inner, library_no))
        case Compare(key, equal, value):
            found = _has_field(key, _one_of((value,)), library_no)
            found = found if equal else not_(found)
        case In(key, values):
            found = _has_field(key, _one_of(values), library_no)
        case Range(key):
            found = _has_field(key, _between(wanted), library_no)
        case Exists(key):
            found = _has_field(key, true(), library_no)
        case _:
            assert_never(wanted)
    return found


def _has_field(key: str, holds: Condition, library_no: int | None) -> Condition:
    found: Select[Any] = select(FIELDS.c.document_no).where(FIELDS.c.key == key, holds)
    if library_no is not None:
        return DOCUMENTS.c.no.in_(found.where(FIELDS.c.library_no == library_no))
    of_document = (FIELDS.c.library_no == DOCUMENTS.c.library_no, FIELDS.c.document_no == DOCUMENTS.c.no)
    return found.where(*of_document).correlate(DOCUMENTS).exists()


def _one_of(values: Sequence[MetadataValue]) -> Condition:
    by_kind = groupby(sorted(values, key=kind_of), key=kind_of)
    return or_(
        false(),
        *(
            and_(FIELDS.c.kind == kind.value, _value(kind).in_([plain(one) for one in some]))
            for kind, some in by_kind
        ),
    )


def _value(kind: Kind) -> ColumnElement[Any]:
    return FIELDS.c[_VALUE_COLUMNS[kind]]


def _between(wanted: Range) -> Condition:
    value: ColumnElement[Any] = _value(wanted.kind)
    parts: list[Condition] = [FIELDS.c.kind == wanted.kind.value]
    if wanted.low is not None:
        low = plain(wanted.low)
        parts.append(value >= low if wanted.include_low else value > low)
    if wanted.high is not None:
        high = plain(wanted.high)
        parts.append(value <= high if wanted.include_high else value < high)
    return and_(*parts)
