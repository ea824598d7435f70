"""Metadata as JSON: plain values for texts, numbers and truth values, `{"time_value": …}` for times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.search.filters import Metadata, MetadataValue

_TIME = "time_value"
_TYPED = ("string_value", "number_value", "bool_value")


def metadata_json(metadata: Metadata) -> str:
    """One text for equal metadata: fields by name, no spaces, numbers as floats."""
    if not metadata:
        return "{}"
    plain = {key: _plain(value) for key, value in metadata.items()}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def metadata_of(encoded: str) -> Metadata:
    """The inverse."""
    return {} if encoded == "{}" else read_metadata(json.loads(encoded))


def read_metadata(value: Any) -> Metadata:
    """Metadata from parsed JSON: plain values, or objects such as `{"number_value": 1}`.

    Raises:
        DomainError: DOCUMENT_INVALID.
    """
    if not isinstance(value, Mapping):
        raise invalid("`metadata` is no object.")
    return {str(key): _value(item) for key, item in value.items()}


def rfc3339(time: datetime) -> str:
    """A time as ProtoJSON has it, to the microsecond where it is not whole."""
    return time.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def read_time(text: Any) -> datetime:
    """The inverse; raises `DomainError`, DOCUMENT_INVALID."""
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise invalid("A time is written as in RFC 3339.") from None
    if time.tzinfo is None:
        raise invalid("A time has a time zone.")
    return time.astimezone(UTC)


def invalid(message: str) -> DomainError:
    """A line that is no document. The message tells nothing of what is in it."""
    return DomainError(Reason.DOCUMENT_INVALID, message)


def _plain(value: MetadataValue) -> Any:
    if isinstance(value, datetime):
        return {_TIME: rfc3339(value)}
    if isinstance(value, bool | str):
        return value
    return float(value)  # an integer is a number like others


def _value(value: Any) -> MetadataValue:
    if isinstance(value, Mapping) and len(value) == 1:
        ((kind, value),) = value.items()
        if kind == _TIME:
            return read_time(value)
        if kind not in _TYPED:
            raise invalid("A value of metadata has an unknown type.")
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            raise invalid("A number of metadata is too large.") from None
    raise invalid("A value of metadata is a text, a number, a truth value or a time.")
