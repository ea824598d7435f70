"""Where the value of a label stands: behind it, below it, beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from rendering.lines import box, line
from rendering.reading import TODAY, read
from vidence_server.extraction.domain.document import ExtractedField, FieldSource, Validation, Verdict
from vidence_server.extraction.types.visual.labels import Label, LabelSet
from vidence_server.extraction.types.visual.reader import visual_fields
from vidence_server.vision.text import TextLine

pytestmark = pytest.mark.requirement("R-EX3")


def at(text: str, x: float, y: float, *, confidence: float = 0.95, width: float | None = None) -> TextLine:
    """A line 14 px high, its top left corner at (x, y)."""
    return replace(line(text, x=x, y=y, width=width), confidence=confidence)


def values(*lines: TextLine) -> dict[str, str]:
    return {field.key: field.value for field in visual_fields(lines, TODAY)}


def test_a_value_behind_its_label_has_the_rest_of_the_line_for_its_place() -> None:
    (field,) = visual_fields([at("Surname: Rook", 60, 40, confidence=0.85)], TODAY)
    # four of thirteen letters, each 10 px wide
    assert field == ExtractedField(
        "person.surname", 0, 1, "Rook", "Rook", 0.85, field.quad, FieldSource.VISUAL
    )
    assert field.quad is not None
    corners = [(point.x, point.y) for point in field.quad.corners]
    assert corners == [pytest.approx(one) for one in [(150, 40), (190, 40), (190, 54), (150, 54)]]


@pytest.mark.parametrize(("x", "y"), [(60, 66), (140, 66), (180, 40)])
def test_a_value_apart_from_its_label_has_the_place_of_its_line(x: float, y: float) -> None:
    lines = [at("Document No", 60, 40), at("12345678 z", x, y, confidence=0.7)]
    proven = Validation(Verdict.VALID, "es.dni_letter")
    assert visual_fields(lines, TODAY) == [
        ExtractedField(
            "document.number",
            0,
            1,
            "12345678 z",
            "12345678Z",
            0.7,
            box(x, y, 100),
            FieldSource.VISUAL,
            proven,
        )
    ]


@pytest.mark.parametrize(
    ("x", "y", "found"),
    [
        # the label is 70 px wide and 14 px high: from (60, 300) to (130, 314)
        pytest.param(60, 326, True, id="below"),
        pytest.param(110, 326, True, id="below, further right"),
        pytest.param(30, 326, True, id="below, further left"),
        pytest.param(60, 334, True, id="two lines below"),
        pytest.param(60, 345, False, id="too far below"),
        pytest.param(60, 274, False, id="above"),
        pytest.param(10, 326, False, id="below, left of it"),
        pytest.param(140, 326, False, id="below, right of it"),
        pytest.param(140, 300, True, id="beside"),
        pytest.param(205, 300, True, id="beside, some words away"),
        pytest.param(215, 300, False, id="too far beside"),
        pytest.param(122, 302, True, id="beside, boxes overlapping a little"),
        pytest.param(80, 300, False, id="on it"),
        pytest.param(10, 300, False, id="beside, in front of it"),
        pytest.param(140, 380, False, id="right of it, far below"),
    ],
)
def test_a_value_stands_below_its_label_or_beside_it(x: float, y: float, found: bool) -> None:
    expected = {"person.surname": "ROOK"} if found else {}
    assert values(at("Surname", 60, 300), at("ROOK", x, y)) == expected


def test_a_line_over_the_whole_width_is_no_value_of_a_label_in_the_right_column() -> None:
    assert values(at("Surname", 480, 40), at("REPUBLIC OF UTOPIA", 60, 66, width=800)) == {}


def test_what_is_below_counts_before_what_is_beside() -> None:
    below, beside = at("ROOK", 60, 66), at("TYPE P", 160, 40)
    assert values(at("Surname", 60, 40), beside, below) == {"person.surname": "ROOK"}
    assert values(at("Surname", 60, 40), beside) == {"person.surname": "TYPE P"}


def test_of_several_lines_beside_the_nearest_counts() -> None:
    far, near = at("UTO", 205, 40), at("ROOK", 140, 40)
    assert values(at("Surname", 60, 40), far, near) == {"person.surname": "ROOK"}


def test_of_several_lines_below_the_nearest_counts_and_it_alone() -> None:
    lines = [at("VESNA", 60, 70), at("Surname", 60, 40), at("ROOK", 60, 58)]
    assert values(*lines) == {"person.surname": "ROOK"}


def test_what_stands_behind_or_below_a_label_and_cannot_be_its_value_is_passed_over() -> None:
    label = at("Date of birth (dd/mm/yyyy)", 60, 40)
    assert values(label, at("27/03/1991", 60, 66)) == {"person.birth_date": "1991-03-27"}
    assert values(label, at("ROOK", 60, 66), at("27/03/1991", 330, 40)) == {"person.birth_date": "1991-03-27"}
    assert values(label, at("ROOK", 60, 66)) == {}


def test_a_label_is_no_value_of_another() -> None:
    lines = [at("Surname", 60, 40), at("Given names", 60, 66), at("VESNA", 60, 92)]
    assert values(*lines) == {"person.given_names": "VESNA"}


def test_an_address_goes_on_over_three_lines_at_most_and_is_as_sure_as_the_worst() -> None:
    texts = ["12 MABINI STREET", "BARANGAY UNO", "QUEZON CITY", "PHILIPPINES"]
    sure = [0.9, 0.6, 0.8, 0.5]
    below = [
        at(text, 60, 66 + 26 * n, confidence=one)
        for n, (text, one) in enumerate(zip(texts, sure, strict=True))
    ]
    (field,) = visual_fields([*reversed(below), at("Address", 60, 40)], TODAY)
    assert field.value == field.raw_value == "12 MABINI STREET BARANGAY UNO QUEZON CITY"
    assert (field.confidence, field.quad) == (0.6, below[0].quad)


def test_an_address_ends_where_lines_stand_apart() -> None:
    lines = [at("Address", 60, 40), at("12 MABINI STREET", 60, 66), at("PHILIPPINES", 60, 140)]
    assert values(*lines) == {"address.text": "12 MABINI STREET"}


@pytest.mark.parametrize(
    ("first", "second", "told"), [(0.9, 0.8, "ROOK"), (0.8, 0.9, "PEÑA"), (0.9, 0.9, "ROOK")]
)
def test_of_two_values_of_a_field_the_surer_is_told(first: float, second: float, told: str) -> None:
    lines = [
        at("Surname ROOK", 60, 40, confidence=first),
        at("Sex F", 60, 66),
        at("Last name PEÑA", 60, 92, confidence=second),
    ]
    assert values(*lines) == {"person.surname": told, "person.sex": "F"}


def test_a_page_on_its_side_is_read_like_any_other() -> None:
    def turned(read: TextLine) -> TextLine:
        """By a quarter, to the right."""
        corners = (replace(point, x=1000 - point.y, y=point.x) for point in read.quad.corners)
        return replace(read, quad=type(read.quad)(*corners))

    lines = [at("Surname", 60, 40), at("ROOK", 60, 66), at("Sex", 460, 40), at("F", 500, 40), at(" ", 0, 0)]
    assert values(*map(turned, lines)) == {"person.surname": "ROOK", "person.sex": "F"}


@pytest.mark.parametrize(("title", "birth"), [("REAL ID", "1991-03-07"), ("IDENTITY CARD", "1991-07-03")])
def test_the_whole_page_tells_the_order_of_day_and_month(title: str, birth: str) -> None:
    lines = [at(title, 60, 10), at("Date of birth", 60, 66), at("03/07/1991", 60, 92)]
    assert values(*lines) == {"person.birth_date": birth}


def test_a_document_may_have_labels_and_formats_of_its_own() -> None:
    def shouted(key: str, raw: str, today: date, *, months_first: bool) -> str:
        return f"{key} {raw.upper()} {today:%Y} {months_first}"

    own = LabelSet([Label(("callsign",), "person.surname")], ())
    lines = [at("Callsign Rook", 60, 40), at("Sex F", 60, 66), at("12/31/2031", 60, 92)]
    (field,) = visual_fields(lines, TODAY, labels=own, normalise=shouted)
    assert field.value == f"person.surname ROOK {TODAY:%Y} True"


@pytest.mark.parametrize(
    ("text", "surname"), [("<ROOK<", "<ROOK<"), ("ROOK<<<", ""), ("ROOK<<VESNA<MARIE<<<<", "")]
)
def test_lines_of_a_zone_are_no_printed_values(text: str, surname: str) -> None:
    assert (
        read("passport", [at("Surname", 60, 40), at(text, 60, 66)]).values().get("person.surname", "")
        == surname
    )
