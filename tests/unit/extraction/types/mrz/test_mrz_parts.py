"""Check digits, dates, names and states, one by one."""

from __future__ import annotations

from datetime import date

import pytest

from vidence_server.extraction.types.mrz.check_digit import check_digit
from vidence_server.extraction.types.mrz.countries import country
from vidence_server.extraction.types.mrz.dates import birth_date, expiry_date
from vidence_server.extraction.types.mrz.formats import MRV_B, TD1, TD2, TD3, MrzFormat
from vidence_server.extraction.types.mrz.long_number import LongNumber, long_number
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
        ("260210", "1926-02-10"),
        ("26<<<<", "2026"),
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


def test_a_birth_of_which_the_day_is_unknown_may_be_this_months() -> None:
    assert birth_date("2601<<", date(2026, 1, 1)) == "2026-01"


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
        ("ERIKSSON<<ANNA<MARIA<<<<<<", "ERIKSSON", "ANNA<MARIA", False),
        ("VAN<DER<MEER<<JAN<<<<", "VAN<DER<MEER", "JAN", False),
        ("ARKFREITH<<<<<<<", "ARKFREITH", "", False),
        ("BENNELONG<WOOLOOMOOLOO<<DINGO<POTO", "BENNELONG<WOOLOOMOOLOO", "DINGO<POTO", True),
        ("PAPANDROPOULOS", "PAPANDROPOULOS", "", True),
        ("XENAX<<XALEX<<<", "XENAX", "XALEX", False),
        # fillers misread in front of the names are no empty surname
        ("<<ERIKSSON<<ANNA<<<<", "ERIKSSON", "ANNA", False),
        ("<ARKFREITH<<<<<<<", "ARKFREITH", "", False),
        ("<<<<<<", "", "", False),
        ("", "", "", False),
    ],
)
def test_names_part_at_the_double_filler(field: str, surname: str, given: str, truncated: bool) -> None:
    names = parse_names(field)
    assert (names.surname.of(field), names.given_names.of(field)) == (surname, given)
    assert names.truncated is truncated


@pytest.mark.parametrize(
    ("part", "name"), [("VAN<DER<MEER", "VAN DER MEER"), ("ANNA<<MARIA", "ANNA MARIA"), ("<<", ""), ("", "")]
)
def test_fillers_inside_a_name_are_single_spaces(part: str, name: str) -> None:
    assert readable(part) == name


@pytest.mark.parametrize(
    ("read", "proven"),
    [
        ("ERIKSSON<<ANNA<<<<<K<<<<<<", "ERIKSSON<<ANNA<<<<<<<<<<<<"),
        ("ERIKSSON<<ANNA<MARIA<<<<CC<<K<<", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<<"),
        ("ARKFREITH<<<<<<<<", "ARKFREITH<<<<<<<<"),
        ("ARKFREITH<<<<ANNA<<<K<C<S<X<L<E<<<<<<", "ARKFREITH<<<<ANNA<<<K<C<S<X<L<E<<<<<<"),
        ("ERIKSSON<<ANNA<<<K<C<S<X<L<E<<<<<<", "ERIKSSON<<ANNA<<<<<<<<<<<<<<<<<<<<"),
        # two fillers for each stray letter are enough, fewer may stand around a name
        ("ERIKSSON<<ANNA<<<KC<", "ERIKSSON<<ANNA<<<<<<"),
        ("ERIKSSON<<ANNA<<KC<", "ERIKSSON<<ANNA<<KC<"),
        ("ERIKSSON<<ANNA<<ELSE<<<", "ERIKSSON<<ANNA<<ELSE<<<"),
        # an initial, a second given name behind a doubled filler, and letters unlike fillers stay
        ("ERIKSSON<<ANNA<K<<<<<<<", "ERIKSSON<<ANNA<K<<<<<<<"),
        ("ERIKSSON<<ANNA<<MARIA<<<<<<<<<", "ERIKSSON<<ANNA<<MARIA<<<<<<<<<"),
        ("ERIKSSON<<ANNA<<<<<B<<<<<", "ERIKSSON<<ANNA<<<<<B<<<<<"),
    ],
)
def test_only_what_cannot_be_a_name_becomes_filler(read: str, proven: str) -> None:
    assert without_false_fillers(read) == proven


@pytest.mark.parametrize(
    ("layout", "line", "text", "found"),
    [
        (TD1, 1, "I<UTOD23145890<7349<<<<<<<<<<<", LongNumber("D23145890734", "9", 5)),
        (TD1, 1, "I<UTOD23145890<73O<5<<<<<<<<<<", LongNumber("D2314589073", "0", 4)),
        (TD1, 1, "I<UTOD23145890<73<<<<<<<<<<<<<", LongNumber("D231458907", "3", 3)),
        # the rest is in the optional data, which does not always follow
        (TD2, 2, "D23145890<UTO7408122F12041597349<<<6", LongNumber("D23145890734", "9", 5)),
        (TD2, 2, "D23145890<UTO7408122F120415973456786", LongNumber("D23145890734567", "8", 8)),
        (TD2, 2, "D23145890<UTO7408122F1204159<<<<<<<6", None),
        # numbers of passports and visas have nine characters
        (TD3, 2, "L898902C3<UTO7408122F1204159ZE184226B<<<<<10", None),
        (MRV_B, 2, "L8988901C<XXX4009078F96121097349<<<<", None),
        # the number ends in its field, its digit was read, or nothing but a digit follows
        (TD1, 1, "I<UTOD2314589<<7349<<<<<<<<<<<", None),
        (TD1, 1, "I<UTOD2314589077349<<<<<<<<<<<", None),
        (TD1, 1, "I<UTOD23145890<7<<<<<<<<<<<<<<", None),
        (TD1, 1, "I<UTOD23145890<<<<<<<<<<<<<<<<", None),
        # dates do not go on
        (TD1, 2, "740812<F1204159UTO<<<<<<<<<<<6", None),
        (TD3, 2, "L898902C36UTO7408122F1204159ZE184226B<<<<<10", None),
    ],
)
def test_a_number_goes_on_behind_a_filler(
    layout: MrzFormat, line: int, text: str, found: LongNumber | None
) -> None:
    spans = [span for span in layout.lines[line - 1].spans if span.check is not None]
    assert long_number(text, spans[0]) == found
    assert all(long_number(text, span) is None for span in layout.lines[line - 1].spans[-1:])


# Among the characters that the composite digit covers: where a value begins, its length, its digit's place.
PLACES = {
    "number": (0, 9, 9),
    "birth date": (10, 6, 16),
    "expiry date": (17, 6, 23),
    "optional data": (24, 14, 38),
    "short value": (1, 2, 3),
}


def mismatches(at: int, length: int, cover: int, place: int, value: int) -> tuple[int, int]:
    """What the field's and the whole check are off by where the character at `place` counts `value` more."""
    weights = (7, 3, 1)
    own = -value if place == cover else value * weights[(place - at) % 3]
    return own % 10, value * weights[place % 3] % 10


@pytest.mark.parametrize("field", PLACES)
def test_a_check_digit_is_misread_where_no_misread_character_explains_both_checks(field: str) -> None:
    at, length, cover = PLACES[field]
    changes = range(1, 10)
    by_digit = {mismatches(at, length, cover, cover, change) for change in changes}
    by_value = {
        mismatches(at, length, cover, place, change) for place in range(at, at + length) for change in changes
    }
    for own in range(1, 10):
        for whole in range(10):
            told = check_digit_misread(own, whole, at, length, cover)
            assert told == ((own, whole) in by_digit - by_value)


def test_what_no_check_digit_can_see_is_not_told_apart() -> None:
    # document number of TD3: a digit off by five is also what a character off by five gives
    assert not check_digit_misread(5, (7 * -5) % 10, at=0, length=9, cover=9)
    # birth date of TD3: some character of the date would explain both mismatches as well
    assert not any(
        check_digit_misread(own, (3 * -own) % 10, at=10, length=6, cover=16) for own in range(1, 10)
    )
