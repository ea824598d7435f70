"""Fields to the last detail: raw value, value, confidence, box, verdict, alternatives and corrections."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rendering.lines import line, with_alternatives, zone
from rendering.reading import TODAY, read
from rendering.zones import digit
from vidence_server.extraction.domain.document import (
    NOT_CHECKED,
    ExtractedField,
    FieldSource,
    Validation,
    Verdict,
)
from vidence_server.extraction.types.mrz.formats import TD3
from vidence_server.extraction.types.mrz.interpret import interpret
from vidence_server.extraction.types.mrz.proof import prove
from vidence_server.extraction.types.mrz.rows import piece_of, rows_of
from vidence_server.extraction.types.mrz.zone import ZoneFinder
from vidence_server.vision.text import TextLine

pytestmark = pytest.mark.requirement("R-EX3")

UPPER = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
LOWER = "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
CARD = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")

CODE = Validation(Verdict.VALID, "icao9303.document_code")
STATE = Validation(Verdict.VALID, "icao9303.country_code")
SEX = Validation(Verdict.VALID, "icao9303.sex")
WHOLE = Validation(Verdict.VALID, "icao9303.line_length", "44", "44")
GOES_ON = Validation(Verdict.NOT_CHECKED, message="the name fills its field and may go on")
NO_LETTERS = Validation(Verdict.INVALID, "icao9303.name_characters", message="names hold no digits")
NO_DATE = Validation(Verdict.INVALID, "icao9303.date", message="not a date")


def checked(expected: str, rule: str = "icao9303.check_digit") -> Validation:
    return Validation(Verdict.VALID, rule, expected, expected)


def changed(text: str, place: int, other: str) -> str:
    return text[:place] + other + text[place + len(other) :]


def across(field: ExtractedField) -> tuple[float, float] | None:
    """Where the field's box begins and ends, in px."""
    if field.quad is None:
        return None
    return round(field.quad.top_left.x, 3), round(field.quad.top_right.x, 3)


def passport(lower: str = LOWER, upper: str = UPPER) -> Sequence[TextLine]:
    return zone((upper, lower))


def field(lines: Sequence[TextLine], key: str, index: int = 0, kind: str = "passport") -> ExtractedField:
    return read(kind, lines).field(key, index)


@pytest.mark.parametrize(
    ("key", "raw", "value", "box", "validation"),
    [
        ("mrz.format", "TD3", "TD3", None, NOT_CHECKED),
        ("mrz.line1", UPPER, UPPER, (100, 350), WHOLE),
        ("mrz.line2", LOWER, LOWER, (100, 540), WHOLE),
        ("document.code", "P<", "P", (100, 110), CODE),
        ("document.issuer", "UTO", "UTO", (120, 150), STATE),
        ("person.surname", "ERIKSSON", "ERIKSSON", (150, 230), NOT_CHECKED),
        ("person.given_names", "ANNA<MARIA", "ANNA MARIA", (250, 350), NOT_CHECKED),
        ("document.number", "L898902C3", "L898902C3", (100, 190), checked("6")),
        ("person.nationality", "UTO", "UTO", (200, 230), STATE),
        ("person.birth_date", "740812", "1974-08-12", (230, 290), checked("2")),
        ("person.sex", "F", "F", (300, 310), SEX),
        ("document.expiry_date", "120415", "2012-04-15", (310, 370), checked("9")),
        ("document.optional_data", "ZE184226B<<<<<", "ZE184226B", (380, 470), checked("1")),
        ("mrz.composite_check", "0", "0", (530, 540), checked("0", "icao9303.composite_check_digit")),
    ],
)
def test_each_field_of_a_clean_passport(
    key: str, raw: str, value: str, box: tuple[float, float] | None, validation: Validation
) -> None:
    name, index = key.rstrip("12"), int(key[-1]) if key[-1].isdigit() else 0
    found = field(passport(), name, index)
    assert (found.raw_value, found.value, across(found)) == (raw, value, box)
    assert found.validation == validation
    assert found.confidence == pytest.approx(0.95 if box else 1.0)
    assert (found.alternatives, found.corrections) == ((), ())


def test_a_field_is_as_sure_as_its_characters_are_on_average() -> None:
    upper, lower = passport()
    doubted = with_alternatives(lower, {}, confidence={0: 0.5, 8: 0.7, 20: 0.3, 43: 0.4})
    given = (upper, doubted)
    assert field(given, "document.number").confidence == pytest.approx((7 * 0.95 + 0.5 + 0.7) / 9)
    assert field(given, "person.sex").confidence == pytest.approx(0.3)
    assert field(given, "mrz.composite_check").confidence == pytest.approx(0.4)
    surer = with_alternatives(lower, {}, confidence={20: 1.0 + 1e-7})
    assert field((upper, surer), "person.sex").confidence == 1.0


def test_every_field_is_a_first_reading_from_the_zone() -> None:
    pieces = [piece for one in passport() if (piece := piece_of(one)) is not None]
    (found,) = ZoneFinder((TD3,)).zones(rows_of(pieces))
    fields = list(interpret(found, prove(found, TODAY), TODAY))
    assert len(fields) == 14
    assert {(one.revision, one.source) for one in fields} == {(1, FieldSource.MRZ)}


@pytest.mark.parametrize(
    ("lower", "key", "confidence"),
    [
        # a tenth is lost where a character was corrected, half where a rule contradicts
        (changed(LOWER, 12, "0"), "person.nationality", 0.95 * 0.9),
        (changed(LOWER, 13, "74O8I2"), "person.birth_date", 0.95 * 0.9),
        (changed(LOWER, 43, "O"), "mrz.composite_check", 0.95 * 0.9),
        (changed(LOWER, 10, "XQO"), "person.nationality", 0.95 * 0.5),
        (changed(LOWER, 20, "8"), "person.sex", 0.95 * 0.5),
        (changed(LOWER, 43, "7"), "mrz.composite_check", 0.95 * 0.5),
    ],
)
def test_confidence_falls_with_a_correction_and_more_with_a_contradiction(
    lower: str, key: str, confidence: float
) -> None:
    assert field(passport(lower), key).confidence == pytest.approx(confidence)


def test_a_line_cut_off_says_how_much_was_read() -> None:
    given = zone((LOWER[:30],))
    cut = field(given, "mrz.line", 2)
    assert (cut.raw_value, cut.value, across(cut)) == (LOWER[:30], "", (100, 400))
    assert cut.confidence == pytest.approx(0.475)
    assert cut.validation == Validation(
        Verdict.INVALID, "icao9303.line_length", "44", "30", "30 of 44 characters were read"
    )
    optional = field(given, "document.optional_data")
    assert (optional.raw_value, optional.value, across(optional)) == ("ZE", "", (380, 400))
    assert {one.key for one in read("passport", given).document.fields} == {
        "mrz.format",
        "mrz.line",
        "document.number",
        "person.nationality",
        "person.birth_date",
        "person.sex",
        "document.expiry_date",
        "document.optional_data",
    }


def test_fields_behind_one_that_was_not_read_are_given() -> None:
    # cut off in front: the number is missing, of the nationality a part
    given = [line(LOWER[11:], 1, width=330)]
    fields = {one.key: one for one in read("passport", given).document.fields}
    assert "document.number" not in fields
    assert (fields["person.nationality"].raw_value, fields["person.nationality"].value) == ("TO", "")
    assert fields["person.nationality"].alternatives == ()
    assert fields["person.birth_date"].value == "1974-08-12"
    assert fields["document.optional_data"].value == "ZE184226B"


@pytest.mark.parametrize(
    ("lines", "number", "value", "edits"),
    [
        (passport(LOWER.replace("<<<<<", "<<<")), 2, LOWER, [(40, "", "<"), (40, "", "<")]),
        (
            passport(LOWER.replace("<<<<<", "<" * 8)),
            2,
            LOWER,
            [(42, "<", ""), (43, "<", ""), (44, "<", "")],
        ),
        ([line("|" + UPPER, 0, width=450), line(LOWER, 1, width=440)], 1, UPPER, [(0, "I", "")]),
        ([line(UPPER, 0, width=440), line(LOWER + "I", 1, width=450)], 2, LOWER, [(44, "I", "")]),
        ([line(UPPER[:40], 0, width=440), line(LOWER, 1, width=440)], 1, UPPER, [(40, "", "<")] * 4),
        ([line("P" + UPPER[2:], 0, width=440), line(LOWER, 1, width=440)], 1, UPPER, [(1, "", "<")]),
    ],
)
def test_fillers_added_and_characters_left_out_are_told_by_their_place_in_the_row(
    lines: Sequence[TextLine], number: int, value: str, edits: list[tuple[int, str, str]]
) -> None:
    found = field(lines, "mrz.line", number)
    assert found.value == value
    assert [(fix.position, fix.read, fix.corrected) for fix in found.corrections] == edits
    assert {fix.proof for fix in found.corrections} == {"icao9303.line_length"}
    assert found.confidence == pytest.approx(0.95 * 0.9)


@pytest.mark.parametrize(
    ("lower", "edits"),
    [
        (changed(LOWER, 12, "0"), [(12, "0", "O", "icao9303.country_code")]),
        (
            changed(LOWER, 13, "74O8I2"),
            [(15, "O", "0", "icao9303.check_digit"), (17, "I", "1", "icao9303.check_digit")],
        ),
        # a letter in the place of a check digit: the digit it resembles agrees with the field
        (changed(LOWER, 19, "Z"), [(19, "Z", "2", "icao9303.check_digit")]),
        # two fillers are missing, one character is misread: by their place in the row
        (
            changed(LOWER, 12, "0").replace("<<<<<", "<<<"),
            [(12, "0", "O", "icao9303.country_code"), *[(40, "", "<", "icao9303.line_length")] * 2],
        ),
    ],
)
def test_a_lines_corrections_name_their_proof(lower: str, edits: list[tuple[int, str, str, str]]) -> None:
    found = field(passport(lower), "mrz.line", 2)
    assert found.value == LOWER
    told = [(fix.position, fix.read, fix.corrected, fix.proof) for fix in found.corrections]
    assert told == edits


@pytest.mark.parametrize(
    ("char", "value", "verdict", "corrected"),
    [
        ("O", "0", Verdict.VALID, [(0, "O", "0", "icao9303.composite_check_digit")]),
        ("7", "7", Verdict.INVALID, []),
        ("X", "", Verdict.INVALID, []),
        # read as a digit, and wrong as one: no correction, as nothing proves it
        ("I", "1", Verdict.INVALID, []),
    ],
)
def test_the_composite_digit(
    char: str, value: str, verdict: Verdict, corrected: list[tuple[int, str, str, str]]
) -> None:
    found = field(passport(LOWER[:43] + char), "mrz.composite_check")
    assert (found.raw_value, found.value, found.validation.verdict) == (char, value, verdict)
    assert (found.validation.rule, found.validation.expected) == ("icao9303.composite_check_digit", "0")
    told = [(fix.position, fix.read, fix.corrected, fix.proof) for fix in found.corrections]
    assert told == corrected


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
