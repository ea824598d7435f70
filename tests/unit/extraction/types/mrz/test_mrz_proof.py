"""What a field's own check digit proves about it."""

from __future__ import annotations

from datetime import date

import pytest

from rendering.lines import with_alternatives, zone
from rendering.reading import TODAY, read
from rendering.specimens import (
    CARD,
    LOWER,
    OWN,
    TD2,
    UPPER,
    Doubts,
    card,
    misread,
    passport,
    refused,
    with_composite,
)
from rendering.zones import digit
from vidence_server.extraction.domain.document import Validation, Verdict
from vidence_server.extraction.types.mrz.formats import Content
from vidence_server.extraction.types.mrz.proof import possible

pytestmark = pytest.mark.requirement("R-EX3")


def test_a_field_that_was_not_wholly_read_is_not_checked() -> None:
    reading = read("passport", zone((LOWER[:30],)))
    unread = Validation(Verdict.NOT_CHECKED, OWN, message="not all characters were read")
    assert reading.field("document.optional_data").validation == unread
    assert reading.field("document.number").validation == Validation(Verdict.VALID, OWN, "6", "6")
    assert "mrz.composite_check" not in reading.values()


@pytest.mark.parametrize(
    ("key", "start", "end"),
    [("document.number", 0, 10), ("document.expiry_date", 21, 28), ("document.optional_data", 28, 43)],
)
def test_an_empty_field_needs_no_check_digit(key: str, start: int, end: int) -> None:
    reading = passport(with_composite(LOWER[:start] + "<" * (end - start) + LOWER[end:]))
    field = reading.field(key)
    assert (field.value, field.corrections) == ("", ())
    assert field.validation == Validation(Verdict.VALID, OWN, "0", "<")
    assert reading.field("mrz.composite_check").validation.verdict is Verdict.VALID


@pytest.mark.parametrize(
    ("key", "start", "value", "expected"),
    [
        ("document.number", 0, "L898902C3", "6"),
        ("document.number", 0, "L898902C<", digit("L898902C<")),
        ("document.number", 0, "XXXXXXXX<", digit("XXXXXXXX<")),
        ("person.birth_date", 13, "740812", "2"),
        ("document.optional_data", 28, "XXX<<<<<<<<<<<", digit("XXX")),
    ],
)
def test_a_value_with_a_filler_for_its_check_digit_is_refused(
    key: str, start: int, value: str, expected: str
) -> None:
    end = start + len(value)
    field = passport(with_composite(LOWER[:start] + value + "<" + LOWER[end + 1 :])).field(key)
    assert field.raw_value == value
    assert (field.validation, field.corrections) == (refused(expected, "<"), ())


def test_a_long_number_has_the_box_and_the_characters_of_both_its_parts() -> None:
    number, rest = "D23145890", "734"
    check = digit(number + rest)
    field = card(f"I<UTO{number}<{rest}{check}<<<<<<<<<<<", CARD[1]).field("document.number")
    assert (field.raw_value, field.value) == (f"{number}<{rest}{check}", number + rest)
    assert field.validation == Validation(Verdict.VALID, OWN, check, check)
    assert field.quad is not None
    assert (field.quad.top_left.x, field.quad.top_right.x) == pytest.approx((150, 290))


def test_a_long_number_of_the_two_line_card_goes_on_behind_the_dates() -> None:
    number, rest = "D23145890", "734"
    check = digit(number + rest)
    start = f"{number}<UTO7408122F1204159{rest}{check}<<<"
    covered = start[:10] + start[13:20] + start[21:]
    reading = read("id_card", zone((TD2[0], start + digit(covered))))
    field = reading.field("document.number")
    assert (field.raw_value, field.value) == (f"{number}<{rest}{check}", number + rest)
    assert field.validation == Validation(Verdict.VALID, OWN, check, check)
    assert reading.values()["person.nationality"] == "UTO"
    assert reading.values()["document.optional_data"] == ""
    assert reading.field("mrz.composite_check").validation.verdict is Verdict.VALID


@pytest.mark.parametrize("optional", ["<" * 15, "4" + "<" * 14], ids=["nothing", "one character"])
def test_a_number_without_digit_that_does_not_go_on_is_refused(optional: str) -> None:
    # one character cannot be the rest of a number and its check digit
    field = card("I<UTOD23145890<" + optional, CARD[1]).field("document.number")
    assert (field.raw_value, field.validation) == ("D23145890", refused("7", "<"))


def test_a_long_number_of_which_the_end_was_not_read_is_not_checked() -> None:
    lines = ("I<UTOD23145890<912345678", *CARD[1:])
    field = read("id_card", zone(lines)).field("document.number")
    assert field.raw_value == "D23145890"
    assert field.validation == Validation(Verdict.NOT_CHECKED, OWN, message="not all characters were read")


def test_the_digit_of_a_long_number_is_doubted_by_nothing() -> None:
    number, rest = "D23145890", "73"
    right = digit(number + rest)
    wrong = str((int(right) + 1) % 10)
    first, second = f"I<UTO{number}<{rest}{right}" + "<" * 12, CARD[1]
    covered = first[5:] + second[:7] + second[8:15] + second[18:29]
    lines = (misread(first, {17: wrong}), second[:29] + digit(covered), CARD[2])
    field = read("id_card", zone(lines)).field("document.number")
    assert (field.value, field.validation) == (number + rest, refused(right, wrong))


@pytest.mark.parametrize(
    ("text", "content", "can_be"),
    [
        ("740812", Content.BIRTH_DATE, True),
        ("741312", Content.BIRTH_DATE, False),
        ("<<<<<<", Content.BIRTH_DATE, False),
        ("310812", Content.EXPIRY_DATE, True),
        ("311312", Content.EXPIRY_DATE, False),
        ("XXXXXX", Content.EXPIRY_DATE, False),
        ("<<<<<<", Content.EXPIRY_DATE, True),
        ("741312", Content.NUMBER, True),
    ],
)
def test_only_dates_can_be_impossible(text: str, content: Content, can_be: bool) -> None:
    assert possible(text, content, TODAY) is can_be


@pytest.mark.parametrize(("start", "key"), [(13, "person.birth_date"), (21, "document.expiry_date")])
def test_a_check_digit_does_not_make_a_date_of_what_is_none(start: int, key: str) -> None:
    text = "741341"
    lower = LOWER[:start] + text + digit(text) + LOWER[start + 7 :]
    doubts: Doubts = {start + 2: (("0", 0.3),)}
    field = passport(with_composite(lower), doubts).field(key)
    assert (field.raw_value, field.value) == (text, "")
    assert field.validation.rule == "icao9303.date"


def test_a_date_that_cannot_be_is_searched_though_its_check_digit_agrees() -> None:
    # month 13: one digit for both 741341 and 740311
    lower = with_composite(LOWER[:13] + "741341" + digit("740311") + LOWER[20:])
    field = passport(lower, {15: (("0", 0.3),), 17: (("1", 0.3),)}).field("person.birth_date")
    assert (field.raw_value, field.value, field.validation.verdict) == ("741341", "1974-03-11", Verdict.VALID)
    assert [(fix.read, fix.corrected) for fix in field.corrections] == [("1", "0"), ("4", "1")]


def test_a_repair_that_is_no_date_is_no_other_explanation() -> None:
    # 764812 has the check digit too, but there is no month 48
    upper, lower = zone(("V" + UPPER[1:], misread(LOWER[:28] + "<" * 16, {14: "6"})))
    told = with_alternatives(lower, {14: (("4", 0.3),), 15: (("4", 0.3),)})
    field = read("visa", (upper, told)).field("person.birth_date")
    assert (field.raw_value, field.value) == ("760812", "1974-08-12")
    assert field.validation == Validation(Verdict.VALID, OWN, "2", "2")


def test_a_birth_date_is_proven_as_of_the_day_of_reading() -> None:
    lower = with_composite(LOWER[:13] + "260301" + digit("260301") + LOWER[20:])
    for today, value in ((date(2026, 1, 15), "1926-03-01"), (date(2026, 3, 1), "2026-03-01")):
        field = read("passport", zone((UPPER, lower)), today=today).field("person.birth_date")
        assert (field.value, field.validation.verdict) == (value, Verdict.VALID)
