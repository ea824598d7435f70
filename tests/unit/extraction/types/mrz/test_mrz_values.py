"""What the characters of a field say: names, sexes, states, dates and numbers, and what else they may be."""

from __future__ import annotations

import pytest

from rendering.lines import line, with_alternatives, zone
from rendering.passport import SEX, across, changed, checked, field, passport
from rendering.specimens import CARD, LOWER, UPPER
from rendering.zones import digit
from vidence_server.extraction.domain.document import NOT_CHECKED, Validation, Verdict

pytestmark = pytest.mark.requirement("R-EX3")

GOES_ON = Validation(Verdict.NOT_CHECKED, message="the name fills its field and may go on")
NO_LETTERS = Validation(Verdict.INVALID, "icao9303.name_characters", message="names hold no digits")
NO_DATE = Validation(Verdict.INVALID, "icao9303.date", message="not a date")


@pytest.mark.parametrize(
    ("names", "key", "value", "box", "validation"),
    [
        (
            "BENNELONG<WOOLOOMOOLOO<WARRANDYTE<DINGO",
            "person.surname",
            "BENNELONG WOOLOOMOOLOO WARRANDYTE DINGO",
            (150, 540),
            GOES_ON,
        ),
        ("BENNELONG<WOOLOOMOOLOO<WARRANDYTE<DINGO", "person.given_names", "", None, GOES_ON),
        (
            "BENNELONG<WOOLOOMOOLOO<WARRANDYTE<<DING",
            "person.surname",
            "BENNELONG WOOLOOMOOLOO WARRANDYTE",
            (150, 480),
            NOT_CHECKED,
        ),
        ("BENNELONG<WOOLOOMOOLOO<WARRANDYTE<<DING", "person.given_names", "DING", (500, 540), GOES_ON),
        ("ERIKSSON" + "<" * 31, "person.given_names", "", None, NOT_CHECKED),
        ("ERIKSSO0<<ANNA" + "<" * 25, "person.surname", "", (150, 230), NO_LETTERS),
        ("ERIKSSON<<ANN4" + "<" * 25, "person.surname", "ERIKSSON", (150, 230), NOT_CHECKED),
        ("ERIKSSON<<ANN4" + "<" * 25, "person.given_names", "", (250, 290), NO_LETTERS),
    ],
)
def test_names_and_what_is_said_of_them(
    names: str, key: str, value: str, box: tuple[float, float] | None, validation: Validation
) -> None:
    found = field(passport(upper="P<UTO" + names), key)
    assert (found.value, across(found), found.validation) == (value, box, validation)
    sure = 0.475 if validation is NO_LETTERS else 0.95 if box else 1.0
    assert found.confidence == pytest.approx(sure)


@pytest.mark.parametrize(
    ("surname", "others"), [("ERIKSSO0", [("ERIKSSOO", 0.1)]), ("5TE1N", [("STEIN", 0.1)]), ("ERIKSSO9", [])]
)
def test_a_name_with_digits_offers_the_letters_they_resemble(
    surname: str, others: list[tuple[str, float]]
) -> None:
    upper = f"P<UTO{surname}<<ANNA".ljust(44, "<")
    found = field(passport(upper=upper), "person.surname")
    assert (found.raw_value, found.value) == (surname, "")
    assert [(other.value, other.confidence) for other in found.alternatives] == others


def test_a_name_cut_off_ends_where_reading_ended() -> None:
    given = [line(UPPER[:24], 0, width=240), line(LOWER, 1)]
    found = field(given, "person.given_names")
    assert (found.raw_value, found.value, across(found)) == ("ANNA<MARI", "ANNA MARI", (250, 340))
    assert found.validation == NOT_CHECKED


@pytest.mark.parametrize(("char", "value", "box"), [("M", "M", True), ("X", "X", True), ("<", "X", False)])
def test_every_sex_of_the_standard(char: str, value: str, box: bool) -> None:
    found = field(passport(changed(LOWER, 20, char)), "person.sex")
    assert (found.raw_value, found.value, found.validation) == (char, value, SEX)
    # a filler has no place of its own
    assert across(found) == ((300, 310) if box else None)


def test_an_impossible_sex_says_what_may_be() -> None:
    found = field(passport(changed(LOWER, 20, "8")), "person.sex")
    assert (found.raw_value, found.value, across(found)) == ("8", "", (300, 310))
    assert found.validation == Validation(
        Verdict.INVALID, "icao9303.sex", "F|M|<", "8", "neither F, M nor a filler"
    )


def test_an_unknown_state_offers_the_states_that_the_recogniser_considered() -> None:
    upper, lower = passport(changed(LOWER, 10, "XRA"))
    doubted = with_alternatives(
        lower, {10: (("F", 0.2), ("B", 0.1)), 11: (("X", 0.4), ("Q", 0.3)), 12: (("9", 0.3),)}
    )
    found = field((upper, doubted), "person.nationality")
    assert (found.raw_value, found.value, found.validation.verdict) == ("XRA", "", Verdict.INVALID)
    assert [(other.value, other.confidence) for other in found.alternatives] == [
        ("XXA", 0.4),
        ("FRA", 0.2),
        ("BRA", 0.1),
    ]


def test_a_known_state_offers_no_other() -> None:
    upper, lower = passport(changed(LOWER, 10, "FRA"))
    found = field((upper, with_alternatives(lower, {10: (("B", 0.2),)})), "person.nationality")
    assert (found.value, found.alternatives) == ("FRA", ())


@pytest.mark.parametrize(
    ("lower", "key", "raw", "others"),
    [
        (changed(LOWER, 13, "741312" + digit("741312")), "person.birth_date", "741312", []),
        (changed(LOWER, 21, "121315" + digit("121315")), "document.expiry_date", "121315", []),
        (changed(changed(LOWER, 21, "I"), 27, "4"), "document.expiry_date", "I20415", [("2012-04-15", 0.1)]),
        # as letters resemble digits the date would lie in the future; that of birth lies a century before
        (
            changed(changed(LOWER, 13, "Z7O812"), 19, "1"),
            "person.birth_date",
            "Z7O812",
            [("1927-08-12", 0.1)],
        ),
    ],
)
def test_what_is_no_date_is_said_to_be_none(
    lower: str, key: str, raw: str, others: list[tuple[str, float]]
) -> None:
    found = field(passport(lower), key)
    assert (found.raw_value, found.value, found.validation) == (raw, "", NO_DATE)
    assert [(other.value, other.confidence) for other in found.alternatives] == others
    assert found.confidence == pytest.approx(0.475)


def test_behind_a_long_number_optional_data_begin_and_the_other_are_whole() -> None:
    number, rest = "D23145890", "734"
    upper = f"I<UTO{number}<{rest}{digit(number + rest)}<AB<CD".ljust(30, "<")
    second = "XY<Z".ljust(11, "<")
    lower = f"7408122F1204159UTO{second}{digit(upper[5:] + '7408122' + '1204159' + second)}"
    given = zone((upper, lower, CARD[2]))
    by_composite = checked(lower[-1], "icao9303.composite_check_digit")
    for key, raw, value, box, validation in (
        ("document.number", "D23145890<7349", "D23145890734", (150, 290), checked("9")),
        ("document.optional_data", "<AB<CD<<<<<", "AB CD", (300, 350), by_composite),
        ("document.optional_data_2", "XY<Z<<<<<<<", "XY Z", (280, 320), by_composite),
    ):
        found = field(given, key, kind="id_card")
        assert (found.raw_value, found.value, across(found), found.validation) == (
            raw,
            value,
            box,
            validation,
        )


def test_a_repair_of_optional_data_is_offered_as_it_would_be_read() -> None:
    # both zeros have the same weight: either may be the letter
    optional = "O12<0345<<<<<<"
    covered = LOWER[:28] + optional + digit(optional)
    whole = covered + digit(covered[:10] + covered[13:20] + covered[21:43])
    upper, lower = passport(changed(whole, 28, "0"))
    doubted = with_alternatives(lower, {28: (("O", 0.3),)})
    found = field((upper, doubted), "document.optional_data")
    assert (found.raw_value, found.value) == ("012<0345<<<<<<", "O12 0345")
    assert [(fix.position, fix.read, fix.corrected) for fix in found.corrections] == [(0, "0", "O")]
    assert found.validation.verdict is Verdict.VALID
    plain = field((upper, lower), "document.optional_data")
    assert (plain.value, plain.validation.verdict) == ("012 0345", Verdict.INVALID)
    assert ("O12 0345", 0.01) in [(other.value, other.confidence) for other in plain.alternatives]


def test_a_number_of_which_a_part_is_missing_has_no_value() -> None:
    found = field([line(LOWER[4:], 1, width=400)], "document.number")
    assert (found.raw_value, found.value, across(found)) == ("902C3", "", (100, 150))
    assert found.validation.verdict is Verdict.NOT_CHECKED


def test_a_reading_that_is_no_date_is_no_alternative_to_its_repair() -> None:
    upper, lower = passport(changed(LOWER, 15, "8"))
    found = field((upper, with_alternatives(lower, {15: (("0", 0.35),)})), "person.birth_date")
    assert (found.raw_value, found.value, found.validation) == ("748812", "1974-08-12", checked("2"))
    assert found.alternatives == ()


def test_other_numbers_are_offered_without_fillers() -> None:
    number = "O1203456<"
    begin = number + digit(number)
    whole = begin + LOWER[10:43] + digit(begin + LOWER[13:20] + LOWER[21:43])
    upper, lower = passport(changed(whole, 0, "0"))
    doubted = with_alternatives(lower, {0: (("O", 0.3),), 3: (("O", 0.2),)})
    found = field((upper, doubted), "document.number")
    assert (found.raw_value, found.value) == ("01203456<", "01203456")
    assert [(other.value, other.confidence) for other in found.alternatives] == [
        ("O1203456", 0.3),
        ("012O3456", 0.2),
    ]


def test_a_state_with_a_filler_that_was_dropped_still_offers_others() -> None:
    upper, _ = passport()
    lower = line(LOWER[:10] + "X<" + LOWER[13:], 1, width=440)
    found = field((upper, with_alternatives(lower, {10: (("D", 0.3),)})), "person.nationality")
    assert (found.raw_value, found.value, found.validation.verdict) == ("X<<", "", Verdict.INVALID)
    assert [(other.value, other.confidence) for other in found.alternatives] == [("DEU", 0.3)]


@pytest.mark.parametrize(("expiry", "iso"), [("301231", "2030-12-31"), ("750131", "2075-01-31")])
def test_a_date_of_expiry_may_lie_ahead(expiry: str, iso: str) -> None:
    # the composite digit does not agree with the other date: the field's own check digit decides
    found = field(passport(changed(LOWER, 21, expiry + digit(expiry))), "document.expiry_date")
    assert (found.raw_value, found.value, found.validation) == (expiry, iso, checked(digit(expiry)))
