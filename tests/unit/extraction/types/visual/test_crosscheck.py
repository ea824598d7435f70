"""What the two zones of a document make of each other, field by field."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rendering.lines import box
from vidence_server.extraction.domain.document import (
    NOT_CHECKED,
    Alternative,
    ExtractedField,
    FieldSource,
    Validation,
    Verdict,
)
from vidence_server.extraction.types.visual.crosscheck import by_key, merged

pytestmark = pytest.mark.requirement("R-EX3")

IN_ZONE, IN_PRINT = box(40, 600, 880), box(60, 40, 90)
PROVEN = Validation(Verdict.VALID, "mrz.visual_zone")
DIGIT_HOLDS = Validation(Verdict.VALID, "icao9303.check_digit", "3", "3")
DIGIT_FAILS = Validation(Verdict.INVALID, "icao9303.check_digit", "3", "7")


def zone(
    key: str,
    value: str,
    *,
    says: Validation = NOT_CHECKED,
    alternatives: Sequence[Alternative] = (),
    index: int = 0,
    raw: str | None = None,
) -> ExtractedField:
    shown = value if raw is None else raw
    return ExtractedField(
        key, index, 1, shown, value, 0.9, IN_ZONE, FieldSource.MRZ, says, tuple(alternatives)
    )


def printed(
    key: str, value: str, *, confidence: float = 0.95, says: Validation = NOT_CHECKED
) -> ExtractedField:
    return ExtractedField(key, 0, 1, f"{value}.", value, confidence, IN_PRINT, FieldSource.VISUAL, says)


def between(field: ExtractedField, other: ExtractedField) -> list[ExtractedField]:
    return list(merged([field], [other]))


@pytest.mark.parametrize(
    ("key", "in_zone", "in_print"),
    [
        ("person.surname", "OLSEN", "OLSEN"),
        ("person.surname", "MUELLER", "Müller"),
        ("person.surname", "AEROE", "ÆRØ"),
        ("person.surname", "LEBOEUF", "LEBŒUF"),
        ("person.surname", "GROSS", "GROß"),
        ("person.surname", "JAEGER", "JÄGER"),
        ("person.surname", "BJOERN", "BJÖRN"),
        ("person.given_names", "AASE", "ÅSE"),
        ("person.given_names", "ASE", "ÅSE"),
        ("person.surname", "PENA", "PEÑA"),
        ("person.surname", "O BRIEN", "O'Brien"),
        ("person.given_names", "ANA SOFIA", "ANA-SOFÍA"),
        ("person.given_names", "CHRISTOFERUS", "CHRISTOPHERUS"),
        ("person.given_names", "BARTHOLOMAEUS", "BARTHOLOMÄUS MAXIMILIAN FERDINAND"),
        ("person.given_names", "BARTHOLOMAEUS MAX", "BARTHOLOMAEUS MAXIMILIAN FERDINAND"),
        ("document.number", "X1234567", "X1234567"),
        ("document.number", "XO1234567", "X01234567"),
        ("document.number", "X1234567", "XIZ34567"),
        ("document.number", "S6888012", "5GB88QI2"),
        ("person.birth_date", "1991-03-27", "1991-03-27"),
        ("person.sex", "F", "F"),
        ("person.nationality", "UTO", "UTO"),
    ],
)
def test_what_both_zones_say_is_proven_and_no_conflict(key: str, in_zone: str, in_print: str) -> None:
    (field,) = between(zone(key, in_zone), printed(key, in_print))
    assert (field.value, field.source, field.quad) == (in_zone, FieldSource.MRZ, IN_ZONE)
    assert field.validation == PROVEN


@pytest.mark.parametrize(
    ("key", "in_zone", "in_print"),
    [
        ("person.surname", "OLSEN", "ROOK"),
        ("person.surname", "ROOKS", "ROOF"),
        ("person.given_names", "BARTHOLOMAEU", "BARTHOLOMAEUS MAXIMILIAN FERDINAND"),
        ("person.given_names", "BARTHOLOMAEUS XAVER", "BARTHOLOMAEUS MAXIMILIAN FERDINAND"),
        ("document.number", "X1234567", "X1234568"),
        ("person.birth_date", "1991-03-27", "1991-03-21"),
        ("document.expiry_date", "2031-03-27", "2032-03-27"),
        ("person.sex", "F", "M"),
        ("person.nationality", "UTO", "ESP"),
    ],
)
@pytest.mark.parametrize("says", [NOT_CHECKED, DIGIT_HOLDS])
def test_different_values_are_a_conflict_and_the_zones_is_kept(
    key: str, in_zone: str, in_print: str, says: Validation
) -> None:
    field, conflict = between(zone(key, in_zone, says=says), printed(key, in_print, confidence=0.85))
    assert field == zone(key, in_zone, says=says)
    assert (conflict.key, conflict.index, conflict.revision) == ("document.conflict", 1, 1)
    # the field that it is about, what is printed and where, as sure as the less sure of both
    assert (conflict.value, conflict.raw_value, conflict.quad) == (key, f"{in_print}.", IN_PRINT)
    assert (conflict.confidence, conflict.source) == (0.85, FieldSource.VISUAL)
    told = conflict.validation
    assert (told.verdict, told.rule) == (Verdict.INVALID, "mrz.visual_zone")
    assert (told.expected, told.actual) == (in_zone, in_print)
    assert told.message
    assert in_zone not in told.message


@pytest.mark.parametrize(
    ("key", "in_zone", "in_print"),
    [
        # a few letters may be misread in either zone
        ("person.surname", "OLSEN", "OLSON"),
        ("person.surname", "ROOK", "ROOF"),
        # another number of the same card
        ("document.number", "X1234567", "12345678Z"),
        # not the same wording everywhere
        ("document.issuer", "UTO", "ESP"),
        ("document.optional_data", "ZE184226B", "1234"),
    ],
)
def test_what_may_differ_is_neither_proven_nor_a_conflict(key: str, in_zone: str, in_print: str) -> None:
    assert between(zone(key, in_zone), printed(key, in_print)) == [zone(key, in_zone)]


def test_a_conflict_is_as_sure_as_the_less_sure_reading() -> None:
    field, other = zone("person.sex", "F"), printed("person.sex", "M", confidence=0.99)
    assert between(field, other)[1].confidence == field.confidence == 0.9


@pytest.mark.parametrize(("confidence", "told"), [(0.8, True), (0.79, False)])
def test_print_that_is_hardly_legible_contradicts_nothing(confidence: float, told: bool) -> None:
    other = printed("person.sex", "M", confidence=confidence)
    conflicts = [field.value for field in between(zone("person.sex", "F"), other)[1:]]
    assert conflicts == (["person.sex"] if told else [])
    wrong = zone("document.expiry_date", "2021-08-15", says=DIGIT_FAILS)
    expiry = printed("document.expiry_date", "2031-08-15", confidence=confidence)
    assert between(wrong, expiry)[0].value == ("2031-08-15" if told else "2021-08-15")


def test_conflicts_are_numbered_and_follow_all_other_fields() -> None:
    told = merged(
        [zone("person.sex", "F"), zone("person.nationality", "UTO"), zone("document.issuer", "UTO")],
        [
            printed("person.sex", "M"),
            printed("document.issue_date", "2021-08-15"),
            printed("person.nationality", "ESP"),
        ],
    )
    assert [(field.key, field.index, field.value) for field in told] == [
        ("person.sex", 0, "F"),
        ("person.nationality", 0, "UTO"),
        ("document.issuer", 0, "UTO"),
        ("document.issue_date", 0, "2021-08-15"),
        ("document.conflict", 1, "person.sex"),
        ("document.conflict", 2, "person.nationality"),
    ]


def test_what_a_digit_proves_keeps_that_proof() -> None:
    field = zone("document.number", "X1234567", says=DIGIT_HOLDS)
    assert between(field, printed("document.number", "X1234567")) == [field]


def test_what_a_digit_contradicts_gives_way_to_print_and_stays_beside_it() -> None:
    field = zone(
        "document.expiry_date", "2021-08-15", says=DIGIT_FAILS, alternatives=[Alternative("2027-08-15", 0.4)]
    )
    shown, conflict = between(field, printed("document.expiry_date", "2031-08-15"))
    assert (shown.value, shown.raw_value, shown.source) == (
        "2031-08-15",
        "2031-08-15.",
        FieldSource.VISUAL,
    )
    assert (shown.confidence, shown.quad, shown.validation) == (0.95, IN_PRINT, NOT_CHECKED)
    assert shown.alternatives == (Alternative("2021-08-15", 0.9), Alternative("2027-08-15", 0.4))
    assert (conflict.value, conflict.validation.expected) == ("document.expiry_date", "2021-08-15")


def test_print_that_the_zone_allows_is_proven() -> None:
    allowed = [Alternative("2031-08-15", 0.4), Alternative("2037-08-15", 0.3)]
    field = zone("document.expiry_date", "2021-08-15", says=DIGIT_FAILS, alternatives=allowed)
    shown = between(field, printed("document.expiry_date", "2031-08-15"))[0]
    assert (shown.value, shown.validation) == ("2031-08-15", PROVEN)
    assert shown.alternatives == (Alternative("2021-08-15", 0.9), Alternative("2037-08-15", 0.3))


def test_print_with_a_proof_of_its_own_keeps_it() -> None:
    own = Validation(Verdict.VALID, "es.dni_letter")
    field = zone("document.number", "", raw="I2E4", alternatives=[Alternative("12345678Z", 0.5)])
    shown = between(field, printed("document.number", "12345678Z", says=own))[0]
    assert (shown.value, shown.validation) == ("12345678Z", own)


def test_a_failing_digit_says_nothing_against_a_value_that_both_zones_show() -> None:
    field = zone("person.birth_date", "1991-03-27", says=DIGIT_FAILS)
    assert between(field, printed("person.birth_date", "1991-03-27")) == [field]


@pytest.mark.parametrize("alternatives", [(), (Alternative("1991-05-27", 0.5),)])
def test_what_the_zone_does_not_tell_is_taken_from_print(alternatives: Sequence[Alternative]) -> None:
    field = zone("person.birth_date", "", raw="9I0<27", says=DIGIT_FAILS, alternatives=alternatives)
    for confidence in (0.95, 0.5):
        other = printed("person.birth_date", "1991-03-27", confidence=confidence)
        (shown,) = between(field, other)
        assert (shown.value, shown.source, shown.confidence) == (
            "1991-03-27",
            FieldSource.VISUAL,
            confidence,
        )
        assert shown.alternatives == tuple(alternatives)


def test_only_names_are_corrected_by_print() -> None:
    (shown,) = between(zone("person.nationality", "", raw="UT0"), printed("person.nationality", "UTO"))
    assert (shown.value, shown.raw_value, shown.source) == ("UTO", "UTO.", FieldSource.VISUAL)
    assert not shown.corrections


def test_a_name_that_print_proves_is_no_conflict_however_unlike_it_seemed() -> None:
    field = zone("person.given_names", "", raw="1I1I", alternatives=[Alternative("IIII", 0.5)])
    (name,) = between(field, printed("person.given_names", "LILI"))
    assert (name.value, name.validation, name.source) == ("LILI", PROVEN, FieldSource.MRZ)


def test_a_name_that_the_zone_tells_needs_no_correction_by_print() -> None:
    field = zone("person.surname", "OLSEN", raw="0LSEN", says=DIGIT_HOLDS)
    assert between(field, printed("person.surname", "OLSEN")) == [field]


@pytest.mark.parametrize(
    ("raw", "value", "source"),
    [
        ("BARTH0LOMAEU", "BARTHOLOMAEUS MAX", FieldSource.VISUAL),
        ("BARTH0LOMAEUS", "BARTHOLOMAEUS", FieldSource.MRZ),
    ],
)
def test_a_misread_name_is_taken_for_cut_off_from_thirteen_letters(
    raw: str, value: str, source: FieldSource
) -> None:
    name = between(
        zone("person.given_names", "", raw=raw), printed("person.given_names", "BARTHOLOMAEUS MAX")
    )[0]
    assert (name.value, name.source) == (value, source)


def test_fields_of_one_zone_alone_are_given_as_they_are() -> None:
    field, other = zone("document.code", "P"), printed("person.birth_place", "HOLVA")
    assert between(field, other) == [field, other]


def test_print_without_a_value_takes_no_part() -> None:
    field = zone("person.sex", "F")
    assert between(field, printed("person.sex", "")) == [field]
    assert between(field, printed("document.issue_date", "")) == [field]


def test_only_single_values_are_compared() -> None:
    repeated, other = zone("person.sex", "F", index=1), printed("person.sex", "M")
    assert between(repeated, other) == [repeated, other]


def test_a_reading_that_was_taken_back_is_given_as_it_is_printed_and_once() -> None:
    gone = zone("person.sex", "", raw="")
    assert between(gone, printed("person.sex", "M")) == [printed("person.sex", "M")]


def test_the_last_reading_of_a_field_counts() -> None:
    first, last, other = zone("person.sex", "M"), zone("person.sex", "F"), zone("person.sex", "X", index=1)
    assert by_key([first, other, last]) == {("person.sex", 0): last, ("person.sex", 1): other}
