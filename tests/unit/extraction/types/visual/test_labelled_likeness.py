"""How much a page is like a document with labelled values, and which documents that may be."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rendering.lines import box, line
from rendering.reading import TODAY
from vidence_server.extraction.types import document_type
from vidence_server.extraction.types.detect import LEAST_LIKENESS, SURE_LIKENESS
from vidence_server.extraction.types.id_card import ID_CARD
from vidence_server.extraction.types.passport import PASSPORT
from vidence_server.extraction.types.visual.likeness import labelled_likeness
from vidence_server.vision.text import TextRegion

pytestmark = pytest.mark.requirement("R-EX1")

LABELS = ["Surname", "Given names", "Date of birth", "Sex", "Nationality", "Passport No."]
TITLES = ("identity card", "id card", "national id")


def likeness(texts: Sequence[str], *, untitled: bool = True, titled: Sequence[str] = TITLES) -> float:
    lines = [line(text, index) for index, text in enumerate(texts)]
    return labelled_likeness(lines, titled=titled, untitled=untitled)


def test_more_labels_are_more_like_a_document() -> None:
    grows = [likeness(LABELS[:count]) for count in range(7)]
    assert grows[:3] == [0.0, 0.0, 0.0]
    assert LEAST_LIKENESS < grows[3] < grows[4] < grows[5] <= grows[6]
    titled = [likeness([*LABELS[:count], "IDENTITY CARD"]) for count in range(3, 7)]
    assert grows[5] < titled[0] < titled[1] < titled[2] < titled[3] < 1


def test_without_its_title_no_page_is_sure_to_be_of_a_type() -> None:
    assert likeness(LABELS) < SURE_LIKENESS


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(["Surname", "SURNAME: ROOK", "Last name", "Sex"], id="one field, three labels"),
        pytest.param(["Surname", "Sex", "Address"], id="receipts and letters have addresses too"),
        pytest.param(["IDENTITY CARD", "Surname", "Sex"], id="a title is no field"),
    ],
)
def test_less_than_three_fields_of_a_person_or_document_are_like_nothing(texts: list[str]) -> None:
    assert likeness(texts) == 0.0


@pytest.mark.parametrize("untitled", [True, False])
@pytest.mark.parametrize(
    "title", ["Identity Card", "UTOPIA IDENTITY CARD", "IDENT1TY CARD", "NATI0NAL ID", "ID Card"]
)
def test_three_labels_and_the_title_are_sure(title: str, untitled: bool) -> None:
    assert SURE_LIKENESS <= likeness([title, *LABELS[:3]], untitled=untitled) < 1


@pytest.mark.parametrize("other", ["DRIVING LICENCE", "ENTIT", "CARD", ""])
def test_a_line_that_is_not_the_title_says_nothing(other: str) -> None:
    assert likeness([other, *LABELS[:4]]) == likeness(LABELS[:4])
    assert likeness([other, *LABELS[:4]], untitled=False) == 0.0


def test_the_label_nationality_is_not_the_title_of_a_national_id() -> None:
    assert likeness(LABELS[:5], titled=["national id"], untitled=False) == 0.0
    assert likeness([*LABELS[:5], "UTOPIA NATIONAL ID"], titled=["national id"], untitled=False) > 0


def test_labels_alone_are_taken_for_an_identity_card_and_for_nothing_else() -> None:
    lines = [line(text, index) for index, text in enumerate(LABELS[:5])]
    assert ID_CARD.likeness(lines, ()) > LEAST_LIKENESS
    assert PASSPORT.likeness(lines, ()) == 0.0
    titled = [*lines, line("PASAPORTE", 9)]
    assert PASSPORT.likeness(titled, ()) > ID_CARD.likeness(titled, ())


def test_what_may_be_the_zone_is_read_first_and_everything_once() -> None:
    quads = [
        box(60, 40, 90),
        box(40, 600, 880),
        box(60, 80, 10, 40),
        box(40, 626, 880),
        box(60, 66, 150),
    ]
    order = PASSPORT.reading_order([TextRegion(quad, 0.9) for quad in quads], 1000, 700)
    assert set(order[:2]) == {1, 3}
    assert sorted(order) == [0, 1, 2, 3, 4]
    # too narrow for any row of a zone
    assert order[-1] == 2


def test_a_passport_always_has_its_zone_and_a_card_need_not() -> None:
    passport = {one.key: one.required for one in PASSPORT.planned_fields}
    assert passport["document.number"]
    assert passport["person.surname"]
    assert not passport["document.issue_date"]
    assert not passport["document.conflict"]
    card = {one.key: one.required for one in ID_CARD.planned_fields}
    assert passport.keys() - card.keys() == set()
    assert not any(card.values())
    assert {"person.middle_name", "address.text", "document.conflict"} <= card.keys()


def test_labels_of_other_documents_are_no_labels_of_a_passport() -> None:
    reader = document_type("passport").start(TODAY)
    texts = ["Address", "12 HARBOUR STREET", "Surname", "ROOK"]
    for index, text in enumerate(texts):
        reader.feed(line(text, index, x=60, y=40 + 26 * index))
    assert [field.key for field in reader.finish()] == ["person.surname"]
