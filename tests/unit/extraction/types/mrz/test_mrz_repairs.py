"""Misread characters: repaired where it is proven, flagged where not, never silently wrong."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rendering.lines import with_alternatives, zone
from rendering.people import random_person
from rendering.reading import TODAY, Reading, read
from rendering.specimens import LOWER, UPPER
from rendering.zones import DOCUMENT_TYPE, FORMATS, digit, true_fields, zone_lines
from vidence_server.extraction.domain.document import ExtractedField, Verdict
from vidence_server.extraction.types.mrz.check_digit import CHARACTER_VALUES

CONFUSIONS = {
    "0": "OD",
    "O": "0",
    "1": "IL",
    "I": "1",
    "8": "B",
    "B": "8",
    "5": "S",
    "S": "5",
    "2": "Z",
    "Z": "2",
}
PROOFS = {
    "icao9303.check_digit",
    "icao9303.composite_check_digit",
    "icao9303.country_code",
    "icao9303.document_code",
    "icao9303.line_length",
    "icao9303.name_filler",
}
CHECKED = ("document.number", "person.birth_date", "document.expiry_date")


def misread(text: str, changes: dict[int, str]) -> str:
    return "".join(changes.get(place, char) for place, char in enumerate(text))


def passport(lower: str, upper: str = UPPER) -> Reading:
    return read("passport", zone((upper, lower)))


def with_number(number: str) -> str:
    """The specimen's lower line with another document number and check digits to match."""
    checked = number + digit(number)
    return LOWER[:0] + checked + LOWER[10:43] + digit(checked + LOWER[13:20] + LOWER[21:43])


@pytest.mark.requirement("R-EX3")
def test_letters_in_dates_are_read_as_digits_where_the_check_digit_agrees() -> None:
    field = passport(misread(LOWER, {15: "O", 17: "I"})).field("person.birth_date")
    assert (field.raw_value, field.value) == ("74O8I2", "1974-08-12")
    assert [(fix.position, fix.read, fix.corrected, fix.proof) for fix in field.corrections] == [
        (2, "O", "0", "icao9303.check_digit"),
        (4, "I", "1", "icao9303.check_digit"),
    ]
    assert field.validation.verdict is Verdict.VALID


@pytest.mark.requirement("R-EX3")
def test_a_letter_in_a_date_stays_where_nothing_proves_the_digit() -> None:
    # the 9 in the expiry date's check digit is gone too: nothing agrees with anything
    field = passport(misread(LOWER, {21: "I", 27: "4"})).field("document.expiry_date")
    assert (field.raw_value, field.value, field.corrections) == ("I20415", "", ())
    assert field.validation.verdict is Verdict.INVALID
    assert [other.value for other in field.alternatives] == ["2012-04-15"]
    assert field.confidence < 0.6


@pytest.mark.requirement("R-EX3")
def test_a_confused_character_of_a_number_is_repaired_and_flagged() -> None:
    upper, lower = zone((UPPER, misread(with_number("LO98902C3"), {1: "0"})))
    doubted = with_alternatives(lower, {1: (("O", 0.002),)}, confidence=0.99)
    field = read("passport", (upper, doubted)).field("document.number")
    assert (field.raw_value, field.value) == ("L098902C3", "LO98902C3")
    assert [(fix.position, fix.read, fix.corrected) for fix in field.corrections] == [(1, "0", "O")]
    assert field.validation.verdict is Verdict.VALID
    assert field.confidence < 0.95


@pytest.mark.requirement("R-EX3")
def test_resemblance_alone_changes_nothing_but_offers_an_alternative() -> None:
    field = passport(misread(with_number("LO98902C3"), {1: "0"})).field("document.number")
    assert (field.value, field.corrections) == ("L098902C3", ())
    assert field.validation.verdict is Verdict.INVALID
    assert "LO98902C3" in [other.value for other in field.alternatives]


@pytest.mark.requirement("R-EX3")
def test_where_two_repairs_agree_with_the_check_digit_none_is_made() -> None:
    # both zeros have weight 7: either may be the letter
    upper, lower = zone((UPPER, misread(with_number("O12034567"), {0: "0"})))
    doubted = with_alternatives(lower, {0: (("O", 0.3),), 3: (("O", 0.2),)})
    field = read("passport", (upper, doubted)).field("document.number")
    assert (field.raw_value, field.value, field.corrections) == ("012034567", "012034567", ())
    assert field.validation.verdict is Verdict.INVALID
    assert [other.value for other in field.alternatives] == ["O12034567", "012O34567"]


@pytest.mark.requirement("R-EX3")
def test_of_two_repairs_the_recogniser_may_prefer_one_clearly() -> None:
    upper, lower = zone((UPPER, misread(with_number("O12034567"), {0: "0"})))
    doubted = with_alternatives(lower, {0: (("O", 0.4),), 3: (("O", 0.02),)})
    field = read("passport", (upper, doubted)).field("document.number")
    assert field.value == "O12034567"
    assert [other.value for other in field.alternatives] == ["012O34567"]


@pytest.mark.requirement("R-EX3")
def test_the_same_mistake_made_twice_is_repaired() -> None:
    upper, lower = zone((UPPER, misread(with_number("LO98OO2C3"), {1: "0", 4: "0"})))
    doubted = with_alternatives(lower, {1: (("O", 0.3),), 4: (("O", 0.4),)})
    field = read("passport", (upper, doubted)).field("document.number")
    assert field.value == "LO98OO2C3"
    assert len(field.corrections) == 2


@pytest.mark.requirement("R-EX3")
def test_a_sure_character_is_no_suspect_beside_a_doubtful_one() -> None:
    # the zero would satisfy the check digit as an O, but another character is what the recogniser doubts
    lower = misread(with_number("LO98902C3"), {1: "0"})
    upper, doubted = zone((UPPER, lower))
    doubted = with_alternatives(doubted, {1: (("O", 0.3),), 8: ()}, confidence={1: 0.99, 8: 0.5})
    field = read("passport", (upper, doubted)).field("document.number")
    assert field.corrections == ()
    assert field.validation.verdict is Verdict.INVALID


@pytest.mark.requirement("R-EX3")
def test_the_recognisers_own_doubt_can_prove_a_digit() -> None:
    upper, lower = zone((UPPER, misread(LOWER, {14: "6"})))
    plain = read("passport", (upper, lower)).field("person.birth_date")
    assert plain.validation.verdict is Verdict.INVALID
    doubted = with_alternatives(lower, {14: (("4", 0.35),)})
    field = read("passport", (upper, doubted)).field("person.birth_date")
    assert field.value == "1974-08-12"
    assert field.corrections[0].read == "6"


@pytest.mark.requirement("R-EX3")
def test_a_check_digit_is_doubted_only_where_the_composite_digit_proves_it() -> None:
    proven = passport(misread(LOWER, {9: "8"}))
    assert proven.field("document.number").validation.verdict is Verdict.VALID
    assert proven.field("document.number").validation.rule == "icao9303.check_digit"
    whole = proven.field("mrz.line", 2)
    assert whole.value == LOWER
    assert [(fix.position, fix.read, fix.corrected) for fix in whole.corrections] == [(9, "8", "6")]
    # a visa has no composite digit: nothing tells whether number or digit is wrong
    visa = ("V" + UPPER[1:], misread(LOWER[:28] + "<" * 16, {9: "8"}))
    assert read("visa", zone(visa)).field("document.number").validation.verdict is Verdict.INVALID


@pytest.mark.requirement("R-EX3")
def test_a_date_and_its_check_digit_are_not_told_apart() -> None:
    field = passport(misread(LOWER, {19: "3"})).field("person.birth_date")
    assert field.validation.verdict is Verdict.INVALID
    assert field.corrections == ()


@pytest.mark.requirement("R-EX3")
def test_digits_in_states_are_corrected_where_the_catalogue_has_the_result() -> None:
    reading = passport(misread(LOWER, {12: "0"}), misread(UPPER, {4: "0"}))
    for key in ("person.nationality", "document.issuer"):
        field = reading.field(key)
        assert (field.raw_value, field.value) == ("UT0", "UTO")
        assert field.corrections[0].proof == "icao9303.country_code"
    unknown = passport(misread(LOWER, {10: "X", 11: "Q"})).field("person.nationality")
    assert (unknown.raw_value, unknown.value) == ("XQO", "")
    assert unknown.validation.verdict is Verdict.INVALID


@pytest.mark.parametrize("read_as", ["D<C", "0<<", "DK<", "O<<"])
def test_germanys_single_letter_is_found_among_misread_fillers(read_as: str) -> None:
    field = passport(LOWER[:10] + read_as + LOWER[13:]).field("person.nationality")
    assert (field.raw_value, field.value) == (read_as, "DEU")
    assert field.corrections


@pytest.mark.requirement("R-EX3")
def test_a_digit_in_a_name_is_flagged_and_offered_as_an_alternative() -> None:
    field = passport(LOWER, misread(UPPER, {12: "0"})).field("person.surname")
    assert (field.raw_value, field.value) == ("ERIKSSO0"[:7] + "0", "")
    assert field.validation.verdict is Verdict.INVALID
    assert [other.value for other in field.alternatives] == ["ERIKSSOO"]
    assert field.corrections == ()


@pytest.mark.requirement("R-EX3")
def test_a_stray_letter_among_fillers_is_a_filler() -> None:
    reading = passport(LOWER, misread(UPPER, {33: "K", 40: "C"}))
    assert reading.values()["person.given_names"] == "ANNA MARIA"
    assert reading.field("mrz.line", 1).value == UPPER
    assert [fix.proof for fix in reading.field("mrz.line", 1).corrections] == ["icao9303.name_filler"] * 2


def proofs(fields: tuple[ExtractedField, ...]) -> set[str]:
    return {correction.proof for field in fields for correction in field.corrections}


@pytest.mark.requirement("R-EX3")
@pytest.mark.parametrize("layout", FORMATS)
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), at=st.integers(0, 10_000))
def test_one_confusion_in_a_checked_field_is_repaired_or_flagged(layout: str, seed: int, at: int) -> None:
    random = Random(seed)
    person = random_person(random, TODAY)
    lines = list(zone_lines(person, layout))
    which: int = 1
    spans: tuple[tuple[int, int], ...] = ((0, 10), (13, 20), (21, 28))
    if layout == "TD1":
        which, spans = random.choice(((0, ((5, 15),)), (1, ((0, 7), (8, 15)))))
    places = [
        place for start, end in spans for place in range(start, end) if lines[which][place] in CONFUSIONS
    ]
    assume(places)
    place = places[at % len(places)]
    was = lines[which][place]
    now = random.choice(CONFUSIONS[was])
    assume((CHARACTER_VALUES[was] - CHARACTER_VALUES[now]) % 10)  # else no check digit can see it
    lines[which] = misread(lines[which], {place: now})
    told = zone(lines)
    # the recogniser has other doubts too, but none that it holds likelier than the truth
    likely = random.uniform(0, 0.4)
    seen = ((was, likely), *((other, random.uniform(0, likely)) for other in random.sample("OI8B5SZ2DQ", 2)))
    others = {at: (("O", random.uniform(0, likely)),) for at in random.sample(range(28), 4)}
    told[which] = with_alternatives(
        told[which], {**others, place: seen}, confidence=random.uniform(0.4, 0.99)
    )
    reading = read(DOCUMENT_TYPE[layout], told)
    truth = true_fields(person, layout)
    for key in CHECKED:
        field = reading.field(key)
        assert field.value == truth[key] or field.validation.verdict is Verdict.INVALID
    assert proofs(reading.document.fields) <= PROOFS


@pytest.mark.requirement("R-EX3")
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), place=st.integers(0, 43), char=st.sampled_from(sorted(CHARACTER_VALUES)))
def test_no_value_changes_without_a_correction_that_says_why(seed: int, place: int, char: str) -> None:
    upper, lower = zone_lines(random_person(Random(seed), TODAY), "TD3")
    for lines in ((upper, misread(lower, {place: char})), (misread(upper, {place: char}), lower)):
        for field in read("passport", zone(lines)).document.fields:
            if field.key in {"document.number", "document.optional_data"} and field.value:
                plain = field.raw_value.replace("<", " ").split()
                assert field.corrections or field.value.replace(" ", "") == "".join(plain)
            assert all(
                fix.read == field.raw_value[fix.position : fix.position + len(fix.read)]
                for fix in field.corrections
            )
