"""How a barcode's elements are written, and the values they become."""

from __future__ import annotations

import pytest

from rendering.licences import licence_text
from rendering.reading import Reading, read
from vidence_server.extraction.domain.document import Verdict
from vidence_server.extraction.types.means import ReadingMeans
from vidence_server.vision.barcodes import Barcode, BarcodeFormat
from vidence_server.vision.geometry import Point, Quad

pytestmark = pytest.mark.requirement("R-EX2", "R-EX3")

QUAD = Quad(Point(0, 0), Point(9, 0), Point(9, 9), Point(0, 9))
TODAYS = 10
OHIO, ONTARIO = "636023", "636012"


def licence(elements: dict[str, str], version: int = TODAYS, issuer: str = OHIO) -> Reading:
    content = licence_text(elements, version=version, issuer=issuer)
    means = ReadingMeans(barcodes=(Barcode(BarcodeFormat.PDF417, content, QUAD),))
    return read("driving_licence", [], means=means)


@pytest.mark.parametrize(
    ("version", "code", "raw", "key", "value"),
    [
        (10, "DBB", "03271991", "person.birth_date", "1991-03-27"),
        (10, "DBB", "03/27/1991", "person.birth_date", "1991-03-27"),
        (10, "DBB", "03-27-1991", "person.birth_date", "1991-03-27"),
        (10, "DBB", "19910327", "person.birth_date", "1991-03-27"),
        (1, "DBB", "19910327", "person.birth_date", "1991-03-27"),
        (1, "DBB", "03271991", "person.birth_date", "1991-03-27"),
        (10, "DBB", "12312010", "person.birth_date", "2010-12-31"),
        (10, "DBB", "20101231", "person.birth_date", "2010-12-31"),
        (10, "DBB", "01011900", "person.birth_date", "1900-01-01"),
        (10, "DBA", "12312100", "document.expiry_date", "2100-12-31"),
        (10, "DBC", "1", "person.sex", "M"),
        (10, "DBC", "9", "person.sex", "X"),
        (10, "DBC", "f", "person.sex", "F"),
        (10, "DAQ", "S514-778 616", "document.number", "S514778616"),
        (10, "DCG", "usa", "document.issuer", "USA"),
        (10, "DAU", "069 in", "person.height_cm", "175"),
        (10, "DAU", "069", "person.height_cm", "175"),
        (10, "DAU", "175 cm", "person.height_cm", "175"),
        (10, "DAU", "175 CM.", "person.height_cm", "175"),
        (1, "DAU", "509", "person.height_cm", "175"),
        (1, "DAU", "511", "person.height_cm", "180"),
        (1, "DAU", "600", "person.height_cm", "183"),
        (1, "DAU", "069 IN", "person.height_cm", "175"),
        (10, "DAU", "509", "person.height_cm", "175"),
        (1, "DAV", "175", "person.height_cm", "175"),
        (10, "DAW", "154", "person.weight_kg", "70"),
        (10, "DAW", "154 lbs", "person.weight_kg", "70"),
        (10, "DAW", "154 LB", "person.weight_kg", "70"),
        (10, "DAX", "070", "person.weight_kg", "70"),
        (10, "DAX", "070 kg", "person.weight_kg", "70"),
        (10, "DAW", "070 KG", "person.weight_kg", "70"),
        (10, "DAX", "154 LBS", "person.weight_kg", "70"),
        (10, "DAK", "432150000", "address.postal_code", "43215"),
        (10, "DAK", "432151234", "address.postal_code", "43215-1234"),
        (10, "DAK", "43215-1234", "address.postal_code", "43215-1234"),
        (10, "DAK", "43215", "address.postal_code", "43215"),
        (10, "DAK", "43215 1234", "address.postal_code", "43215-1234"),
        (10, "DAK", "M5V-3L9", "address.postal_code", "M5V 3L9"),
        (10, "DAK", "m5v 3l9", "address.postal_code", "M5V 3L9"),
        (10, "DDK", "1", "person.organ_donor", "yes"),
        (10, "DDK", "y", "person.organ_donor", "yes"),
        (10, "DDK", "0", "person.organ_donor", "no"),
        (10, "DDK", "n", "person.organ_donor", "no"),
        (10, "DDK", "No", "person.organ_donor", "no"),
        (10, "DDE", "t", "person.surname_truncated", "yes"),
        (10, "DAC", "VESNA,MARIE LOU", "person.given_names", "VESNA MARIE LOU"),
        (10, "DCA", "CM", "licence.class", "CM"),
    ],
)
def test_an_element_becomes_its_fields_format(
    version: int, code: str, raw: str, key: str, value: str
) -> None:
    field = licence({"DCS": "ROOK", code: raw}, version).field(key)
    assert (field.raw_value, field.value) == (raw, value)
    assert (field.validation.verdict, field.confidence) == (Verdict.VALID, 0.99)


@pytest.mark.parametrize(
    ("code", "raw", "key"),
    [
        ("DBB", "0327", "person.birth_date"),
        ("DBB", "13321991", "person.birth_date"),
        ("DBB", "12311899", "person.birth_date"),
        ("DBA", "01012101", "document.expiry_date"),
        ("DBC", "7", "person.sex"),
        ("DCG", "ZZZ", "document.issuer"),
        ("DAU", "TALL", "person.height_cm"),
        ("DAU", "512", "person.height_cm"),
        ("DAU", "175", "person.height_cm"),
        ("DAW", "HEAVY", "person.weight_kg"),
        ("DDK", "7", "person.organ_donor"),
        ("DDE", "7", "person.surname_truncated"),
    ],
)
def test_what_the_standard_does_not_allow_is_kept_as_read_without_a_value(
    code: str, raw: str, key: str
) -> None:
    field = licence({"DCS": "ROOK", code: raw}).field(key)
    assert (field.raw_value, field.value) == (raw, "")
    assert (field.validation.verdict, field.validation.rule) == (Verdict.INVALID, "aamva.element")
    assert field.validation.message
    assert 0 < field.confidence < 0.9


@pytest.mark.parametrize("nothing", ["NONE", "none", "UNAVL", "N/A", "unk"])
def test_an_element_that_says_nothing_gives_no_field(nothing: str) -> None:
    values = licence({"DCS": "ROOK", "DCD": nothing, "DAD": nothing}).values()
    assert values == {"licence.jurisdiction": "OH", "document.issuer": "USA", "person.surname": "ROOK"}


@pytest.mark.parametrize(
    ("version", "elements", "key", "raw", "value"),
    [
        (10, {"DAC": "NILO", "DAD": "ODETTE"}, "person.given_names", "NILO ODETTE", "NILO ODETTE"),
        (10, {"DAC": "NONE", "DAD": "ODETTE"}, "person.given_names", "ODETTE", "ODETTE"),
        (10, {"DAC": "NILO", "DAD": "NONE"}, "person.given_names", "NILO", "NILO"),
        (1, {"DAC": "NILO", "DAD": "ODETTE"}, "person.given_names", "NILO ODETTE", "NILO ODETTE"),
        (10, {"DAG": "12 QUAY", "DAH": "UNIT 4"}, "address.street", "12 QUAY UNIT 4", "12 QUAY UNIT 4"),
        (10, {"DAH": "UNIT 4"}, "address.street", "UNIT 4", "UNIT 4"),
        (1, {"DAG": "12 QUAY", "DAH": "UNIT 4"}, "address.street", "12 QUAY UNIT 4", "12 QUAY UNIT 4"),
    ],
)
def test_elements_of_one_field_are_joined_in_order(
    version: int, elements: dict[str, str], key: str, raw: str, value: str
) -> None:
    field = licence({"DAQ": "1", **elements}, version).field(key)
    assert (field.raw_value, field.value) == (raw, value)


@pytest.mark.parametrize(
    ("elements", "surname", "given_names"),
    [
        ({"DAA": "ROOK,NILO"}, ("ROOK,NILO", "ROOK"), ("ROOK,NILO", "NILO")),
        ({"DAA": "ROOK,NILO", "DAB": "OTHER"}, ("ROOK,NILO", "ROOK"), ("ROOK,NILO", "NILO")),
        ({"DAA": "ROOK,NILO", "DAC": "OTHER"}, ("ROOK,NILO", "ROOK"), ("ROOK,NILO", "NILO")),
        ({"DAA": "ROOK", "DAC": "NILO"}, ("ROOK", "ROOK"), ("NILO", "NILO")),
        (
            {"DAA": "ROOK, NILO,, ODETTE"},
            ("ROOK, NILO,, ODETTE", "ROOK"),
            ("ROOK, NILO,, ODETTE", "NILO ODETTE"),
        ),
    ],
)
def test_the_first_element_of_a_key_fills_it(
    elements: dict[str, str], surname: tuple[str, str], given_names: tuple[str, str]
) -> None:
    reading = licence({"DAQ": "1", **elements}, version=1)
    for key, told in (("person.surname", surname), ("person.given_names", given_names)):
        (field,) = [event for event in reading.events if event.key == key]
        assert (field.raw_value, field.value) == told


def test_every_key_is_told_once_and_for_good() -> None:
    events = licence({"DAQ": "1", "DCT": "SOMEBODY", "DAC": "NILO", "PAA": "C", "DCG": "USA"}).events
    assert {event.key: event.raw_value for event in events} == {
        "licence.jurisdiction": "OH",
        "document.number": "1",
        "document.issuer": "USA",
        "person.given_names": "NILO",
    }
    assert len(events) == 4
    assert {event.revision for event in events} == {1}


@pytest.mark.parametrize(
    ("issuer", "elements", "jurisdiction", "country"),
    [
        (OHIO, {}, "OH", ("636023", "USA")),
        (ONTARIO, {}, "ON", ("636012", "CAN")),
        (ONTARIO, {"DCG": "CAN"}, "ON", ("CAN", "CAN")),
        (OHIO, {"DCG": "CAN"}, "OH", ("CAN", "CAN")),
        ("999999", {"DAJ": "QC"}, "QC", ("999999", "CAN")),
        ("999999", {"DAJ": "TX"}, "TX", ("999999", "USA")),
        (OHIO, {"DAJ": "TX"}, "OH", ("636023", "USA")),
    ],
)
def test_who_issued_a_licence_is_told_by_the_code_or_else_by_the_issuers_number(
    issuer: str, elements: dict[str, str], jurisdiction: str, country: tuple[str, str]
) -> None:
    reading = licence({"DAQ": "1", **elements}, issuer=issuer)
    place, land = reading.field("licence.jurisdiction"), reading.field("document.issuer")
    assert (place.raw_value, place.value) == (jurisdiction, jurisdiction)
    assert (land.raw_value, land.value) == country


def test_a_jurisdiction_that_nobody_knows_is_not_told() -> None:
    assert "licence.jurisdiction" not in licence({"DAQ": "1"}, issuer="999999").values()
