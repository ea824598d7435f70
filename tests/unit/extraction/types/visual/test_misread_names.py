"""Names of the zone that were read with digits: the visual zone proves the letters, or nothing does."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from rendering.lines import line, zone
from rendering.people import Person, random_person
from rendering.reading import TODAY, Reading, read
from rendering.zones import zone_lines
from vidence_server.extraction.domain.document import (
    Alternative,
    Correction,
    ExtractedField,
    FieldSource,
    Validation,
    Verdict,
)
from vidence_server.extraction.types import document_type
from vidence_server.extraction.types.visual.crosscheck import merged

PERSON = replace(random_person(Random(3), TODAY), surname="OLSEN", given_names="MICHAEL")
PROVEN = (Verdict.VALID, "mrz.visual_zone")


def page(
    *, surname: str, given_names: str, printed: Person | None, key: str = "passport", layout: str = "TD3"
) -> Reading:
    """A document whose zone was read with these names, and whose visual zone, if any, prints others."""
    right = zone_lines(PERSON, layout)
    names = f"{PERSON.surname}<<{PERSON.given_names}"
    misread = f"{surname}<<{given_names}".replace(" ", "<")
    rows = [_as_long(row.replace(names, misread), len(row)) for row in right]
    pairs = [("Surname", printed.surname), ("Given names", printed.given_names)] if printed else []
    visual = [
        line(text, 10 + 2 * row + place, x=60, y=40 + 52 * row + 26 * place)
        for row, pair in enumerate(pairs)
        for place, text in enumerate(pair)
    ]
    placed = [line(one.text, one.index, y=600 + 26 * one.index, width=880) for one in zone(rows)]
    return read(key, [*placed, *visual])


def _as_long(row: str, length: int) -> str:
    return row.rstrip("<").ljust(length, "<") if len(row) != length else row


@pytest.mark.requirement("R-EX3")
@pytest.mark.parametrize(
    ("key", "layout"),
    [
        ("passport", "TD3"),
        ("id_card", "TD1"),
        ("id_card", "TD2"),
        ("visa", "MRV-A"),
        ("visa", "MRV-B"),
    ],
)
def test_what_is_printed_proves_the_letters_of_a_name_read_with_digits(key: str, layout: str) -> None:
    reading = page(surname="0L5EN", given_names="M1CHAEL", printed=PERSON, key=key, layout=layout)
    surname, given_names = reading.field("person.surname"), reading.field("person.given_names")
    assert (surname.raw_value, surname.value, surname.source) == ("0L5EN", "OLSEN", FieldSource.MRZ)
    assert (given_names.raw_value, given_names.value) == ("M1CHAEL", "MICHAEL")
    assert surname.corrections == (
        Correction(0, "0", "O", "mrz.visual_zone"),
        Correction(2, "5", "S", "mrz.visual_zone"),
    )
    for field in (surname, given_names):
        assert (field.validation.verdict, field.validation.rule) == PROVEN
        assert field.revision == 2
        assert not field.alternatives
        assert 0.8 < field.confidence < 0.95
        assert field.quad is not None
    assert "document.conflict" not in reading.values()


@pytest.mark.requirement("R-EX3")
def test_the_print_tells_which_of_the_letters_alike_it_is() -> None:
    printed = replace(PERSON, surname="MÜLLER", given_names="LILI ODA")
    reading = page(surname="MUE11ER", given_names="1I1I 0DA", printed=printed)
    assert reading.values()["person.surname"] == "MUELLER"
    assert reading.values()["person.given_names"] == "LILI ODA"
    # likeness alone would have it otherwise; that is no value any more
    assert [one.value for one in reading.field("person.surname").alternatives] == ["MUEIIER"]


@pytest.mark.requirement("R-EX3")
def test_without_a_visual_zone_nothing_is_corrected() -> None:
    name = page(surname="OLSEN", given_names="M1CHAEL", printed=None).field("person.given_names")
    assert (name.raw_value, name.value, name.corrections) == ("M1CHAEL", "", ())
    assert (name.validation.verdict, name.validation.rule) == (
        Verdict.INVALID,
        "icao9303.name_characters",
    )
    assert [one.value for one in name.alternatives] == ["MICHAEL"]


@pytest.mark.requirement("R-EX3")
@pytest.mark.parametrize("given_names", ["MACHAEL", "MICHAELA", "MICHEL", "RICHAEL", "M1CHAEL"])
def test_a_print_that_differs_proves_nothing_and_is_told_instead(given_names: str) -> None:
    printed = replace(PERSON, given_names=given_names)
    name = page(surname="OLSEN", given_names="M1CHAEL", printed=printed).field("person.given_names")
    assert (name.value, name.source) == (given_names, FieldSource.VISUAL)
    assert not name.corrections
    assert name.validation.verdict is Verdict.NOT_CHECKED
    assert [one.value for one in name.alternatives] == ["MICHAEL"]


@pytest.mark.requirement("R-EX3")
def test_another_name_in_the_print_is_a_conflict_though_the_zone_has_digits() -> None:
    printed = replace(PERSON, given_names="ROBERTA")
    reading = page(surname="OLSEN", given_names="M1CHAEL", printed=printed)
    conflict = reading.field("document.conflict", 1)
    assert (conflict.value, conflict.validation.verdict) == ("person.given_names", Verdict.INVALID)
    assert (conflict.validation.expected, conflict.validation.actual) == ("MICHAEL", "ROBERTA")


@pytest.mark.requirement("R-EX3")
def test_a_name_cut_off_at_the_end_of_its_field_is_proven_as_far_as_it_goes() -> None:
    long = "MICHAEL BARTHOLOMAEUS FERDINAND MAXIMILIAN"
    printed = replace(PERSON, given_names=long)
    known = document_type("passport")
    upper = f"P<UTOOLSEN<<{long.replace(' ', '<')}"[:44].replace("MICHAEL", "M1CHAEL")
    lower = zone_lines(PERSON, "TD3")[1]
    rows = [line(text, n, y=600 + 26 * n, width=880) for n, text in enumerate((upper, lower))]
    visual = [line("Given names", 4, x=60, y=40), line(printed.given_names, 5, x=60, y=66)]
    name = read(known.key, [*rows, *visual]).field("person.given_names")
    assert name.value == "MICHAEL BARTHOLOMAEUS FERDINAND"
    assert (name.validation.verdict, name.validation.rule) == PROVEN
    assert [made.corrected for made in name.corrections] == ["I"]


@pytest.mark.requirement("R-EX3")
def test_the_number_that_a_visa_prints_may_be_its_passports_and_contradicts_nothing() -> None:
    rows = zone(zone_lines(PERSON, "MRV-A"))
    placed = [line(one.text, one.index, y=600 + 26 * one.index, width=880) for one in rows]
    other = "Z" + PERSON.number[1:]
    visual = [
        line(text, 10 + place, x=60, y=40 + 26 * place)
        for place, text in enumerate(("Passport No.", other, "Surname", "OLSEN"))
    ]
    reading = read("visa", [*placed, *visual])
    number, surname = reading.field("document.number"), reading.field("person.surname")
    assert (number.value, number.source) == (PERSON.number, FieldSource.MRZ)
    assert "document.conflict" not in reading.values()
    assert (surname.validation.verdict, surname.validation.rule) == PROVEN


@pytest.mark.requirement("R-EX3")
@pytest.mark.parametrize(
    ("printed", "proven"), [("X1234567", PROVEN), ("X1234507", (Verdict.NOT_CHECKED, ""))]
)
def test_a_print_that_the_zone_allows_too_is_proven_by_both(
    printed: str, proven: tuple[Verdict, str]
) -> None:
    invalid = Validation(Verdict.INVALID, "icao9303.check_digit", "4", "1")
    others = (Alternative("X1234567", 0.3), Alternative("X1284567", 0.2))
    zone_field = ExtractedField(
        "document.number", 0, 1, "XI234567", "XI234567", 0.4, None, FieldSource.MRZ, invalid, others
    )
    shown = ExtractedField("document.number", 0, 1, printed, printed, 0.95, None, FieldSource.VISUAL)
    number = next(iter(merged([zone_field], [shown])))
    assert (number.value, number.source) == (printed, FieldSource.VISUAL)
    assert (number.validation.verdict, number.validation.rule) == proven
    assert printed not in [one.value for one in number.alternatives]
    assert number.alternatives[-1].value == "X1284567"
