"""Conditions on the metadata of documents, as values; what they mean is what `matches` says.

Types are strict: the number 1 is neither true nor the text "1", and a time is no text. What is asked of a
field that is missing or of another type does not hold; so its negation does. Texts are compared by code
points, times as instants.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, TypeAlias, assert_never

from vidence_server.core.errors import DomainError, FieldViolation, Reason

MetadataValue: TypeAlias = str | float | bool | datetime
"""One value; an integer counts as the nearest float; a time has a zone and counts to the microsecond."""
Metadata: TypeAlias = Mapping[str, MetadataValue]
"""Fields of a document by name."""

MAX_FIELDS = 256
"""Fields of one document."""
MAX_TEXT_LENGTH = 4096
"""Code points of one text."""
MAX_DEPTH = 16
"""Filters within filters."""
MAX_VALUES = 1024
"""Values in one filter, all its parts together; `Exists` counts as one."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Kind(IntEnum):
    """What a value is; values of different kinds are never equal. The numbers are kept in rows."""

    TEXT = 1
    NUMBER = 2
    TRUTH = 3
    TIME = 4


@dataclass(frozen=True, slots=True)
class Compare:
    """The field has this value, or, where `equal` is false, it has not: also where it is missing.

    Raises:
        DomainError: REQUEST_INVALID for a wrong name or value; so do the others.
    """

    key: str
    equal: bool
    value: MetadataValue

    def __post_init__(self) -> None:
        _check_key(self.key)
        _check_value(self.key, self.value)


@dataclass(frozen=True, slots=True)
class In:
    """The field has one of these values, which may be of several kinds; with none it never holds."""

    key: str
    values: tuple[MetadataValue, ...]

    def __post_init__(self) -> None:
        _check_key(self.key)
        for value in self.values:
            _check_value(self.key, value)


@dataclass(frozen=True, slots=True)
class Range:
    """The field lies between two texts, two numbers or two times; None: no bound, on one side at most."""

    key: str
    low: MetadataValue | None
    high: MetadataValue | None
    include_low: bool = True
    include_high: bool = False

    def __post_init__(self) -> None:
        _check_key(self.key)
        for bound in self.bounds:
            _check_value(self.key, bound)
        kinds = {kind_of(bound) for bound in self.bounds}
        if len(kinds) != 1 or Kind.TRUTH in kinds:
            raise _invalid(self.key, "A range has bounds that are all texts, all numbers or all times.")

    @property
    def bounds(self) -> tuple[MetadataValue, ...]:
        """Those that are set."""
        return tuple(bound for bound in (self.low, self.high) if bound is not None)

    @property
    def kind(self) -> Kind:
        """What the bounds are."""
        return kind_of(self.bounds[0])


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is there, whatever it is."""

    key: str

    def __post_init__(self) -> None:
        _check_key(self.key)


@dataclass(frozen=True, slots=True)
class And:
    """All of them hold; none makes it true."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of them at least holds; none makes it false."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    filter: Filter


Filter: TypeAlias = Compare | In | Range | Exists | And | Or | Not


def kind_of(value: MetadataValue) -> Kind:
    """What a value is."""
    if isinstance(value, bool):  # before the numbers: it is one of Python's
        return Kind.TRUTH
    if isinstance(value, str):
        return Kind.TEXT
    return Kind.TIME if isinstance(value, datetime) else Kind.NUMBER


def microseconds(time: datetime) -> int:
    """Microseconds since 1970-01-01T00:00Z, exact."""
    return (time - _EPOCH) // _MICROSECOND


def time_of(count: int) -> datetime:
    """The time so many microseconds after 1970-01-01T00:00Z, in UTC; the inverse of `microseconds`."""
    return _EPOCH + count * _MICROSECOND


def plain(value: MetadataValue) -> str | float | int:
    """What is kept and compared: a text, a number as float, a truth value as 0 or 1, a time in µs."""
    match value:
        case str():
            return value
        case bool():
            return int(value)
        case datetime():
            return microseconds(value)
        case _:
            return float(value)


def check_metadata(metadata: Metadata) -> None:
    """Refuses what cannot be kept and found.

    Raises:
        DomainError: REQUEST_INVALID, naming the field, never its value.
    """
    if len(metadata) > MAX_FIELDS:
        raise _invalid("metadata", f"A document has at most {MAX_FIELDS} fields.")
    for name, value in metadata.items():
        _check_key(name)
        _check_value(name, value)


def check_limits(condition: Filter) -> None:
    """Refuses filters that are too deep or have too many values; to be called before one is used.

    Raises:
        DomainError: REQUEST_INVALID.
    """
    values = 0
    for depth, part in _walk(condition):
        values += _value_count(part)
        if depth > MAX_DEPTH or values > MAX_VALUES:
            raise _invalid(
                "filter", f"A filter has at most {MAX_DEPTH} levels and {MAX_VALUES} values and parts."
            )


def matches(condition: Filter, metadata: Metadata) -> bool:
    """Whether a document with this metadata passes; `metadata` is one that `check_metadata` accepts."""
    match condition:
        case And(filters):
            holds = all(matches(inner, metadata) for inner in filters)
        case Or(filters):
            holds = any(matches(inner, metadata) for inner in filters)
        case Not(inner):
            holds = not matches(inner, metadata)
        case Compare(key, equal, value):
            holds = (_comparable(metadata, key) == (kind_of(value), plain(value))) is equal
        case In(key, values):
            holds = _comparable(metadata, key) in {(kind_of(value), plain(value)) for value in values}
        case Range(key):
            kind, value = _comparable(metadata, key)
            holds = kind is condition.kind and _within(condition, value)
        case Exists(key):
            holds = key in metadata
        case _:
            assert_never(condition)
    return holds


def _comparable(metadata: Metadata, key: str) -> tuple[Kind | None, Any]:
    value = metadata.get(key)
    return (None, None) if value is None else (kind_of(value), plain(value))


def _within(condition: Range, value: Any) -> bool:
    low = None if condition.low is None else plain(condition.low)
    high = None if condition.high is None else plain(condition.high)
    above = low is None or value > low or (condition.include_low and value == low)
    below = high is None or value < high or (condition.include_high and value == high)
    return bool(above and below)


def _walk(condition: Filter) -> Iterator[tuple[int, Filter]]:
    """Every part with its depth, the whole first; without recursion, since the depth is not checked yet."""
    open_parts: list[tuple[int, Filter]] = [(1, condition)]
    while open_parts:
        depth, part = open_parts.pop()
        yield depth, part
        match part:
            case And(filters) | Or(filters):
                open_parts.extend((depth + 1, inner) for inner in filters)
            case Not(inner):
                open_parts.append((depth + 1, inner))


def _value_count(part: Filter) -> int:
    match part:
        case In(_, values):
            return max(1, len(values))
        case Range():
            return len(part.bounds)
        case _:
            return 1


def _check_key(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise DomainError(
            Reason.REQUEST_INVALID,
            "The name of a metadata field has 1 to 64 letters, digits, `_`, `.`, `-`, a letter or `_` first.",
            fields=(FieldViolation("metadata", "has a field whose name is not allowed"),),
        )


def _check_value(key: str, value: MetadataValue) -> None:
    if isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(key, value)
    elif isinstance(value, datetime):
        _check_time(key, value)
    elif not abs(value) <= sys.float_info.max:
        raise _invalid(key, "A number must be finite.")


def _check_time(key: str, value: datetime) -> None:
    try:
        if value.tzinfo is not None:
            value.astimezone(UTC)
            return
    except OverflowError:
        pass
    raise _invalid(key, "A time has a zone, and lies in the years 1 to 9999 of UTC.")


def _check_text(name: str, value: str) -> None:
    if len(value) > MAX_TEXT_LENGTH:
        raise _invalid(name, f"A text in metadata has at most {MAX_TEXT_LENGTH} code points.")
    # No database keeps the first; the others are no Unicode text.
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise _invalid(name, "A text has neither NUL nor lone surrogates.")


def _invalid(field: str, description: str) -> DomainError:
    return DomainError(Reason.REQUEST_INVALID, description, fields=(FieldViolation(field, description),))
