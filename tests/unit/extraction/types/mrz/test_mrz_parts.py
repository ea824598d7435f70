"""Check digits, dates, names and states, one by one."""

from __future__ import annotations

from datetime import date

import pytest

from vidence_server.extraction.types.mrz.check_digit import check_digit
from vidence_server.extraction.types.mrz.countries import country
from vidence_server.extraction.types.mrz.dates import birth_date, expiry_date
from vidence_server.extraction.types.mrz.names import parse_names, readable, without_false_fillers
from vidence_server.extraction.types.mrz.repair import check_digit_misread

pytestmark = pytest.mark.requirement("R-EX3")
TODAY = date(2026, 1, 15)


@pytest.mark.parametrize(
    ("text", "digit"),
    [
        ("520727", "3"),
        ("AB2134<<<", "5"),
        ("L898902C3", "6"),
        ("740812", "2"),
        ("120415", "9"),
        ("ZE184226B<<<<<", "1"),
        ("D23145890", "7"),
        ("<<<<<<", "0"),
    ],
)
def test_check_digits_of_the_standard(text: str, digit: str) -> None:
    assert check_digit(text) == digit


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("740812", "1974-08-12"),
        ("260115", "2026-01-15"),
        ("260116", "1926-01-16"),
        ("000229", "2000-02-29"),
        ("010229", ""),
        ("7408<<", "1974-08"),
        ("74<<<<", "1974"),
        ("74<<12", ""),
        ("<<<<<<", ""),
        ("741312", ""),
        ("7408I2", ""),
    ],
)
def test_birth_dates_never_lie_in_the_future(text: str, iso: str) -> None:
    assert birth_date(text, TODAY) == iso


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("120415", "2012-04-15"),
        ("760101", "2076-01-01"),
        ("770101", "1977-01-01"),
        ("991231", "1999-12-31"),
        ("3009<<", "2030-09"),
        ("<<<<<<", ""),
    ],
)
def test_expiry_dates_lie_within_fifty_years(text: str, iso: str) -> None:
    assert expiry_date(text, TODAY) == iso


@pytest.mark.parametrize(
    ("code", "normalised"),
    [
        ("D<<", "DEU"),
        ("DEU", "DEU"),
        ("UTO", "UTO"),
        ("XXA", "XXA"),
        ("GBD", "GBD"),
        ("RKS", "RKS"),
        ("EUE", "EUE"),
        ("ZZZ", ""),
        ("D", ""),
        ("<<<", ""),
        ("UT0", ""),
    ],
)
def test_countries_are_those_of_the_catalogue(code: str, normalised: str) -> None:
    assert country(code) == normalised


@pytest.mark.parametrize(
    ("field", "surname", "given", "truncated"),
    [
        ("ERIKSSON<<ANNA<MARIA<<<<<<", "ERIKSSON", "ANNA MARIA", False),
        ("VAN<DER<MEER<<JAN<<<<", "VAN DER MEER", "JAN", False),
        ("ARKFREITH<<<<<<<", "ARKFREITH", "", False),
        ("BENNELONG<WOOLOOMOOLOO<<DINGO<POTO", "BENNELONG WOOLOOMOOLOO", "DINGO POTO", True),
        ("<<<<<<", "", "", False),
        ("", "", "", False),
    ],
)
def test_names_part_at_the_double_filler(field: str, surname: str, given: str, truncated: bool) -> None:
    names = parse_names(field)
    assert readable(names.surname.of(field)) == surname
    assert readable(names.given_names.of(field)) == given
    assert names.truncated is truncated


@pytest.mark.parametrize(
    ("read", "proven"),
    [
        ("ERIKSSON<<ANNA<<<<<K<<<<<<", "ERIKSSON<<ANNA<<<<<<<<<<<<"),
        ("ERIKSSON<<ANNA<MARIA<<<<CC<<K<<", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<<"),
        ("ARKFREITH<<<<<<<<", "ARKFREITH<<<<<<<<"),
        # an initial, a second given name behind a doubled filler, and letters unlike fillers stay
        ("ERIKSSON<<ANNA<K<<<<<<<", "ERIKSSON<<ANNA<K<<<<<<<"),
        ("ERIKSSON<<ANNA<<MARIA<<<<<<<<<", "ERIKSSON<<ANNA<<MARIA<<<<<<<<<"),
        ("ERIKSSON<<ANNA<<<<<B<<<<<", "ERIKSSON<<ANNA<<<<<B<<<<<"),
    ],
)
def test_only_what_cannot_be_a_name_becomes_filler(read: str, proven: str) -> None:
    assert without_false_fillers(read) == proven


def test_a_misread_check_digit_is_told_from_a_misread_value_only_where_weights_differ() -> None:
    # document number of TD3: same weights in both checks, own digit at place 9 (weight 7)
    assert check_digit_misread(1, (7 * -1) % 10, at=0, length=9, cover=9)
    assert not check_digit_misread(5, (7 * -5) % 10, at=0, length=9, cover=9)
    assert not check_digit_misread(1, 1, at=0, length=9, cover=9)
    # birth date of TD3: some character of the date would explain both mismatches as well
    assert not any(
        check_digit_misread(own, (3 * -own) % 10, at=10, length=6, cover=16) for own in range(1, 10)
    )
