"""From the lines of a zone to fields: known answers, and people made up at random."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rendering.lines import line, zone
from rendering.people import Person, random_person
from rendering.reading import TODAY, read
from rendering.zones import DOCUMENT_TYPE, FORMATS, digit, true_fields, zone_lines
from vidence_server.extraction.domain.document import FieldSource, Verdict
from vidence_server.extraction.types.mrz.formats import TD3
from vidence_server.extraction.types.mrz.reader import MrzReader

SPECIMENS = {
    "TD3": ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"),
    "TD1": (
        "I<UTOD231458907<<<<<<<<<<<<<<<",
        "7408122F1204159UTO<<<<<<<<<<<6",
        "ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
    ),
    "TD2": ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6"),
    "MRV-A": ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L8988901C4XXX4009078F96121096ZE184226B<<<<<<"),
    "MRV-B": ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "L8988901C4XXX4009078F9612109<<<<<<<<"),
}
SHARED = {
    "document.issuer": "UTO",
    "person.surname": "ERIKSSON",
    "person.given_names": "ANNA MARIA",
    "person.sex": "F",
}
KNOWN = {
    "TD3": {
        "document.number": "L898902C3",
        "person.birth_date": "1974-08-12",
        "document.optional_data": "ZE184226B",
    },
    "TD1": {
        "document.number": "D23145890",
        "document.expiry_date": "2012-04-15",
        "document.optional_data": "",
    },
    "TD2": {"document.number": "D23145890", "person.nationality": "UTO"},
    "MRV-A": {
        "document.number": "L8988901C",
        "person.nationality": "XXX",
        "document.optional_data": "6ZE184226B",
    },
    "MRV-B": {"document.number": "L8988901C", "document.expiry_date": "1996-12-10"},
}


@st.composite
def people(draw: st.DrawFn) -> Person:
    capitals = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=9)
    alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return Person(
        surname=" ".join(draw(st.lists(capitals, min_size=1, max_size=2))),
        given_names=" ".join(draw(st.lists(capitals, max_size=2))),
        nationality=draw(st.sampled_from(("UTO", "D", "FRA", "XXA", "PHL", "GBN"))),
        issuer=draw(st.sampled_from(("UTO", "D", "NLD", "USA"))),
        birth_date=draw(st.dates(TODAY - timedelta(days=36_000), TODAY)),
        sex=draw(st.sampled_from("FMX")),
        number=draw(st.text(alphanumeric, min_size=1, max_size=9)),
        expiry_date=draw(st.dates(date(1990, 1, 1), date(2070, 1, 1))),
        optional_data=draw(st.text(alphanumeric, max_size=7)),
    )


@pytest.mark.requirement("R-EX2", "R-EX3")
@pytest.mark.parametrize("layout", FORMATS)
def test_the_standards_specimens_are_read(layout: str) -> None:
    reading = read(DOCUMENT_TYPE[layout], zone(SPECIMENS[layout]))
    values = reading.values()
    assert (SHARED | KNOWN[layout]).items() <= values.items()
    assert values["mrz.format"] == layout
    # there may be a visual zone, which is read to its end
    assert not reading.complete
    assert (
        tuple(field.value for field in reading.document.fields if field.key == "mrz.line")
        == SPECIMENS[layout]
    )
    assert all(field.validation.verdict is not Verdict.INVALID for field in reading.document.fields)


@pytest.mark.requirement("R-EX2", "R-EX3")
@pytest.mark.parametrize("layout", FORMATS)
@settings(deadline=None, max_examples=25)
@given(person=people())
def test_what_a_document_says_is_what_is_read(layout: str, person: Person) -> None:
    lines = zone_lines(person, layout)
    reading = read(DOCUMENT_TYPE[layout], zone(lines))
    assert true_fields(person, layout).items() <= reading.values().items()
    assert not any(field.corrections for field in reading.document.fields)


@pytest.mark.requirement("R-EX1")
@pytest.mark.parametrize("layout", FORMATS)
def test_the_order_in_which_lines_come_changes_nothing(layout: str) -> None:
    lines = zone(zone_lines(random_person(Random(11), TODAY), layout))
    documents = [read(DOCUMENT_TYPE[layout], order).document for order in permutations(lines)]
    # revisions may differ: in one order a field is shown before all is known about it
    shown = [
        [(field.key, field.index, field.value, field.validation) for field in document.fields]
        for document in documents
    ]
    assert all(fields == shown[0] for fields in shown)


@pytest.mark.requirement("R-EX1")
def test_numbers_and_dates_leave_before_the_line_of_names_is_read() -> None:
    upper, lower = zone(SPECIMENS["TD3"])
    reader = MrzReader((TD3,), TODAY)
    first = {(field.key, field.index) for field in reader.feed(lower)}
    early = {"document.number", "person.birth_date", "document.expiry_date", "mrz.composite_check"}
    assert early <= {key for key, _ in first}
    before = reader.complete
    second = {(field.key, field.index) for field in reader.feed(upper)}
    assert {"person.surname", "person.given_names", "document.issuer"} <= {key for key, _ in second}
    assert not first & second
    assert (before, reader.complete) == (False, True)
    assert not list(reader.finish())


@pytest.mark.requirement("R-EX3")
def test_every_field_has_its_box_within_the_line_and_its_source() -> None:
    reading = read("passport", zone(SPECIMENS["TD3"]))
    number, surname = reading.field("document.number"), reading.field("person.surname")
    assert number.quad is not None
    assert surname.quad is not None
    assert (number.quad.top_left.x, number.quad.top_right.x) == pytest.approx((100, 190))
    assert (surname.quad.top_left.x, surname.quad.top_right.x) == pytest.approx((150, 230))
    assert surname.quad.top_left.y < number.quad.top_left.y
    assert {field.source for field in reading.document.fields} == {FieldSource.MRZ}


@pytest.mark.requirement("R-EX3")
def test_check_digits_give_the_verdicts() -> None:
    upper, lower = SPECIMENS["TD3"]
    reading = read("passport", zone((upper, lower[:43] + "7")))
    composite = reading.field("mrz.composite_check").validation
    assert (composite.verdict, composite.expected, composite.actual) == (Verdict.INVALID, "0", "7")
    number = reading.field("document.number").validation
    assert (number.verdict, number.rule, number.expected) == (Verdict.VALID, "icao9303.check_digit", "6")
    assert reading.field("person.surname").validation.verdict is Verdict.NOT_CHECKED


@pytest.mark.requirement("R-EX3")
def test_one_line_of_two_still_gives_its_fields() -> None:
    reading = read("passport", zone(SPECIMENS["TD3"][1:]))
    assert reading.values()["document.number"] == "L898902C3"
    assert "person.surname" not in reading.values()
    assert not reading.complete


@pytest.mark.requirement("R-EX3")
def test_a_line_cut_off_gives_what_it_still_proves() -> None:
    reading = read("passport", zone((SPECIMENS["TD3"][1][:30],)))
    assert reading.values()["person.birth_date"] == "1974-08-12"
    assert reading.field("document.optional_data").validation.verdict is Verdict.NOT_CHECKED
    assert reading.field("mrz.line", 2).value == ""


@pytest.mark.requirement("R-EX3")
def test_a_long_document_number_goes_on_in_the_optional_data() -> None:
    number, rest = "D23145890", "734"
    check = digit(number + rest)
    upper = f"I<UTO{number}<{rest}{check}<<<<<<<<<<<"
    covered = upper[5:] + "7408122" + "1204159" + "<" * 11
    lower = f"7408122F1204159UTO<<<<<<<<<<<{digit(covered)}"
    reading = read("id_card", zone((upper, lower, SPECIMENS["TD1"][2])))
    assert reading.values()["document.number"] == number + rest
    assert reading.values()["document.optional_data"] == ""
    assert reading.field("document.number").validation.verdict is Verdict.VALID
    assert reading.field("mrz.composite_check").validation.verdict is Verdict.VALID


@pytest.mark.requirement("R-EX3")
def test_a_truncated_name_is_said_to_be_truncated() -> None:
    upper = "P<UTOBENNELONG<WOOLOOMOOLOO<WARRANDYTE<<DING"
    reading = read("passport", zone((upper, SPECIMENS["TD3"][1])))
    assert "may go on" in reading.field("person.given_names").validation.message
    assert reading.field("person.surname").validation.message == ""


@pytest.mark.requirement("R-EX3")
def test_an_impossible_sex_and_a_code_of_another_document_are_invalid() -> None:
    upper, lower = SPECIMENS["TD3"]
    reading = read("passport", zone(("Q" + upper[1:], lower[:20] + "8" + lower[21:])))
    assert reading.field("person.sex").validation.verdict is Verdict.INVALID
    assert reading.field("document.code").validation.verdict is Verdict.INVALID


@pytest.mark.requirement("R-EX7")
def test_a_document_without_a_zone_gives_no_fields() -> None:
    lines = [line("REPUBLIC OF UTOPIA", 0), line("The sea lay flat", 1), line("", 2)]
    for key in ("passport", "visa", "id_card"):
        reading = read(key, lines)
        assert reading.document.fields == ()
        assert not reading.complete
