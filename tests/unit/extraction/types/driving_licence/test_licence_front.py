"""The front of a licence: worded labels, numbers alone, elements in one row, American dates."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rendering.lines import line
from rendering.reading import read
from vidence_server.extraction.domain.document import FieldSource
from vidence_server.extraction.types.detect import TypeDetector
from vidence_server.extraction.types.visual.date_order import month_first
from vidence_server.vision.text import TextLine

pytestmark = pytest.mark.requirement("R-EX2", "R-EX3")

OHIO = [
    "OHIO  USA",
    "DRIVER LICENSE",
    "4d DLN TX123456",
    "3 DOB 03/07/1991",
    "4b EXP 03/07/2029",
    "1 FALKENBERG",
    "2 VESNA MARIE",
    "8 12 HARBOUR STREET",
    "COLUMBUS, OH 43215",
    "4a ISS 08/05/2021",
    "9 CLASS D  9a END NONE  12 REST B",
    "15 SEX F 16 HGT 5'-06\" 17 WGT 154 lb 18 EYES GRN",
]
EUROPE = [
    "DRIVING LICENCE  UTOPIA",
    "1. ALDERSEN",
    "2. GRETA",
    "3. 07.03.1991 HOLVA",
    "4a. 05.08.2021",
    "4b. 05.08.2031",
    "5. B072RRE2I55",
]


def written(texts: Sequence[str]) -> list[TextLine]:
    return [line(text, index, x=100, y=100 + 24 * index) for index, text in enumerate(texts)]


def test_a_licence_of_the_united_states_is_read_by_its_numbered_labels() -> None:
    values = read("driving_licence", written(OHIO)).values()
    expected = {
        "document.number": "TX123456", "person.birth_date": "1991-03-07",
        "document.expiry_date": "2029-03-07",
        "person.surname": "FALKENBERG", "person.given_names": "VESNA MARIE",
        "address.street": "12 HARBOUR STREET", "address.city": "COLUMBUS", "address.region": "OH",
        "address.postal_code": "43215", "document.issue_date": "2021-08-05", "licence.class": "D",
        "licence.restrictions": "B", "person.sex": "F", "person.height_cm": "168", "person.weight_kg": "70",
        "person.eye_colour": "GRN",
    }  # fmt: skip
    assert expected.items() <= values.items()
    assert not values.get("licence.endorsements")


def test_a_european_licence_is_read_by_its_numbers_alone() -> None:
    values = read("driving_licence", written(EUROPE)).values()
    expected = {
        "person.surname": "ALDERSEN", "person.given_names": "GRETA", "person.birth_date": "1991-03-07",
        "document.issue_date": "2021-08-05", "document.expiry_date": "2031-08-05",
        "document.number": "B072RRE2I55",
    }  # fmt: skip
    assert expected.items() <= values.items()


@pytest.mark.parametrize("texts", [OHIO, EUROPE])
def test_a_front_is_told_from_other_documents(texts: Sequence[str]) -> None:
    detector = TypeDetector()
    for one in written(texts):
        detector.feed(one)
    assert detector.finish().key == "driving_licence"


def test_a_title_that_is_read_last_still_tells_the_type() -> None:
    rows = [
        "Apellidos: ROOK", "Nombres: VESNA", "Fecha de nacimiento: 07/03/1991", "Sexo: F",
        "Licencia No.: S8570062", "Fecha de expedición: 05/08/2021", "Fecha de vencimiento: 05/08/2031",
        "LICENCIA DE CONDUCIR",
    ]  # fmt: skip
    detector = TypeDetector()
    early = [detector.feed(one) for one in written(rows[:-1])]
    assert early == [None] * len(early)
    detector.feed(written(rows)[-1])
    assert detector.finish().key == "driving_licence"
    untitled = TypeDetector()
    for one in written(rows[:-1]):
        untitled.feed(one)
    assert untitled.finish().key == "id_card"
    assert read("driving_licence", written(rows)).values()["document.number"] == "S8570062"


def test_what_is_printed_says_where_it_stands() -> None:
    reading = read("driving_licence", written(OHIO))
    sex, eyes = reading.field("person.sex"), reading.field("person.eye_colour")
    assert sex.source is eyes.source is FieldSource.VISUAL
    assert sex.quad is not None
    assert eyes.quad is not None
    assert sex.quad.corners[0].x < eyes.quad.corners[0].x
    assert not reading.complete


@pytest.mark.parametrize(
    ("height", "value"),
    [
        ("5'-06\"", "168"),
        ("6-01", "185"),
        ("175 cm", "175"),
        ("1.71 m", "171"),
        ("5'-13\"", ""),
        ("TALL", ""),
    ],
)
def test_heights_come_in_centimetres(height: str, value: str) -> None:
    front = [*OHIO[:10], f"16 HGT {height}"]
    assert read("driving_licence", written(front)).values().get("person.height_cm", "") == value


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["08/31/2029", "05/06/2021"], True),
        (["31/08/2029", "05/06/2021", "USA"], False),
        (["05/06/2021"], False),
        (["05/06/2021", "UNITED STATES OF AMERICA"], True),
        (["4a ISS 05/06/2021"], True),
        (["31/08/2029", "08/31/2029"], False),
        (["2021-08-31"], False),
    ],
)
def test_the_order_of_day_and_month_is_judged_by_the_whole_document(texts: list[str], first: bool) -> None:
    assert month_first(texts) is first


@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("day", [5, 9, 12, 15, 16, 17, 18, 19])
def test_no_part_of_a_date_is_taken_for_the_number_of_an_element(month: int, day: int) -> None:
    numbered = written([*OHIO[:3], f"3 DOB {month:02}/{day:02}/1991", "4a ISS 05/31/2021", *OHIO[4:9]])
    assert read("driving_licence", numbered).values()["person.birth_date"] == f"1991-{month:02}-{day:02}"
    captioned = ["DRIVING LICENCE", "Surname", "ROOK", "Date of birth", f"{day:02}/{month:02}/1991"]
    values = read("driving_licence", written([*captioned, "Date of issue", "31/05/2021"])).values()
    assert values["person.birth_date"] == f"1991-{month:02}-{day:02}"
    assert values.keys() == {"person.surname", "person.birth_date", "document.issue_date"}


@pytest.mark.parametrize("separator", [".", "/", "-"])
def test_numbers_that_lost_their_space_are_labels_and_no_part_of_the_date(separator: str) -> None:
    glued = [
        "DRIVING LICENCE  UTOPIA",
        "1.ALDERSEN",
        "2.GRETA",
        f"3.20{separator}01{separator}1933",
        f"4a.01{separator}09{separator}2017",
        f"4b. 01{separator}09{separator}2025",
        "5.C2861894",
    ]
    assert read("driving_licence", written(glued)).values() == {
        "person.surname": "ALDERSEN",
        "person.given_names": "GRETA",
        "person.birth_date": "1933-01-20",
        "document.issue_date": "2017-09-01",
        "document.expiry_date": "2025-09-01",
        "document.number": "C2861894",
    }
    assert not month_first(["3.20.01.1933", "4b. 01.09.2025"])


def test_dates_of_an_american_card_put_the_month_first() -> None:
    labelled = ["Surname ROOK", "Date of birth 03/07/1991"]
    card = written(["IDENTIFICATION CARD", "UNITED STATES OF AMERICA", *labelled])
    assert read("id_card", card).values()["person.birth_date"] == "1991-03-07"
    elsewhere = written(["IDENTITY CARD", "UTOPIA", *labelled])
    assert read("id_card", elsewhere).values()["person.birth_date"] == "1991-07-03"
