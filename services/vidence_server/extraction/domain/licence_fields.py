"""Field keys that driving licences add."""

from __future__ import annotations

from vidence_server.extraction.domain.definition import FieldDefinition, ValueFormat

_LICENCE = ("driving_licence",)


def _field(
    key: str, title: str, description: str, value_format: ValueFormat = ValueFormat.TEXT
) -> FieldDefinition:
    return FieldDefinition(key, title, description, value_format, _LICENCE)


LICENCE_FIELDS: tuple[FieldDefinition, ...] = (
    _field(
        "licence.jurisdiction",
        "Jurisdiction",
        "State or province that issued it, two letters.",
        ValueFormat.CODE,
    ),
    _field(
        "licence.class",
        "Class",
        "Vehicles that the holder may drive, in the jurisdiction's codes.",
        ValueFormat.CODE,
    ),
    _field("licence.restrictions", "Restrictions", "In the jurisdiction's codes.", ValueFormat.CODE),
    _field("licence.endorsements", "Endorsements", "In the jurisdiction's codes.", ValueFormat.CODE),
    _field(
        "licence.hazmat_expiry_date",
        "Hazmat expiry",
        "End of the endorsement for dangerous goods.",
        ValueFormat.DATE,
    ),
    _field(
        "document.discriminator",
        "Discriminator",
        "Tells this card from others of the same holder.",
        ValueFormat.NUMBER,
    ),
    _field("document.revision_date", "Card revision", "Date of the card's design.", ValueFormat.DATE),
    _field("document.audit_number", "Audit number", "Of the card's production.", ValueFormat.NUMBER),
    _field("document.inventory_number", "Inventory number", "Of the card stock.", ValueFormat.NUMBER),
    _field(
        "document.compliance", "Compliance", "`F`: fulfils the REAL ID Act; `N`: does not.", ValueFormat.CODE
    ),
    _field(
        "document.limited_duration",
        "Limited duration",
        "Whether the holder's stay is limited: `yes`, `no`.",
        ValueFormat.CODE,
    ),
    _field("person.name_suffix", "Name suffix", "`JR`, `III` and the like.", ValueFormat.TEXT),
    _field("person.height_cm", "Height", "In centimetres.", ValueFormat.INTEGER),
    _field("person.weight_kg", "Weight", "In kilograms.", ValueFormat.INTEGER),
    _field("person.eye_colour", "Eyes", "Code of ANSI D-20: `BLU`, `BRO`, …", ValueFormat.CODE),
    _field("person.hair_colour", "Hair", "Code of ANSI D-20: `BLK`, `BRO`, …", ValueFormat.CODE),
    _field("person.organ_donor", "Organ donor", "`yes` or `no`.", ValueFormat.CODE),
    _field("person.veteran", "Veteran", "`yes` or `no`.", ValueFormat.CODE),
    _field(
        "person.under_18_until", "Under 18 until", "Birthday on which the holder turns 18.", ValueFormat.DATE
    ),
    _field(
        "person.under_19_until", "Under 19 until", "Birthday on which the holder turns 19.", ValueFormat.DATE
    ),
    _field(
        "person.under_21_until", "Under 21 until", "Birthday on which the holder turns 21.", ValueFormat.DATE
    ),
)
