from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from rendering.lines import box, line, regions, zone
from rendering.people import random_person
from rendering.reading import TODAY
from rendering.zones import DOCUMENT_TYPE, FORMATS, digit, zone_lines
from vidence_server.extraction.domain.document import DocumentTypeGuess
from vidence_server.extraction.types import TypeDetector
from vidence_server.extraction.types.detect import LINES_WITHOUT_ZONE
from vidence_server.vision.text import TextLine, TextRegion

VISUAL = [
    line(text, index, y=40 + 40 * index)
    for index, text in enumerate(("UTOPIA PASSPORT", "Surname", "FALKENBERG", "27 MAR 1991", "X4093218K"))
]
PROSE = [
    line(text, index)
    for index, text in enumerate(
        (
            "It was a quiet night and the sea lay flat.",
            "TOTAL 18.50 CHANGE 1.50",
            "1234567 890 1234567 F 120415 92",
            "PLEASE KEEP THIS RECEIPT",
            "IN CASE OF FIRE CALL 112",
            "Nothing further to report",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQR",
            "The end",
        )
    )
]


def detect(lines: Sequence[TextLine]) -> tuple[DocumentTypeGuess, int]:
    """The guess, and how many lines were read for it."""
    detector = TypeDetector()
    order = detector.reading_order(regions(lines), 1000, 800)
    for count, place in enumerate(order, 1):
        guess = detector.feed(lines[place])
        if guess is not None:
            assert detector.finish() == guess
            return guess, count
    return detector.finish(), len(order)


@pytest.mark.requirement("R-EX2")
@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("seed", range(25))
def test_a_zone_decides_the_type_within_its_own_lines(layout: str, seed: int) -> None:
    lines = zone_lines(random_person(Random(seed), TODAY), layout)
    guess, count = detect([*VISUAL, *zone(lines, first=len(VISUAL))])
    assert guess.key == DOCUMENT_TYPE[layout]
    assert guess.confidence > 0.6
    assert count <= len(lines)


@pytest.mark.requirement("R-EX2")
def test_a_page_without_a_zone_is_text_after_a_few_lines() -> None:
    guess, count = detect(PROSE)
    assert guess.key == "text"
    assert count <= LINES_WITHOUT_ZONE


@pytest.mark.requirement("R-EX7")
def test_an_empty_page_is_text_of_no_confidence() -> None:
    assert TypeDetector().finish() == DocumentTypeGuess("text", 0.0)
    assert not TypeDetector().reading_order([], 1000, 800)


def test_a_zone_with_a_misread_first_letter_is_told_by_its_check_digits() -> None:
    person = random_person(Random(3), TODAY)
    upper, lower = zone_lines(person, "TD3")
    guess, _ = detect([*VISUAL, *zone(("F" + upper[1:], lower), first=len(VISUAL))])
    assert guess.key == "passport"


def test_a_visa_whose_lower_line_happens_to_satisfy_a_passports_composite_digit_stays_a_visa() -> None:
    person = random_person(Random(8), TODAY)
    upper, lower = zone_lines(replace(person, optional_data=""), "MRV-A")
    data = "1234567890ABCDE"
    covered = lower[:10] + lower[13:20] + lower[21:28] + data
    detector = TypeDetector()
    assert detector.feed(line(lower[:28] + data + digit(covered), 1)) is None
    guess = detector.feed(line(upper, 0))
    assert guess is not None
    assert guess.key == "visa"


def test_one_line_of_a_zone_is_enough_at_the_end() -> None:
    _, lower, _ = zone_lines(random_person(Random(5), TODAY), "TD1")
    guess, _ = detect([*VISUAL, *zone((lower,), first=len(VISUAL))])
    assert guess.key == "id_card"


def test_a_line_of_names_that_begins_with_a_document_code_decides_nothing_alone() -> None:
    detector = TypeDetector()
    assert detector.feed(line("VARGALIN<<VESNA<<<<<<<<<<<<<<<")) is None


def test_regions_of_a_zone_are_read_first_and_dots_never() -> None:
    quads = [box(100, 40, 300), box(100, 90, 500), box(100, 200, 12), box(60, 600, 880), box(60, 626, 880)]
    order = TypeDetector().reading_order([TextRegion(quad, 0.9) for quad in quads], 1000, 700)
    assert set(order[:2]) == {3, 4}
    assert 2 not in order
