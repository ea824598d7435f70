"""Fields to the last detail: values, confidence, box, verdict; whole lines and the composite digit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rendering.lines import line, with_alternatives, zone
from rendering.passport import SEX, across, changed, checked, field, passport
from rendering.reading import TODAY, read
from rendering.specimens import LOWER, UPPER
from vidence_server.extraction.domain.document import NOT_CHECKED, FieldSource, Validation, Verdict
from vidence_server.extraction.types.mrz.formats import TD3
from vidence_server.extraction.types.mrz.interpret import interpret
from vidence_server.extraction.types.mrz.proof import prove
from vidence_server.extraction.types.mrz.rows import piece_of, rows_of
from vidence_server.extraction.types.mrz.zone import ZoneFinder
from vidence_server.vision.text import TextLine

pytestmark = pytest.mark.requirement("R-EX3")

CODE = Validation(Verdict.VALID, "icao9303.document_code")
STATE = Validation(Verdict.VALID, "icao9303.country_code")
WHOLE = Validation(Verdict.VALID, "icao9303.line_length", "44", "44")


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
