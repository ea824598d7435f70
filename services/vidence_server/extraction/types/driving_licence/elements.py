"""The data elements of the AAMVA DL/ID card design standard as a table, versions 1 (2000) to 11 (2025).

Element codes, the versions that have them and the codes of their values follow the standard's annexes D;
issuer identification numbers follow AAMVA's public list. What a later version dropped without giving its code
to something else is read all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FIRST_VERSION, LAST_VERSION = 1, 11
"""2000, 2003, 2005, 2009, 2010, 2011, 2012, 2013, 2016, 2020, 2025."""


class Kind(StrEnum):
    """How an element's value is written, and so how it is normalised."""

    TEXT = "TEXT"
    NUMBER = "NUMBER"
    """Letters and digits; spaces are left out."""
    DATE = "DATE"
    """Version 1 and Canada CCYYMMDD, else MMDDCCYY."""
    SEX = "SEX"
    """1, 2, 9 or M, F, X."""
    COUNTRY = "COUNTRY"
    HEIGHT = "HEIGHT"
    """`069 IN`, `175 CM`; in version 1 feet and inches, `509`."""
    WEIGHT = "WEIGHT"
    """Pounds or kilograms."""
    POSTAL_CODE = "POSTAL_CODE"
    FULL_NAME = "FULL_NAME"
    """Family name, given names, parted by commas, in version 1."""
    GIVEN_NAMES = "GIVEN_NAMES"
    """All of them, parted by commas or spaces."""
    FLAG = "FLAG"
    """1, Y: yes."""
    TRUNCATION = "TRUNCATION"
    """T, N, U: cut off, not cut off, unknown."""


@dataclass(frozen=True, slots=True)
class Element:
    """One data element."""

    code: str
    key: str
    """The standard field key that it fills."""
    kind: Kind = Kind.TEXT
    first: int = FIRST_VERSION
    last: int = LAST_VERSION
    """Versions of the standard that have it."""
    mandatory_from: int = 99
    """Version from which every card has it."""
    joins: int = 0
    """Place among elements that fill the same key together; 0 where one is enough."""


ELEMENTS: tuple[Element, ...] = (
    Element("DAQ", "document.number", Kind.NUMBER, mandatory_from=1),
    Element("DBD", "document.issue_date", Kind.DATE, mandatory_from=1),
    Element("DBA", "document.expiry_date", Kind.DATE, mandatory_from=1),
    Element("DCF", "document.discriminator", Kind.NUMBER, first=2, mandatory_from=4),
    Element("DCG", "document.issuer", Kind.COUNTRY, first=2, mandatory_from=2),
    Element("DDB", "document.revision_date", Kind.DATE, first=3),
    Element("DCJ", "document.audit_number", Kind.NUMBER, first=2),
    Element("DCK", "document.inventory_number", Kind.NUMBER, first=2),
    Element("DDA", "document.compliance", first=4),
    Element("DDD", "document.limited_duration", Kind.FLAG, first=4),
    Element("DDO", "document.enhanced", Kind.FLAG, first=11),
    Element("DBE", "document.issue_timestamp", last=1),
    Element("DBF", "document.duplicates", Kind.NUMBER, last=1),
    Element("DAA", "person.surname", Kind.FULL_NAME, last=1, mandatory_from=1),
    Element("DAB", "person.surname", last=1),
    Element("DCS", "person.surname", first=2, mandatory_from=2),
    Element("DCT", "person.given_names", Kind.GIVEN_NAMES, first=2, last=3, mandatory_from=2),
    Element("DAC", "person.given_names", Kind.GIVEN_NAMES, first=1, mandatory_from=4, joins=1),
    Element("DAD", "person.given_names", Kind.GIVEN_NAMES, first=1, joins=2),
    Element("DAE", "person.name_suffix", last=1),
    Element("DCU", "person.name_suffix", first=2),
    Element("DAF", "person.name_prefix", last=1),
    Element("DDE", "person.surname_truncated", Kind.TRUNCATION, first=4, mandatory_from=4),
    Element("DDF", "person.given_names_truncated", Kind.TRUNCATION, first=4, mandatory_from=4),
    Element("DDG", "person.middle_names_truncated", Kind.TRUNCATION, first=4, mandatory_from=4),
    Element("DBN", "person.alias_name", last=1),
    Element("DBO", "person.alias_surname", last=1),
    Element("DBN", "person.alias_surname", first=2),
    Element("DBP", "person.alias_given_names", Kind.GIVEN_NAMES, last=1, joins=1),
    Element("DBQ", "person.alias_given_names", Kind.GIVEN_NAMES, last=1, joins=2),
    Element("DBG", "person.alias_given_names", Kind.GIVEN_NAMES, first=2),
    Element("DBR", "person.alias_name_suffix", last=1),
    Element("DBS", "person.alias_name_suffix", first=2),
    Element("DBS", "person.alias_name_prefix", last=1),
    Element("DBL", "person.alias_birth_date", Kind.DATE, last=1),
    Element("DBJ", "person.customer_number", Kind.NUMBER, last=1),
    Element("DBB", "person.birth_date", Kind.DATE, mandatory_from=1),
    Element("DBC", "person.sex", Kind.SEX, mandatory_from=1),
    Element("DAU", "person.height_cm", Kind.HEIGHT, mandatory_from=2),
    Element("DAV", "person.height_cm", Kind.HEIGHT, last=1),
    Element("DAW", "person.weight_kg", Kind.WEIGHT),
    Element("DAX", "person.weight_kg", Kind.WEIGHT),
    Element("DCE", "person.weight_range", first=2),
    Element("DAY", "person.eye_colour", mandatory_from=2),
    Element("DAZ", "person.hair_colour"),
    Element("DCL", "person.ethnicity", first=2),
    Element("DCI", "person.birth_place", first=2),
    Element("DDK", "person.organ_donor", Kind.FLAG, first=6),
    Element("DBH", "person.organ_donor", Kind.FLAG, last=1),
    Element("DDL", "person.veteran", Kind.FLAG, first=7),
    Element("DBI", "person.non_resident", Kind.FLAG, last=1),
    Element("DAG", "address.street", mandatory_from=1, joins=1),
    Element("DAH", "address.street", joins=2),
    Element("DAL", "address.street", last=1, joins=1),
    Element("DAM", "address.street", last=1, joins=2),
    Element("DAI", "address.city", mandatory_from=1),
    Element("DAN", "address.city", last=1),
    Element("DAJ", "address.region", mandatory_from=1),
    Element("DAO", "address.region", last=1),
    Element("DAK", "address.postal_code", Kind.POSTAL_CODE, mandatory_from=1),
    Element("DAP", "address.postal_code", Kind.POSTAL_CODE, last=1),
    Element("DAR", "licence.class", last=1),
    Element("DCA", "licence.class", first=2, mandatory_from=2),
    Element("DAS", "licence.restrictions", last=1),
    Element("DCB", "licence.restrictions", first=2, mandatory_from=2),
    Element("DAT", "licence.endorsements", last=1),
    Element("DCD", "licence.endorsements", first=2, mandatory_from=2),
    Element("DCM", "licence.standard_class", first=2),
    Element("DCN", "licence.standard_endorsements", first=2),
    Element("DCO", "licence.standard_restrictions", first=2),
    Element("DCP", "licence.class_description", first=2),
    Element("DCQ", "licence.endorsements_description", first=2),
    Element("DCR", "licence.restrictions_description", first=2),
    Element("DCH", "licence.federal_commercial_codes", first=2, last=3),
    Element("DDM", "licence.commercial", Kind.FLAG, first=11),
    Element("DDN", "licence.non_domiciled", Kind.FLAG, first=11),
    Element("DDP", "licence.permit", Kind.FLAG, first=11),
    Element("DBG", "licence.medical_codes", last=1),
    Element("PAA", "licence.permit_class", last=1),
    Element("PAB", "licence.permit_expiry_date", Kind.DATE, last=1),
    Element("PAC", "licence.permit_identifier", last=1),
    Element("PAD", "licence.permit_issue_date", Kind.DATE, last=1),
    Element("PAE", "licence.permit_restrictions", last=1),
    Element("PAF", "licence.permit_endorsements", last=1),
    Element("DDC", "licence.hazmat_expiry_date", Kind.DATE, first=4),
    Element("DDH", "person.under_18_until", Kind.DATE, first=4),
    Element("DDI", "person.under_19_until", Kind.DATE, first=4),
    Element("DDJ", "person.under_21_until", Kind.DATE, first=4),
)
"""In the order in which a document lists its fields. The first element of a key that a card has fills it."""

LEFT_OUT = frozenset({"DBK", "DBM"})
"""Social security numbers, in version 1 only: the law has kept them off licences since 2005, and no field has
a right to them."""

NOTHING = frozenset({"", "NONE", "UNAVL", "N/A", "NA", "UNK", "UNKNOWN"})
"""What stands for no value: `NONE` does not apply, `UNAVL` is not known."""

CANADA = frozenset({"AB", "BC", "MB", "NB", "NL", "NS", "NT", "NU", "ON", "PE", "QC", "SK", "YT"})
ISSUERS: dict[str, str] = {
    "636000": "VA", "636001": "NY", "636002": "MA", "636003": "MD", "636004": "NC", "636005": "SC",
    "636006": "CT", "636007": "LA", "636008": "MT", "636009": "NM", "636010": "FL", "636011": "DE",
    "636012": "ON", "636013": "NS", "636014": "CA", "636015": "TX", "636016": "NL", "636017": "NB",
    "636018": "IA", "636019": "GU", "636020": "CO", "636021": "AR", "636022": "KS", "636023": "OH",
    "636024": "VT", "636025": "PA", "636026": "AZ", "636028": "BC", "636029": "OR", "636030": "MO",
    "636031": "WI", "636032": "MI", "636033": "AL", "636034": "ND", "636035": "IL", "636036": "NJ",
    "636037": "IN", "636038": "MN", "636039": "NH", "636040": "UT", "636041": "ME", "636042": "SD",
    "636043": "DC", "636044": "SK", "636045": "WA", "636046": "KY", "636047": "HI", "636048": "MB",
    "636049": "NV", "636050": "ID", "636051": "MS", "636052": "RI", "636053": "TN", "636054": "NE",
    "636055": "GA", "636058": "OK", "636059": "AK", "636060": "WY", "636061": "WV", "636062": "VI",
    "604426": "PE", "604427": "AS", "604428": "QC", "604429": "YT", "604430": "MP", "604431": "PR",
    "604432": "AB", "604433": "NU", "604434": "NT",
}  # fmt: skip
"""Jurisdiction (ISO 3166-2 without the country) by issuer identification number."""
