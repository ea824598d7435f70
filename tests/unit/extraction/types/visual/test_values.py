"""Values as people write them, in the format of their field."""

from __future__ import annotations

import pytest

from rendering.reading import TODAY
from vidence_server.extraction.domain.document import NOT_CHECKED, Validation, Verdict
from vidence_server.extraction.types.visual.values import checked, normalised

pytestmark = pytest.mark.requirement("R-EX3")

BIRTH, ISSUE, EXPIRY = "person.birth_date", "document.issue_date", "document.expiry_date"


def test_days_below_are_judged_in_the_year_2026() -> None:
    assert TODAY.year == 2026


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        (BIRTH, "27 03 1991", "1991-03-27"),
        (BIRTH, "12 ago/aug 1974", "1974-08-12"),
        (BIRTH, "12 AGO / AUG 1974", "1974-08-12"),
        (BIRTH, ": 27 MAR 1991 -", "1991-03-27"),
        # two digits: a birth is never ahead, an issue hardly, an expiry by decades
        (BIRTH, "27.03.26", "2026-03-27"),
        (BIRTH, "27.03.27", "1927-03-27"),
        (ISSUE, "27.03.27", "2027-03-27"),
        (ISSUE, "27.03.28", "1928-03-27"),
        (EXPIRY, "27.03.86", "2086-03-27"),
        (EXPIRY, "27.03.87", "1987-03-27"),
        # nobody was born, nothing issued or valid in these years
        (BIRTH, "27.03.1900", "1900-03-27"),
        (BIRTH, "27.03.1899", ""),
        (BIRTH, "27.03.2027", ""),
        (ISSUE, "27.03.2028", ""),
        (EXPIRY, "27.03.2087", ""),
        (EXPIRY, "31 FEB 2031", ""),
    ],
)
def test_a_day_is_one_that_the_field_can_hold(key: str, raw: str, value: str) -> None:
    assert normalised(key, raw, TODAY, months_first=False) == value


@pytest.mark.parametrize(
    ("raw", "day_first", "month_first"),
    [
        ("03/07/1991", "1991-07-03", "1991-03-07"),
        ("27/03/1991", "1991-03-27", "1991-03-27"),
        ("03/27/1991", "1991-03-27", "1991-03-27"),
        ("3 JUL 1991", "1991-07-03", "1991-07-03"),
    ],
)
def test_the_order_of_day_and_month_is_the_documents(raw: str, day_first: str, month_first: str) -> None:
    assert normalised(BIRTH, raw, TODAY, months_first=False) == day_first
    assert normalised(BIRTH, raw, TODAY, months_first=True) == month_first


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("person.sex", "MUJER", "F"),
        ("person.sex", "F / FEMALE", "F"),
        ("person.sex", "X", "X"),
        ("person.sex", "HEIGHT M", "M"),
        ("person.sex", "UNKNOWN", ""),
        ("person.nationality", "uto", "UTO"),
        ("person.nationality", "esp", "ESP"),
        ("person.nationality", "British Citizen", "GBR"),
        ("person.nationality", "Côte d'Ivoire", "CIV"),
        ("person.nationality", "NOWHERE", ""),
        ("document.number", "AB-123.456 7", "AB1234567"),
        ("document.number", "ab1234", "AB1234"),
        ("document.number", "DLN T1234567", "T1234567"),
        ("document.number", "1234", "1234"),
        ("document.number", "AB123", ""),
        ("person.surname", ": ROOK  PEÑA ,-.", "ROOK PEÑA"),
        ("person.given_names", "XAVER ALEX", "XAVER ALEX"),
        ("person.surname", "12345", ""),
        ("person.surname", "-", ""),
        ("address.text", "12 MABINI\tSTREET", "12 MABINI STREET"),
    ],
)
def test_a_value_is_what_its_field_can_hold(key: str, raw: str, value: str) -> None:
    assert normalised(key, raw, TODAY, months_first=False) == value


@pytest.mark.parametrize("number", ["12345678Z", "X1234567L", "Y1234567X", "Z1234567R"])
def test_the_letter_of_a_spanish_number_proves_it(number: str) -> None:
    assert checked("document.number", number) == Validation(Verdict.VALID, "es.dni_letter")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("document.number", "12345678A"),
        ("document.number", "Y1234567L"),
        ("document.number", "A12345678Z"),
        ("document.number", "123456Z"),
        ("person.surname", "12345678Z"),
    ],
)
def test_no_rule_says_anything_about_other_values(key: str, value: str) -> None:
    assert checked(key, value) == NOT_CHECKED
