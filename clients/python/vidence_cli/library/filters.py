"""Filters as people write them: `lang=en`, `year>=1999`, `draft!=true`, `author`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import click

from vidence.library.v1 import library_pb2
from vidence_client.library_values import Value, to_value

_CONDITION = re.compile(
    r"(?P<key>[A-Za-z_][A-Za-z0-9_.\-]*)(?:(?P<sign>!=|>=|<=|=|>|<)(?P<value>.*))?", re.DOTALL
)
_BOUNDS = {">=": "at_least", ">": "more_than", "<=": "at_most", "<": "less_than"}


def to_filter(conditions: Sequence[str]) -> library_pb2.Filter | None:
    """All conditions together; None without any.

    Raises:
        click.UsageError: One cannot be read.
    """
    parts = [_condition(text) for text in conditions]
    if not parts:
        return None
    joined = library_pb2.Filter()
    all_of: library_pb2.FilterList = getattr(joined, "and")  # a word of Python's
    all_of.filters.extend(parts)
    return joined


def _condition(text: str) -> library_pb2.Filter:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise click.UsageError(f"not a condition: {text!r}; write name=value, name>=value, or name")
    key, sign = match["key"], match["sign"]
    if sign is None:
        return library_pb2.Filter(exists=library_pb2.Existence(key=key))
    value = to_value(_value(match["value"]))
    if sign in _BOUNDS:
        bounds = library_pb2.Range(key=key)
        getattr(bounds, _BOUNDS[sign]).CopyFrom(value)
        return library_pb2.Filter(range=bounds)
    comparison = library_pb2.Comparison(key=key, value=value)
    if sign == "=":
        return library_pb2.Filter(equal=comparison)
    return library_pb2.Filter(not_equal=comparison)


def _value(text: str) -> Value:
    """A number, a time with its zone, yes or no, or a text; in quotes it is a text."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1]
    if text in {"true", "false"}:
        return text == "true"
    try:
        return float(text)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return time if time.tzinfo is not None else text
