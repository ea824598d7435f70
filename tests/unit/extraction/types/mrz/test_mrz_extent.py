"""Rows of which characters are missing: what holds only because the layout was chosen so is never valid."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rendering.lines import CHARACTER_PX, line, with_alternatives, zone
from rendering.people import random_person
from rendering.reading import TODAY, Reading, read
from rendering.specimens import CARD, LOWER, UPPER
from rendering.zones import DOCUMENT_TYPE, FORMATS, digit, true_fields, zone_lines
from vidence_server.extraction.domain.document import NOT_CHECKED, Validation, Verdict

pytestmark = pytest.mark.requirement("R-EX3")

CHECKED = ("document.number", "person.birth_date", "document.expiry_date", "document.optional_data")
FILLERS = Validation(
    Verdict.NOT_CHECKED,
    "icao9303.line_length",
    message="fillers were added or left out here, so nothing is proven",
)
PLACE = Validation(
    Verdict.NOT_CHECKED,
    "icao9303.line_length",
    message="the line has another length and may begin elsewhere",
)


def lower_line(number: str, optional: str = "ZE184226B<<<<<1") -> str:
    """A passport's lower line with a number of up to nine characters, all digits right."""
    padded = number.ljust(9, "<")
    start = f"{padded}{digit(padded)}"
    return f"{start}UTO7408122F1204159{optional}{digit(start + '7408122' + '1204159' + optional)}"


def wrong_but_valid(reading: Reading, truth: dict[str, str]) -> dict[str, str]:
    return {
        field.key: field.value
        for field in reading.document.fields
        if field.validation.verdict is Verdict.VALID
        and field.key in truth
        and field.value != truth[field.key]
    }


@pytest.mark.parametrize("number", ["L898902C3", "S400529", "Y2776103", "G547345", "U9790496", "12", "1234"])
@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_number_whose_beginning_was_not_read_is_not_valid(number: str, missing: int) -> None:
    reading = read("passport", zone((UPPER, lower_line(number)[missing:])))
    assert not wrong_but_valid(reading, {"document.number": number})


@pytest.mark.parametrize("layout", FORMATS)
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 100_000), missing=st.integers(1, 3), which=st.integers(0, 2))
@example(seed=15931, missing=1, which=1)  # 70071267 with the digit of 67007126, and D for 0
def test_no_wrong_checked_value_is_valid_where_a_line_lacks_its_first_characters(
    layout: str, seed: int, missing: int, which: int
) -> None:
    person = random_person(Random(seed), TODAY)
    lines = list(zone_lines(person, layout))
    width = CHARACTER_PX * len(lines[0])
    lines[which % len(lines)] = lines[which % len(lines)][missing:]
    reading = read(DOCUMENT_TYPE[layout], [line(text, at, width=width) for at, text in enumerate(lines)])
    truth = true_fields(person, layout)
    # code and state are only looked up: AUT and TO… without its I< is a code, AU, and a state, TTO
    assert not wrong_but_valid(reading, {key: truth[key] for key in CHECKED})


def test_a_number_that_fillers_were_invented_for_says_so_and_is_half_as_sure() -> None:
    # the 9 was taken for a stray, and 6 is the check digit of 8902C3<<< too
    reading = read("passport", zone((UPPER, LOWER[2:])))
    number = reading.field("document.number")
    assert (number.value, number.validation) == ("8902C3", FILLERS)
    assert number.confidence == pytest.approx(0.95 / 2)
    whole = reading.field("mrz.line", 2)
    assert (whole.value[:10], whole.validation) == ("8902C3<<<6", FILLERS)
    birth = reading.field("person.birth_date")
    assert birth.validation.verdict is Verdict.VALID
    assert birth.confidence == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("lower", "number"),
    [
        # a filler too few, all of them missing, one too many
        (lower_line("AB2134").replace("AB2134<<<", "AB2134<<"), "AB2134"),
        (lower_line("AB2134").replace("AB2134<<<", "AB2134"), "AB2134"),
        (lower_line("AB2134").replace("AB2134<<<", "AB2134<<<<"), "AB2134"),
    ],
)
def test_a_number_with_miscounted_fillers_is_read_and_not_proven(lower: str, number: str) -> None:
    field = read("passport", zone((UPPER, lower))).field("document.number")
    assert (field.value, field.validation) == (number, FILLERS)


@pytest.mark.parametrize("fillers", ["<<", "<<<<"], ids=["one too few", "one too many"])
def test_nothing_is_repaired_in_a_number_with_miscounted_fillers(fillers: str) -> None:
    # with the Z that the recogniser considered the check digit would hold
    read_line = lower_line("AZ2134").replace("AZ2134<<<", f"A22134{fillers}")
    considered = with_alternatives(line(read_line, 1), {1: (("2", 0.6), ("Z", 0.4))})
    reading = read("passport", [line(UPPER, 0), considered])
    number = reading.field("document.number")
    assert number.validation.verdict is not Verdict.VALID
    assert not number.corrections


def test_a_check_digit_behind_miscounted_fillers_is_read_as_a_digit() -> None:
    reading = read("passport", zone((UPPER, lower_line("AB2134").replace("AB2134<<<5", "AB2134<<S"))))
    assert reading.field("document.number").validation == FILLERS
    assert reading.field("mrz.line", 2).value == lower_line("AB2134")
    assert reading.field("mrz.composite_check").validation.verdict is Verdict.VALID


def test_a_number_with_miscounted_fillers_is_not_proven_without_a_composite_digit_either() -> None:
    upper = UPPER.replace("P<", "V<")
    field = read("visa", zone((upper, "AB2134<<5UTO7408122F1204159ZE184226B<<<<<<<"))).field(
        "document.number"
    )
    assert (field.value, field.validation) == ("AB2134", FILLERS)


@pytest.mark.parametrize(
    ("torn", "key", "why"),
    [
        # the check digit behind the filler holds for the digits that the letter stands for
        ("L898902C36UTO7408122F12O415<9ZE184226B<<<<<<<", "document.expiry_date", FILLERS),
        # beside the number a state holds and the date does not
        ("L898902C36UTO74O812<2F1204159ZE184226B<<<<<<<", "person.birth_date", PLACE),
    ],
)
def test_a_line_from_which_a_filler_was_left_out_says_so_beside_a_misread_date_too(
    torn: str, key: str, why: Validation
) -> None:
    reading = read("visa", zone((UPPER.replace("P<", "V<"), torn)))
    whole = reading.field("mrz.line", 2)
    left_out = torn.index("<")
    assert (whole.value, whole.validation) == (torn[:left_out] + torn[left_out + 1 :], why)
    assert reading.field(key).validation.rule == "icao9303.date"


@pytest.mark.parametrize("lower", ["I" + LOWER, "I" + LOWER + "I", LOWER.replace("<<<<<", "<<"), LOWER + "<"])
def test_a_number_side_by_side_with_its_check_digit_stays_proven(lower: str) -> None:
    reading = read("passport", zone((UPPER, lower)))
    number = reading.field("document.number")
    assert (number.value, number.validation.verdict) == ("L898902C3", Verdict.VALID)
    assert number.confidence == pytest.approx(0.95)
    assert reading.field("document.optional_data").validation.verdict is Verdict.VALID


@pytest.mark.parametrize(
    "upper",
    [
        "I<UTOD23145890<75",  # 7 is the check digit of D23145890
        "I<UTOD23145890<7",
        "I<UTOD23145890<734",
        "I<UTOD23145890<" + "7" + digit("D231458907"),  # no filler tells that the number ends here
    ],
)
def test_a_long_number_cut_off_is_not_valid(upper: str) -> None:
    fields = read("id_card", [line(upper, 0, width=170), *zone(CARD[1:], first=1)]).document.fields
    numbers = [field for field in fields if field.key == "document.number"]
    assert all(field.validation.verdict is not Verdict.VALID for field in numbers)


@pytest.mark.parametrize("fillers", ["<", "<<<<<"])
def test_a_long_number_that_a_filler_ends_stays_proven(fillers: str) -> None:
    rest = "7" + digit("D231458907")
    upper = f"I<UTOD23145890<{rest}{fillers}"
    number = read("id_card", [line(upper, 0, width=300), *zone(CARD[1:], first=1)]).field("document.number")
    assert (number.value, number.validation.verdict) == ("D231458907", Verdict.VALID)


@pytest.mark.parametrize("number", ["D23145890", "D2314<<<<"], ids=["full", "with fillers of its own"])
@pytest.mark.parametrize(
    ("optional", "verdict"), [("ZE1", Verdict.NOT_CHECKED), ("ZE1<", Verdict.VALID)], ids=["none", "one"]
)
def test_optional_data_ends_where_a_filler_was_read(optional: str, verdict: Verdict, number: str) -> None:
    checked = number + digit(number)
    covered = checked + "7408122" + "1204159" + "ZE1<<<<"
    lower = f"{checked}UTO7408122F1204159{optional}{digit(covered)}"
    reading = read("id_card", zone(("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", lower)))
    field = reading.field("document.optional_data")
    assert (field.value, field.validation.verdict) == ("ZE1", verdict)
    assert reading.field("mrz.composite_check").validation.verdict is Verdict.VALID


def test_optional_data_that_fills_its_field_is_proven() -> None:
    lower = lower_line("L898902C3", "ZE184226B12345" + digit("ZE184226B12345"))
    field = read("passport", zone((UPPER, lower))).field("document.optional_data")
    assert (field.value, field.validation.verdict) == ("ZE184226B12345", Verdict.VALID)


@pytest.mark.parametrize(
    ("upper", "code", "issuer"),
    [
        # what stands where the state should be is none: the row may be cut, the code part of a state
        ("PHLFALKENSKA<<FABIO<<<<<<<<<<<<<<<<<<<<<<<", PLACE, Verdict.INVALID),
        # a state by chance, beside no code
        ("TONORDA<<ZOFIA<XENIA<<<<<<<<<<<<<<<<<<<<<", Verdict.INVALID, PLACE),
        # only the end is short
        (UPPER[:40], Verdict.VALID, Verdict.VALID),
        # of the line's length: each says what it is
        (UPPER.replace("UTO", "QQQ"), Verdict.VALID, Verdict.INVALID),
    ],
)
def test_code_and_state_vouch_for_each_other_where_the_row_is_not_as_long_as_the_line(
    upper: str, code: Validation | Verdict, issuer: Validation | Verdict
) -> None:
    reading = read("passport", zone((upper, LOWER)))
    for key, wanted in (("document.code", code), ("document.issuer", issuer)):
        found = reading.field(key).validation
        assert (found if isinstance(wanted, Validation) else found.verdict) == wanted
    assert reading.field("person.surname").validation == NOT_CHECKED


NAMES = "JORUNSEN<<ODETTE<<<<<<<<<<<<<<"


@pytest.mark.parametrize(
    ("kind", "rows", "values"),
    [
        # 70071267 with the check digit of 67007126, and D for 0; what follows is no state
        (
            "passport",
            ("P<D<<KESTREVIK<NORDABERG<<ODETTE<FABIO<<<<<<", "700712674D<<6412113M2906287D2O7R5O<<<<<<<48"),
            {"document.number": "700712674"},
        ),
        # one that goes on behind a filler, and dates that are none
        (
            "id_card",
            ("I<BRAFALKENNESS<<WIDO<LUCAN<<<<<<<<<", "40017<4BRA0806110M2404266<<<<<<<<8"),
            {"document.number": "400174BR"},
        ),
        # a sex that is a filler, among dates that are none
        (
            "id_card",
            ("I<UTO94946920<3<<<<<<<<<<<<<<<", "06115F2401287UTO<<<<<<<<<<0", NAMES),
            {"person.sex": "X"},
        ),
        # 5AUT is read as SAU and a T
        (
            "id_card",
            ("I<UTO94946920<3<<<<<<<<<<<<<<<", "03229M2212245AUT<<<<<<<<<<5", NAMES),
            {"person.nationality": "SAU"},
        ),
        # as much beside it holds as does not
        (
            "passport",
            ("P<CHEYARROFIZ<<CELESTE<DARIAN<<<<<<<<<<<<<<<", "7808858<5CHE060507034043002467T72<<<<<<<94"),
            {"document.optional_data": "467T72"},
        ),
        # behind a number that holds by chance, with a code that is none: the composite digit says nothing new
        (
            "id_card",
            (
                "AN0170961309QE4HMC3<<<<<<<<",
                "1311163M2308010CAN<<<<<<<<<<<0",
                "ULMEKOV<<BORIN<<<<<<<<<<<<<<<<",
            ),
            {"document.number": "0961309QE", "document.optional_data": "HMC3"},
        ),
        (
            "id_card",
            (
                "CHE5999929073<<<<<<<<<<<<<<<",
                "6108207M2603058CHE<<<<<<<<<<<0",
                "ROSKABERG<<TOVE<<<<<<<<<<<<<<<",
            ),
            {"document.optional_data": "73"},
        ),
        # I<AUTTORVADOTTI without its I, I<AUT07625936 without its filler
        (
            "id_card",
            ("<AUTTORVADOTTI<<ANNIKA<<<<<<<<<<<<<", "G843878<<8FIN2304207M2509035<<<<<<<8"),
            {"document.code": "AU", "document.issuer": "TTO"},
        ),
        (
            "id_card",
            (
                "IAUT07625936<4PKTPHBP<<<<<<<<",
                "9012075M3102215AUT<<<<<<<<<<<2",
                NAMES,
            ),
            {"document.code": "IA", "document.issuer": "UTO"},
        ),
    ],
)
def test_what_holds_by_chance_where_a_row_was_cut_is_not_valid(
    kind: str, rows: tuple[str, ...], values: dict[str, str]
) -> None:
    width = CHARACTER_PX * max(map(len, rows))
    reading = read(kind, [line(text, at, width=width) for at, text in enumerate(rows)])
    for key, value in values.items():
        field = reading.field(key)
        assert (field.value, field.validation) == (value, PLACE)


def test_optional_data_behind_a_long_number_that_does_not_hold_are_not_valid() -> None:
    # the composite digit holds, wherever the number ends
    rows = ("I<D<<NORDAKOV<<YORICK<<<<<<<<<<<<<<<", "6943035<7D<<3212297M34060501OXZ9GA8")
    reading = read("id_card", [line(text, at, width=CHARACTER_PX * 36) for at, text in enumerate(rows)])
    assert reading.field("document.number").validation.verdict is Verdict.INVALID
    assert reading.field("mrz.composite_check").validation.verdict is Verdict.VALID
    assert reading.field("document.optional_data").validation == NOT_CHECKED


def test_a_state_behind_a_code_that_lacks_its_first_letter_is_not_valid() -> None:
    rows = ("DUTO94946920<3<<<<<<<<<<<<<<<", "9206115F2401287UTO<<<<<<<<<<<0", NAMES)
    reading = read("id_card", [line(text, at, width=CHARACTER_PX * 30) for at, text in enumerate(rows)])
    assert (reading.field("document.issuer").value, reading.field("document.issuer").validation) == (
        "UTO",
        PLACE,
    )


def test_what_is_beside_more_that_holds_stays_valid() -> None:
    # a stray in front of both lines, and no state in the lower one
    reading = read("passport", zone(("I" + UPPER, "I" + LOWER.replace("UTO", "QQQ"))))
    for key in ("document.code", "document.issuer", "document.number", "person.birth_date", "person.sex"):
        assert reading.field(key).validation.verdict is Verdict.VALID, key
    assert reading.field("person.nationality").validation.verdict is Verdict.INVALID
