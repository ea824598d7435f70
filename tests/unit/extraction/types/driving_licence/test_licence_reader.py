from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Picture

from rendering.licences import licence_text, render_barcode
from rendering.reading import TODAY, Reading, read
from vidence_server.extraction.domain.document import FieldSource, Verdict
from vidence_server.extraction.types import document_type
from vidence_server.extraction.types.driving_licence.code import parse_licence
from vidence_server.extraction.types.driving_licence.elements import (
    ELEMENTS,
    FIRST_VERSION,
    LAST_VERSION,
    Kind,
)
from vidence_server.extraction.types.means import ReadingMeans
from vidence_server.vision.barcodes import Barcode, BarcodeFormat, read_barcodes
from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.image import Image

QUAD = Quad(Point(10, 10), Point(90, 10), Point(90, 40), Point(10, 40))
OHIOAN = {
    "DAQ": "T12345678",
    "DCS": "FALKENBERG",
    "DDEN": "",
    "DAC": "VESNA",
    "DAD": "MARIE,LOU",
    "DBD": "08152021",
    "DBB": "03271991",
    "DBA": "03272029",
    "DBC": "2",
    "DAU": "069 in",
    "DAY": "GRN",
    "DAG": "12 HARBOUR STREET",
    "DAH": "UNIT 4",
    "DAI": "COLUMBUS",
    "DAJ": "OH",
    "DAK": "432150000  ",
    "DCF": "2509UN6813300000",
    "DCG": "USA",
    "DCA": "D",
    "DCB": "B",
    "DCD": "NONE",
    "DAW": "154",
    "DDK": "1",
}


def licence(content: bytes) -> Reading:
    means = ReadingMeans(barcodes=(Barcode(BarcodeFormat.PDF417, content, QUAD),))
    return read("driving_licence", [], means=means)


def photograph(picture: Picture.Image) -> Image:
    pixels = np.ascontiguousarray(np.asarray(picture.convert("RGB"))[:, :, ::-1])
    return Image(pixels, "image/png", "0" * 64)


@pytest.mark.requirement("R-EX2", "R-EX3")
def test_a_licence_of_today_is_normalised() -> None:
    values = licence(licence_text(OHIOAN, issuer="636023")).values()
    assert values == {
        "licence.jurisdiction": "OH",
        "document.number": "T12345678",
        "document.issue_date": "2021-08-15",
        "document.expiry_date": "2029-03-27",
        "document.discriminator": "2509UN6813300000",
        "document.issuer": "USA",
        "person.surname": "FALKENBERG",
        "person.surname_truncated": "no",
        "person.given_names": "VESNA MARIE LOU",
        "person.birth_date": "1991-03-27",
        "person.sex": "F",
        "person.height_cm": "175",
        "person.weight_kg": "70",
        "person.eye_colour": "GRN",
        "person.organ_donor": "yes",
        "address.street": "12 HARBOUR STREET UNIT 4",
        "address.city": "COLUMBUS",
        "address.region": "OH",
        "address.postal_code": "43215",
        "licence.class": "D",
        "licence.restrictions": "B",
    }


@pytest.mark.requirement("R-EX3")
def test_every_field_says_that_error_correction_proves_it() -> None:
    for field in licence(licence_text(OHIOAN)).document.fields:
        assert (field.source, field.quad) == (FieldSource.BARCODE, QUAD)
        assert (field.validation.verdict, field.validation.rule) == (Verdict.VALID, "pdf417.error_correction")
        assert field.confidence > 0.9


SAMPLE = {
    Kind.DATE: "01022030",
    Kind.SEX: "1",
    Kind.COUNTRY: "USA",
    Kind.HEIGHT: "175 CM",
    Kind.WEIGHT: "080",
    Kind.FLAG: "1",
    Kind.FULL_NAME: "ROOK,NILO",
    Kind.TRUNCATION: "T",
}


@pytest.mark.requirement("R-EX2")
@pytest.mark.parametrize("version", range(FIRST_VERSION, LAST_VERSION + 1))
def test_every_element_of_every_version_gives_its_field(version: int) -> None:
    own = [element for element in ELEMENTS if element.first <= version <= element.last]
    sample = {**SAMPLE, Kind.DATE: "20300102"} if version == 1 else SAMPLE
    elements = {element.code: sample.get(element.kind, "ABC") for element in own}
    reading = licence(licence_text(elements, version=version))
    found = {field.key: field for field in reading.document.fields}
    assert {element.key for element in own} <= found.keys()
    assert all(field.value for field in found.values())
    for element in own:
        if element.kind is Kind.DATE:
            assert found[element.key].value == "2030-01-02"


@pytest.mark.requirement("R-EX2")
def test_elements_of_other_versions_are_ignored() -> None:
    text = licence_text({**OHIOAN, "DCT": "SOMEBODY ELSE"}, version=10)
    assert licence(text).values()["person.given_names"] == "VESNA MARIE LOU"


def test_the_full_name_of_the_first_version_is_parted() -> None:
    values = licence(licence_text({"DAQ": "1", "DAA": "ROOK,NILO,ODETTE"}, version=1)).values()
    assert (values["person.surname"], values["person.given_names"]) == ("ROOK", "NILO ODETTE")


def test_canada_writes_the_year_first_and_postal_codes_with_a_space() -> None:
    elements = {"DAQ": "1", "DBB": "19910327", "DCG": "CAN", "DAK": "M5V3L9", "DAU": "175 cm"}
    values = licence(licence_text(elements, issuer="636012")).values()
    assert values["person.birth_date"] == "1991-03-27"
    assert values["address.postal_code"] == "M5V 3L9"
    assert (values["document.issuer"], values["licence.jurisdiction"]) == ("CAN", "ON")


@pytest.mark.requirement("R-EX3")
def test_a_value_that_the_standard_does_not_allow_is_marked() -> None:
    birth = licence(licence_text({**OHIOAN, "DBB": "99999999"})).field("person.birth_date")
    assert (birth.raw_value, birth.value, birth.validation.verdict) == ("99999999", "", Verdict.INVALID)


@pytest.mark.parametrize(
    "content", [b"", b"@", b"hello", b"@\n\x1e\rANSI 636", b"@\n\x1e\rANSI 636000100001", bytes(range(256))]
)
@pytest.mark.requirement("R-EX7")
def test_other_barcodes_are_no_licence(content: bytes) -> None:
    assert parse_licence(content) is None
    assert licence(content).document.fields == ()


def test_latin_letters_outside_ascii_are_kept() -> None:
    assert licence(licence_text({"DAQ": "1", "DCS": "PEÑA"})).values()["person.surname"] == "PEÑA"


@pytest.mark.requirement("R-EX2", "R-EX4")
@pytest.mark.parametrize("degrees", [0, 7, 90, 180, 270])
def test_a_photographed_code_is_found_however_it_lies(degrees: int) -> None:
    content = licence_text(OHIOAN)
    picture = render_barcode(content).rotate(
        degrees, Picture.Resampling.BICUBIC, expand=True, fillcolor=(90, 90, 90)
    )
    (found,) = read_barcodes(photograph(picture))
    assert found.content == content
    assert 0 <= found.quad.centre.x <= picture.width
    reading = read("driving_licence", [], means=ReadingMeans(barcodes=(found,)))
    assert reading.values()["document.number"] == "T12345678"


@pytest.mark.requirement("R-EX7")
def test_a_picture_without_a_code_gives_nothing() -> None:
    assert read_barcodes(photograph(Picture.new("RGB", (300, 200), (200, 200, 200)))) == ()
    assert read("driving_licence", []).document.fields == ()


def test_beside_a_barcode_nothing_printed_is_read() -> None:
    code = Barcode(BarcodeFormat.PDF417, licence_text(OHIOAN), QUAD)
    known = document_type("driving_licence")
    assert known.start(TODAY, ReadingMeans(barcodes=(code,))).complete
    assert not known.start(TODAY).complete
