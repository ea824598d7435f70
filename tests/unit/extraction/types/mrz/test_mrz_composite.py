"""What the composite digit adds: verdicts, choices between repairs, and repairs taken back."""

from __future__ import annotations

import pytest

from rendering.lines import with_alternatives, zone
from rendering.reading import read
from rendering.specimens import (
    CARD,
    LOWER,
    OWN,
    TD2,
    UPPER,
    WHOLE,
    Doubts,
    card,
    misread,
    passport,
    refused,
    with_composite,
)
from rendering.zones import digit
from vidence_server.extraction.domain.document import NOT_CHECKED, Validation, Verdict

pytestmark = pytest.mark.requirement("R-EX3")

# Where a check digit stands: line and place, and whether the composite digit can tell it from the value.
DIGITS = {
    "passport number": ("passport", (UPPER, LOWER), 2, 9, "document.number", True),
    "passport birth": ("passport", (UPPER, LOWER), 2, 19, "person.birth_date", False),
    "passport expiry": ("passport", (UPPER, LOWER), 2, 27, "document.expiry_date", False),
    "passport optional": ("passport", (UPPER, LOWER), 2, 42, "document.optional_data", True),
    "card number": ("id_card", CARD, 1, 14, "document.number", True),
    "card birth": ("id_card", CARD, 2, 6, "person.birth_date", False),
    "card expiry": ("id_card", CARD, 2, 14, "document.expiry_date", False),
    "TD2 number": ("id_card", TD2, 2, 9, "document.number", True),
}


@pytest.mark.parametrize("which", DIGITS)
def test_a_misread_check_digit_is_corrected_where_it_is_told_from_a_misread_value(which: str) -> None:
    kind, lines, number, place, key, told = DIGITS[which]
    right = int(lines[number - 1][place])
    for off in range(1, 10):
        wrong = str((right + off) % 10)
        changed = [*lines]
        changed[number - 1] = misread(lines[number - 1], {place: wrong})
        reading = read(kind, zone(changed))
        field, line = reading.field(key), reading.field("mrz.line", number)
        edits = [(fix.position, fix.read, fix.corrected) for fix in line.corrections]
        # weights of 5 cannot be told from each other
        if told and off != 5:
            assert field.validation == Validation(Verdict.VALID, OWN, str(right), str(right))
            assert (line.value, edits) == (lines[number - 1], [(place, wrong, str(right))])
        else:
            assert field.validation == refused(str(right), wrong)
            assert (line.value, edits) == (changed[number - 1], [])
        assert (field.raw_value, field.corrections) == (
            read(kind, zone(lines)).field(key).raw_value,
            (),
        )


def test_a_letter_that_resembles_no_digit_is_no_misread_check_digit() -> None:
    field = passport(misread(LOWER, {9: "K"})).field("document.number")
    assert (field.value, field.validation) == ("L898902C3", refused("6", "K"))


# 740812 read as 760812: the check digit holds for 740812 as well as for 960812
TWO_DATES: Doubts = {13: (("9", 0.3),), 14: (("4", 0.3),)}


def test_the_composite_digit_chooses_between_two_repairs() -> None:
    field = passport(misread(LOWER, {14: "6"}), TWO_DATES).field("person.birth_date")
    assert (field.raw_value, field.value) == ("760812", "1974-08-12")
    assert [(fix.position, fix.read, fix.corrected, fix.proof) for fix in field.corrections] == [
        (1, "6", "4", WHOLE)
    ]
    assert field.validation == Validation(Verdict.VALID, OWN, "2", "2")
    assert {other.value for other in field.alternatives} == {"1996-08-12", "1976-08-12"}


def test_the_composite_digit_judges_by_what_the_other_fields_prove() -> None:
    # the check digit behind the optional data is read as a letter; 560415 has that of 120415 too
    doubts: Doubts = {21: (("5", 0.3),), 22: (("2", 0.3),)}
    reading = passport(misread(LOWER, {22: "6", 42: "I"}), doubts)
    field = reading.field("document.expiry_date")
    assert (field.raw_value, field.value) == ("160415", "2012-04-15")
    assert reading.field("mrz.line", 2).value == LOWER


def test_without_a_composite_digit_two_repairs_stay_two() -> None:
    upper, lower = zone(("V" + UPPER[1:], misread(LOWER[:28] + "<" * 16, {14: "6"})))
    field = read("visa", (upper, with_alternatives(lower, TWO_DATES))).field("person.birth_date")
    assert (field.value, field.corrections) == ("1976-08-12", ())
    assert field.validation == refused(digit("760812"), "2")
    assert [other.value for other in field.alternatives] == ["1996-08-12", "1974-08-12"]


def test_the_composite_digit_takes_back_a_repair_that_it_contradicts() -> None:
    lower = misread(LOWER, {14: "6", 43: "5"})
    field = passport(lower, {14: (("4", 0.3),)}).field("person.birth_date")
    assert (field.value, field.corrections) == ("1976-08-12", ())
    assert field.validation == refused(digit("760812"), "2")
    assert "1974-08-12" in [other.value for other in field.alternatives]


def test_the_composite_digit_does_not_judge_two_doubtful_fields() -> None:
    lower = with_composite("LO98902C3" + digit("LO98902C3") + LOWER[10:])
    reading = passport(misread(lower, {1: "0", 19: "5"}), {1: (("O", 0.3),)})
    number, birth = reading.field("document.number"), reading.field("person.birth_date")
    assert (number.value, [fix.proof for fix in number.corrections]) == ("LO98902C3", [OWN])
    assert birth.validation == refused("2", "5")
    assert reading.field("mrz.composite_check").validation.verdict is Verdict.INVALID


@pytest.mark.parametrize("composite", ["K", "<"])
def test_a_composite_digit_that_is_none_judges_nothing(composite: str) -> None:
    lower = with_composite("LO98902C3" + digit("LO98902C3") + LOWER[10:])
    reading = passport(misread(lower, {1: "0", 43: composite}), {1: (("O", 0.3),)})
    number, whole = reading.field("document.number"), reading.field("mrz.composite_check")
    assert (number.value, [fix.proof for fix in number.corrections]) == ("LO98902C3", [OWN])
    assert (whole.raw_value, whole.value) == (composite, "")
    assert whole.validation == refused(lower[43], composite, WHOLE)
    assert reading.field("mrz.line", 2).value == misread(lower, {43: composite})


def test_what_both_checks_prove_is_proven_by_the_composite_one() -> None:
    lower = with_composite("LO98902C3" + digit("LO98902C3") + LOWER[10:])
    reading = passport(misread(lower, {1: "0"}), {1: (("O", 0.3),)})
    number = reading.field("document.number")
    assert (number.value, [fix.proof for fix in number.corrections]) == ("LO98902C3", [WHOLE])
    assert reading.field("mrz.line", 2).value == lower
    # the fields around it are all there
    assert set(passport(LOWER).values()) == set(reading.values())


def test_what_looked_like_a_misread_letter_may_be_a_misread_check_digit() -> None:
    # the digit read is that of LO98902C3, and an O was considered; the composite digit disagrees
    lower = with_composite("L098902C3" + digit("L098902C3") + LOWER[10:])
    doubts: Doubts = {1: (("O", 0.3),)}
    reading = passport(misread(lower, {9: digit("LO98902C3")}), doubts)
    number = reading.field("document.number")
    assert (number.value, number.corrections) == ("L098902C3", ())
    assert number.validation == Validation(Verdict.VALID, OWN, lower[9], lower[9])
    assert reading.field("mrz.line", 2).value == lower


def test_a_letter_for_the_composite_digit_is_read_as_the_digit() -> None:
    reading = passport(misread(LOWER, {43: "O"}))
    whole, line = reading.field("mrz.composite_check"), reading.field("mrz.line", 2)
    assert (whole.raw_value, whole.value) == ("O", "0")
    assert whole.validation == Validation(Verdict.VALID, WHOLE, "0", "0")
    assert [(fix.read, fix.corrected) for fix in whole.corrections] == [("O", "0")]
    assert line.value == LOWER
    wrong = passport(misread(LOWER, {43: "S"})).field("mrz.line", 2)
    assert (wrong.value, wrong.corrections) == (LOWER[:43] + "S", ())


@pytest.mark.parametrize(
    ("first", "second", "keys"),
    [
        ("I<UTOD231458907ZE184226B<<<<<<", CARD[1], ("document.optional_data",)),
        (CARD[0], "7408122F1204159UTOZE184226B<<6", ("document.optional_data_2",)),
        ("I<UTOD231458907ZE1<<<<<<<<<<<<", "7408122F1204159UTOXX<<<<<<<<<6", ("document.optional_data_2",)),
    ],
)
def test_optional_data_without_its_own_digit_shares_the_composite_verdict(
    first: str, second: str, keys: tuple[str, ...]
) -> None:
    good = card(first, second)
    whole = good.field("mrz.composite_check").validation
    assert whole.verdict is Verdict.VALID
    assert all(good.field(key).validation == whole for key in keys)
    actual = whole.actual
    wrong = str((int(actual) + 1) % 10)
    covered = (first, second[:29] + wrong, CARD[2])
    bad = read("id_card", zone(covered))
    assert all(bad.field(key).validation == refused(actual, wrong, WHOLE) for key in keys)
    # what is empty or has no check digit at all is not checked by it
    shared = {"document.optional_data", "document.optional_data_2", "mrz.composite_check"}
    for reading in (good, bad):
        assert {field.key for field in reading.document.fields if field.validation.rule == WHOLE} <= shared
    empty = card(*CARD[:2])
    assert all(empty.field(key).validation == NOT_CHECKED for key in keys)


def test_optional_data_with_its_own_digit_keeps_its_own_verdict() -> None:
    reading = passport(misread(LOWER, {43: "5"}))
    assert reading.field("document.optional_data").validation == Validation(Verdict.VALID, OWN, "1", "1")
    assert reading.field("mrz.composite_check").validation == refused("0", "5", WHOLE)


def test_no_composite_check_without_all_its_lines() -> None:
    for lines in ((CARD[0], CARD[2]), CARD[1:], (UPPER,)):
        kind = "passport" if lines[0] == UPPER else "id_card"
        assert "mrz.composite_check" not in read(kind, zone(lines)).values()
