"""The codes of the standard's annexes D, written down beside the table that reads them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rendering.licences import licence_text
from rendering.reading import read
from vidence_server.extraction.domain.fields import FIELDS_BY_KEY
from vidence_server.extraction.types.driving_licence.elements import ELEMENTS, LEFT_OUT
from vidence_server.extraction.types.means import ReadingMeans
from vidence_server.vision.barcodes import Barcode, BarcodeFormat
from vidence_server.vision.geometry import Point, Quad

QUAD = Quad(Point(0, 0), Point(9, 0), Point(9, 9), Point(0, 9))


def codes(text: str) -> list[str]:
    """Codes parted by spaces."""
    return text.split()


OF_2000 = codes(
    "DAA DAB DAC DAD DAE DAF DAG DAH DAI DAJ DAK DAL DAM DAN DAO DAP DAQ DAR DAS DAT DAU DAV DAW DAX DAY DAZ "
    "DBA DBB DBC DBD DBE DBF DBG DBH DBI DBJ DBK DBL DBM DBN DBO DBP DBQ DBR DBS PAA PAB PAC PAD PAE PAF"
)
OF_2003 = codes(
    "DCA DCB DCD DBA DCS DCT DBD DBB DBC DAY DAU DAG DAI DAJ DAK DAQ DCF DCG DCH DAH DAZ DCI DCJ DCK DBN DBG "
    "DBS DCU DCE DCL DCM DCN DCO DCP DCQ DCR"
)
OF_2009 = codes(
    "DCA DCB DCD DBA DCS DAC DAD DBD DBB DBC DAY DAU DAG DAI DAJ DAK DAQ DCF DCG DDE DDF DDG DAH DAZ DCI DCJ "
    "DCK DBN DBG DBS DCU DCE DCL DCM DCN DCO DCP DCQ DCR DDA DDB DDC DDD DAW DAX"
)
AGES, DONOR, VETERAN = ["DDH", "DDI", "DDJ"], ["DDK"], ["DDL"]
OF_2025 = ["DDM", "DDN", "DDO", "DDP"]
CODES = {
    1: OF_2000,
    2: OF_2003,
    3: OF_2003,
    4: OF_2009,
    5: OF_2009 + AGES,
    6: OF_2009 + AGES + DONOR,
    7: OF_2009 + AGES + DONOR + VETERAN,
    8: OF_2009 + AGES + DONOR + VETERAN,
    9: OF_2009 + AGES + DONOR + VETERAN,
    10: OF_2009 + AGES + DONOR + VETERAN,
    11: OF_2009 + AGES + DONOR + VETERAN + OF_2025,
}
DATES = {"DBA", "DBB", "DBD", "DDB", "DDC", *AGES, "PAB", "PAD"}
WRITTEN = {
    "DBC": "1", "DAU": "509", "DAV": "175", "DAW": "154", "DAX": "070", "DCG": "USA", "DAA": "ROOK,NILO",
    "DDD": "1", "DBH": "Y", "DBI": "Y", "DDE": "T", "DDF": "N", "DDG": "U", "DCE": "4",
    **dict.fromkeys([*DONOR, *VETERAN, *OF_2025], "1"),
}  # fmt: skip


def written(code: str, version: int) -> str:
    """A value of the element that no other has, where its format allows that."""
    if code in DATES or (version == 1 and code == "DBL"):
        return "20300102" if version == 1 else "01022030"
    return WRITTEN.get(code, f"X{code}9")


def raws(code: str, version: int) -> Iterator[tuple[str, str]]:
    """What a licence with nothing but a number and this element gives: values by key."""
    content = licence_text({"DAQ": "1", code: written(code, version)}, version=version)
    means = ReadingMeans(barcodes=(Barcode(BarcodeFormat.PDF417, content, QUAD),))
    for field in read("driving_licence", [], means=means).document.fields:
        if field.raw_value == written(code, version) and field.value:
            yield field.key, field.value


@pytest.mark.requirement("R-EX2")
@pytest.mark.parametrize("version", CODES)
def test_every_element_of_the_standards_version_is_read(version: int) -> None:
    lost = [code for code in CODES[version] if code not in LEFT_OUT and not list(raws(code, version))]
    assert not lost


@pytest.mark.requirement("R-EX2")
def test_the_table_has_no_code_that_the_standard_does_not_have() -> None:
    assert {element.code for element in ELEMENTS} <= {code for codes in CODES.values() for code in codes}


def test_every_key_of_the_table_is_a_standard_field_of_licences() -> None:
    for element in ELEMENTS:
        assert "driving_licence" in FIELDS_BY_KEY[element.key].document_types


def test_numbers_of_the_social_security_administration_are_never_read() -> None:
    assert not [found for code in LEFT_OUT for found in raws(code, 1)]


@pytest.mark.requirement("R-EX3")
@pytest.mark.parametrize(
    ("code", "version", "key", "value"),
    [
        ("DAV", 1, "person.height_cm", "175"),
        ("DAU", 1, "person.height_cm", "175"),
        ("DAX", 1, "person.weight_kg", "70"),
        ("DAW", 1, "person.weight_kg", "70"),
        ("DBG", 1, "licence.medical_codes", "XDBG9"),
        ("DBG", 2, "person.alias_given_names", "XDBG9"),
        ("DBN", 1, "person.alias_name", "XDBN9"),
        ("DBN", 10, "person.alias_surname", "XDBN9"),
        ("DDE", 4, "person.surname_truncated", "yes"),
        ("DDG", 10, "person.middle_names_truncated", "unknown"),
        ("DDP", 11, "licence.permit", "yes"),
        ("PAB", 1, "licence.permit_expiry_date", "2030-01-02"),
    ],
)
def test_a_code_means_what_its_version_says(code: str, version: int, key: str, value: str) -> None:
    assert dict(raws(code, version)).items() >= {key: value}.items()
