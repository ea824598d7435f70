"""The standard field keys: one table that names every value a document can have.

A key is `<thing>.<property>`, snake_case. Services, stores and pages depend on these names: a key is never
reused for something else.
"""

from __future__ import annotations

from collections.abc import Mapping

from vidence_server.extraction.domain.definition import FieldDefinition, ValueFormat
from vidence_server.extraction.domain.goods_fields import DECK_FIELDS, RECEIPT_FIELDS
from vidence_server.extraction.domain.licence_fields import LICENCE_FIELDS

__all__ = ["FIELDS_BY_KEY", "FIELD_DEFINITIONS", "FieldDefinition", "ValueFormat"]

_MRZ = ("passport", "visa", "id_card")
_PERSONAL = (*_MRZ, "driving_licence")
_CARDS = ("passport", "id_card", "driving_licence")
_LICENCE = ("driving_licence",)

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
        _PERSONAL,
    ),
    FieldDefinition(
        "document.number",
        "Document number",
        "Number that the issuer gave the document.",
        ValueFormat.NUMBER,
        _PERSONAL,
    ),
    FieldDefinition(
        "document.expiry_date",
        "Expiry date",
        "Last day on which the document is valid.",
        ValueFormat.DATE,
        _PERSONAL,
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
    FieldDefinition(
        "person.surname", "Surname", "Primary identifier: family name.", ValueFormat.TEXT, _PERSONAL
    ),
    FieldDefinition(
        "person.given_names",
        "Given names",
        "Secondary identifier: given names, in the document's order; empty where the holder has none.",
        ValueFormat.TEXT,
        _PERSONAL,
    ),
    FieldDefinition(
        "person.nationality", "Nationality", "State whose citizen the holder is.", ValueFormat.COUNTRY, _MRZ
    ),
    FieldDefinition(
        "person.birth_date", "Date of birth", "Day on which the holder was born.", ValueFormat.DATE, _PERSONAL
    ),
    FieldDefinition(
        "person.sex", "Sex", "Sex of the holder as the document states it.", ValueFormat.SEX, _PERSONAL
    ),
    FieldDefinition(
        "document.issue_date",
        "Issue date",
        "Day on which the document was issued.",
        ValueFormat.DATE,
        (*_CARDS, "visa"),
    ),
    FieldDefinition(
        "person.birth_place", "Place of birth", "As the document states it.", ValueFormat.TEXT, _CARDS
    ),
    FieldDefinition(
        "address.street", "Street", "House, street and what belongs to them.", ValueFormat.TEXT, _LICENCE
    ),
    FieldDefinition("address.city", "City", "City or municipality.", ValueFormat.TEXT, _LICENCE),
    FieldDefinition("address.region", "Region", "State or province.", ValueFormat.TEXT, _LICENCE),
    FieldDefinition(
        "address.postal_code", "Postal code", "As the country writes it.", ValueFormat.TEXT, _LICENCE
    ),
    FieldDefinition(
        "person.middle_name",
        "Middle name",
        "Between given names and surname; in the Philippines the mother's surname.",
        ValueFormat.TEXT,
        ("id_card",),
    ),
    FieldDefinition(
        "address.text",
        "Address",
        "As it is printed, its lines joined by spaces.",
        ValueFormat.TEXT,
        ("id_card",),
    ),
    FieldDefinition(
        "document.conflict",
        "Conflict",
        "Key of a field that the visual zone and the machine readable zone state differently: `raw_value` is "
        "what is printed, `validation` has both values.",
        ValueFormat.CODE,
        _MRZ,
        repeated=True,
    ),
    *LICENCE_FIELDS,
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
    *DECK_FIELDS,
    *RECEIPT_FIELDS,
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
