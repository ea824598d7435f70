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
    _field("person.name_prefix", "Name prefix", "In front of the name.", ValueFormat.TEXT),
    _field(
        "person.surname_truncated",
        "Surname cut off",
        "Whether the barcode has only the beginning: `yes`, `no` or `unknown`.",
        ValueFormat.CODE,
    ),
    _field(
        "person.given_names_truncated", "Given names cut off", "The same of the first name.", ValueFormat.CODE
    ),
    _field(
        "person.middle_names_truncated",
        "Middle names cut off",
        "The same of the names behind the first.",
        ValueFormat.CODE,
    ),
    _field("person.alias_name", "Other name", "Full name by which the holder is known too."),
    _field("person.alias_surname", "Other surname", "Family name by which the holder is known too."),
    _field("person.alias_given_names", "Other given names", "Given names by which the holder is known too."),
    _field("person.alias_name_suffix", "Other name's suffix", "Behind the other name."),
    _field("person.alias_name_prefix", "Other name's prefix", "In front of the other name."),
    _field(
        "person.alias_birth_date", "Other date of birth", "Also given as date of birth.", ValueFormat.DATE
    ),
    _field(
        "person.customer_number",
        "Customer number",
        "By which the jurisdiction knows the holder.",
        ValueFormat.NUMBER,
    ),
    _field(
        "person.weight_range",
        "Weight range",
        "Of AAMVA's list: `0` to 31 kg … `9` from 146 kg.",
        ValueFormat.CODE,
    ),
    _field(
        "person.ethnicity", "Ethnicity", "Code of ANSI D-20; few jurisdictions state it.", ValueFormat.CODE
    ),
    _field("person.non_resident", "Non-resident", "`yes` or `no`.", ValueFormat.CODE),
    _field("document.enhanced", "Enhanced", "Whether it serves at borders: `yes`, `no`.", ValueFormat.CODE),
    _field("document.issue_timestamp", "Issue timestamp", "As the issuer writes it."),
    _field("document.duplicates", "Duplicates", "How many were issued.", ValueFormat.NUMBER),
    _field("licence.standard_class", "Standard class", "In AAMVA's codes.", ValueFormat.CODE),
    _field("licence.standard_endorsements", "Standard endorsements", "In AAMVA's codes.", ValueFormat.CODE),
    _field("licence.standard_restrictions", "Standard restrictions", "In AAMVA's codes.", ValueFormat.CODE),
    _field("licence.class_description", "Class in words", "What the jurisdiction's code means."),
    _field("licence.endorsements_description", "Endorsements in words", "What the codes mean."),
    _field("licence.restrictions_description", "Restrictions in words", "What the codes mean."),
    _field(
        "licence.federal_commercial_codes",
        "Federal commercial codes",
        "For commercial vehicles, of the United States.",
        ValueFormat.CODE,
    ),
    _field("licence.commercial", "Commercial", "`yes` or `no`.", ValueFormat.CODE),
    _field("licence.non_domiciled", "Not domiciled", "Holder lives abroad: `yes`, `no`.", ValueFormat.CODE),
    _field("licence.permit", "Permit", "A learner's permit: `yes`, `no`.", ValueFormat.CODE),
    _field("licence.medical_codes", "Medical codes", "In the jurisdiction's codes.", ValueFormat.CODE),
    _field("licence.permit_class", "Permit class", "In the jurisdiction's codes.", ValueFormat.CODE),
    _field("licence.permit_expiry_date", "Permit expiry", "Last day of the permit.", ValueFormat.DATE),
    _field("licence.permit_identifier", "Permit identifier", "Type of the permit.", ValueFormat.TEXT),
    _field("licence.permit_issue_date", "Permit issued", "First day of the permit.", ValueFormat.DATE),
    _field("licence.permit_restrictions", "Permit restrictions", "In codes.", ValueFormat.CODE),
    _field("licence.permit_endorsements", "Permit endorsements", "In codes.", ValueFormat.CODE),
)
