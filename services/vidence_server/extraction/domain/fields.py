"""The standard field keys: one table that names every value a document can have.

A key is `<thing>.<property>`, snake_case. Services, stores and pages depend on these names: a key is never
reused for something else.
"""

from __future__ import annotations

from collections.abc import Mapping
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


_MRZ = ("passport", "visa", "id_card")

FIELD_DEFINITIONS: tuple[FieldDefinition, ...] = (
    FieldDefinition(
        "document.code",
        "Document code",
        "First characters of the machine readable zone: P passport, V visa, I, A or C card; a second "
        "letter is the issuer's own.",
        ValueFormat.CODE,
        _MRZ,
    ),
    FieldDefinition(
        "document.issuer",
        "Issuer",
        "State or organisation that issued the document.",
        ValueFormat.COUNTRY,
        _MRZ,
    ),
    FieldDefinition(
        "document.number",
        "Document number",
        "Number that the issuer gave the document.",
        ValueFormat.NUMBER,
        _MRZ,
    ),
    FieldDefinition(
        "document.expiry_date",
        "Expiry date",
        "Last day on which the document is valid.",
        ValueFormat.DATE,
        _MRZ,
    ),
    FieldDefinition(
        "document.optional_data",
        "Optional data",
        "At the issuer's discretion, often a personal number; empty in many documents.",
        ValueFormat.TEXT,
        _MRZ,
    ),
    FieldDefinition(
        "document.optional_data_2",
        "Optional data 2",
        "Second area at the issuer's discretion, in cards of three lines (TD1).",
        ValueFormat.TEXT,
        ("id_card",),
    ),
    FieldDefinition("person.surname", "Surname", "Primary identifier: family name.", ValueFormat.TEXT, _MRZ),
    FieldDefinition(
        "person.given_names",
        "Given names",
        "Secondary identifier: given names, in the document's order; empty where the holder has none.",
        ValueFormat.TEXT,
        _MRZ,
    ),
    FieldDefinition(
        "person.nationality", "Nationality", "State whose citizen the holder is.", ValueFormat.COUNTRY, _MRZ
    ),
    FieldDefinition(
        "person.birth_date", "Date of birth", "Day on which the holder was born.", ValueFormat.DATE, _MRZ
    ),
    FieldDefinition(
        "person.sex", "Sex", "Sex of the holder as the document states it.", ValueFormat.SEX, _MRZ
    ),
    FieldDefinition(
        "mrz.format",
        "MRZ format",
        "Layout of the machine readable zone (ICAO Doc 9303): TD1, TD2, TD3, MRV-A or MRV-B.",
        ValueFormat.CODE,
        _MRZ,
    ),
    FieldDefinition(
        "mrz.line",
        "MRZ line",
        "One line of the machine readable zone, fillers `<` included; index 1 is the upper line.",
        ValueFormat.TEXT,
        _MRZ,
        repeated=True,
    ),
    FieldDefinition(
        "mrz.composite_check",
        "Composite check digit",
        "The digit that covers all other checked fields (not in visas).",
        ValueFormat.CODE,
        ("passport", "id_card"),
    ),
    FieldDefinition(
        "text.line",
        "Line of text",
        "One line of text; indexes follow the order in which a person reads the page.",
        ValueFormat.TEXT,
        ("text",),
        repeated=True,
    ),
)

FIELDS_BY_KEY: Mapping[str, FieldDefinition] = {
    definition.key: definition for definition in FIELD_DEFINITIONS
}
