from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from rendering.lines import line, zone
from rendering.people import Person, random_person
from rendering.reading import TODAY, Reading, read
from rendering.zones import zone_lines
from vidence_server.extraction.domain.document import FieldSource, Verdict
from vidence_server.extraction.types.visual.labels import LABELS
from vidence_server.extraction.types.visual.values import checked, normalised
from vidence_server.vision.text import TextLine

Row = Sequence[str]


def card(*rows: Row, first: int = 0) -> list[TextLine]:
    """Rows of one or two columns, captions above their values as rows of their own."""
    found: list[TextLine] = []
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            found.append(line(text, first + len(found), x=60 + 420 * column, y=40 + 26 * number))
    return found


PHILID = card(
    ["REPUBLIKA NG PILIPINAS"],
    ["Philippine Identification Card"],
    ["1234-5678-9012-3456"],
    ["Apelyido/Last Name"],
    ["DELA ROSA"],
    ["Mga Pangalan/Given Names"],
    ["NILO ODETTE"],
    ["Gitnang Apelyido/Middle Name"],
    ["MARQUEZ"],
    ["Petsa ng Kapanganakan/Date of Birth"],
    ["MARCH 27, 1991"],
    ["Tirahan/Address"],
    ["12 MABINI STREET, BARANGAY UNO"],
    ["QUEZON CITY, METRO MANILA"],
)
DNI = card(
    ["DOCUMENTO NACIONAL DE IDENTIDAD"],
    ["APELLIDOS", "SEXO"],
    ["ROOK PEÑA", "F"],
    ["NOMBRE", "NACIONALIDAD"],
    ["VESNA", "ESP"],
    ["FECHA DE NACIMIENTO", "VALIDEZ"],
    ["27 03 1991", "15 08 2031"],
    ["DNI 12345678Z"],
)
STATE_ID = card(
    ["COLUMBIA", "IDENTIFICATION CARD"],
    ["4d DLN T1234567"],
    ["1 LN ROOK"],
    ["2 FN VESNA MARIE"],
    ["3 DOB 03/27/1991"],
    ["4b EXP 03/27/2031"],
    ["15 SEX F"],
    ["8 12 HARBOUR STREET"],
)


@pytest.mark.requirement("R-EX2")
def test_a_philippine_card_is_read_by_its_bilingual_labels() -> None:
    values = read("id_card", PHILID).values()
    assert values["person.surname"] == "DELA ROSA"
    assert values["person.given_names"] == "NILO ODETTE"
    assert values["person.middle_name"] == "MARQUEZ"
    assert values["person.birth_date"] == "1991-03-27"
    assert values["address.text"] == "12 MABINI STREET, BARANGAY UNO QUEZON CITY, METRO MANILA"


@pytest.mark.requirement("R-EX2", "R-EX3")
def test_a_spanish_card_is_read_in_two_columns_and_its_number_proved() -> None:
    reading = read("id_card", DNI)
    values = reading.values()
    assert values["person.surname"] == "ROOK PEÑA"
    assert values["person.given_names"] == "VESNA"
    assert (values["person.sex"], values["person.nationality"]) == ("F", "ESP")
    assert (values["person.birth_date"], values["document.expiry_date"]) == ("1991-03-27", "2031-08-15")
    number = reading.field("document.number")
    assert (number.value, number.validation.verdict) == ("12345678Z", Verdict.VALID)


@pytest.mark.requirement("R-EX2")
def test_a_card_of_the_united_states_is_read_by_its_numbered_labels() -> None:
    values = read("id_card", STATE_ID).values()
    assert values["document.number"] == "T1234567"
    assert (values["person.surname"], values["person.given_names"]) == ("ROOK", "VESNA MARIE")
    assert values["person.birth_date"] == "1991-03-27"
    assert values["document.expiry_date"] == "2031-03-27"
    assert values["person.sex"] == "F"


@pytest.mark.requirement("R-EX3")
def test_visual_fields_have_their_place_and_source() -> None:
    for field in read("id_card", PHILID).document.fields:
        assert field.source is FieldSource.VISUAL
        assert field.quad is not None
        assert 0 < field.confidence <= 0.95


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("Surname", "person.surname", ""),
        ("Surnarne", "person.surname", ""),
        ("Date of birth: 27 MAR 1991", "person.birth_date", "27 MAR 1991"),
        ("Nationality / Nacionalidad", "person.nationality", ""),
        ("Passport No. X1234567", "document.number", "X1234567"),
        ("FECHA DE NACIMIENTO", "person.birth_date", ""),
    ],
)
def test_labels_are_found_alone_doubled_and_with_their_value(text: str, key: str, value: str) -> None:
    found = LABELS.find(text)
    assert found is not None
    assert (found.key, found.value) == (key, value)


@pytest.mark.parametrize("text", ["ROOK", "", "12345", "The sea lay flat", "P<UTOROOK<<VESNA"])
def test_values_are_no_labels(text: str) -> None:
    assert LABELS.find(text) is None


@pytest.mark.requirement("R-EX3")
@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("person.birth_date", "12 AGO/AUG 1974", "1974-08-12"),
        ("person.birth_date", "27.03.1991", "1991-03-27"),
        ("document.expiry_date", "15 AUG 2034", "2034-08-15"),
        ("person.sex", "Lalaki", "M"),
        ("person.sex", "F/M?", "F"),
        ("person.nationality", "FILIPINO", "PHL"),
        ("person.nationality", "Española", "ESP"),
        ("person.nationality", "Japan", "JPN"),
        ("document.number", "P 1234567A", "P1234567A"),
        ("document.number", "NUMBER", ""),
        ("person.birth_date", "nobody knows", ""),
    ],
)
def test_values_are_normalised_by_their_field(key: str, raw: str, value: str) -> None:
    assert normalised(key, raw, TODAY, months_first=False) == value


def test_a_letter_that_does_not_fit_contradicts_nothing() -> None:
    assert checked("document.number", "12345678A").verdict is Verdict.NOT_CHECKED
    assert checked("document.number", "X1234567L").verdict is Verdict.VALID


PERSON = replace(random_person(Random(12), TODAY), surname="MUELLER", given_names="VESNA MARIE", sex="F")


def passport(person: Person, *, printed: Person) -> Reading:
    """A data page whose two zones may differ."""
    visual = card(
        ["PASSPORT"],
        ["Surname"],
        [printed.surname],
        ["Given names"],
        [printed.given_names],
        ["Date of birth", "Sex"],
        [f"{printed.birth_date:%d %b %Y}".upper(), printed.sex],
        ["Date of expiry", "Passport No."],
        [f"{printed.expiry_date:%d %b %Y}".upper(), printed.number],
    )
    lines = zone(zone_lines(person, "TD3"), first=len(visual))
    moved = [line(one.text, one.index, y=600 + 26 * place, width=880) for place, one in enumerate(lines)]
    return read("passport", [*moved, *visual])


@pytest.mark.requirement("R-EX3")
def test_zones_that_agree_prove_what_no_check_digit_covers() -> None:
    reading = passport(PERSON, printed=replace(PERSON, surname="MÜLLER"))
    surname = reading.field("person.surname")
    assert (surname.value, surname.source, surname.revision) == ("MUELLER", FieldSource.MRZ, 2)
    assert (surname.validation.verdict, surname.validation.rule) == (Verdict.VALID, "mrz.visual_zone")
    assert not [field for field in reading.document.fields if field.key == "document.conflict"]


@pytest.mark.requirement("R-EX3")
def test_a_conflict_between_the_zones_is_a_field_of_its_own() -> None:
    other = replace(PERSON, birth_date=PERSON.birth_date.replace(year=PERSON.birth_date.year - 1))
    reading = passport(PERSON, printed=other)
    conflict = reading.field("document.conflict", 1)
    assert conflict.value == "person.birth_date"
    assert conflict.validation.verdict is Verdict.INVALID
    assert conflict.validation.expected == PERSON.birth_date.isoformat()
    assert conflict.validation.actual == other.birth_date.isoformat()
    kept = reading.field("person.birth_date")
    assert (kept.value, kept.source) == (PERSON.birth_date.isoformat(), FieldSource.MRZ)


@pytest.mark.requirement("R-EX3")
def test_what_a_check_digit_contradicts_gives_way_to_what_is_printed() -> None:
    upper, lower = zone_lines(PERSON, "TD3")
    wrong = lower[:21] + "991231" + str((int(lower[27]) + 3) % 10) + lower[28:]
    visual = card(["Date of expiry"], [f"{PERSON.expiry_date:%d %b %Y}".upper()])
    lines = [line(text, 10 + n, y=600 + 26 * n, width=880) for n, text in enumerate((upper, wrong))]
    expiry = read("passport", [*lines, *visual]).field("document.expiry_date")
    assert expiry.source is FieldSource.VISUAL
    assert expiry.value == PERSON.expiry_date.isoformat()
    assert expiry.revision == 2
    assert expiry.alternatives


@pytest.mark.requirement("R-EX3")
def test_a_printed_page_without_its_zone_still_gives_its_fields() -> None:
    visual = card(["PASSPORT"], ["Surname"], ["ROOK"], ["Nationality"], ["UTOPIAN"])
    values = read("passport", visual).values()
    assert values == {"person.surname": "ROOK", "person.nationality": "UTO"}
