"""What a field key means, and how its values are written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ValueFormat(StrEnum):
    """How a normalised value is written."""

    TEXT = "TEXT"
    """Free text."""
    DATE = "DATE"
    """ISO 8601 calendar date; `YYYY-MM` or `YYYY` where the document leaves the rest unknown."""
    COUNTRY = "COUNTRY"
    """ISO 3166-1 alpha-3, or a code that ICAO Doc 9303-3 section 5 adds to it (`UTO`, `XXA`, `UNO`, …)."""
    SEX = "SEX"
    """`F`, `M`, or `X` where the document does not specify it."""
    NUMBER = "NUMBER"
    """Letters and digits without spaces and fillers; leading zeros are kept."""
    AMOUNT = "AMOUNT"
    """Decimal number with a point and as many places as the document has; a leading `-` for less than 0."""
    INTEGER = "INTEGER"
    """Whole number in decimal digits."""
    CURRENCY = "CURRENCY"
    """ISO 4217 alphabetic code."""
    CODE = "CODE"
    """A short code of a published list; the description names the list."""


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """What a field key means."""

    key: str
    title: str
    """Short label for people, in English."""
    description: str
    value_format: ValueFormat
    document_types: tuple[str, ...]
    """Keys of the document types that can have it."""
    repeated: bool = False
    """Whether it occurs several times in a document (indexes 1, 2, …)."""
