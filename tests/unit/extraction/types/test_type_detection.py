from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from rendering.decks import deck_lines, random_deck
from rendering.licences import licence_text
from rendering.lines import box, line, regions, zone
from rendering.made_up_cards import made_up_names
from rendering.people import random_person
from rendering.reading import TODAY
from rendering.receipts import STYLES as RECEIPT_STYLES
from rendering.receipts import random_receipt, receipt_rows
from rendering.zones import DOCUMENT_TYPE, FORMATS, digit, zone_lines
from vidence_server.extraction.domain.document import DocumentTypeGuess
from vidence_server.extraction.types import TypeDetector
from vidence_server.extraction.types.detect import LINES_WITHOUT_ZONE, MOST_LINES, PROSE_LINES
from vidence_server.vision.barcodes import Barcode, BarcodeFormat
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
            "1234567 890 1234567 F 120415 92",
            "In case of fire the keeper calls the shore.",
            "Nothing further was to be reported then,",
            "and the lamp burned on until the morning",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQR",
            "when the boat came in with bread and oil",
            "and letters that nobody had time to read.",
            "So the week went by as the one before had,",
            "with rain from the west and little wind,",
            "and the keeper wrote all of it in his book",
            "before he went up to trim the wick again.",
            "Nobody came that day, and nobody the next.",
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
    assert count <= PROSE_LINES


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
    assert order[-1] == 2


@pytest.mark.requirement("R-EX1")
def test_of_a_long_page_only_some_lines_are_read_and_they_come_from_all_over_it() -> None:
    found = [TextRegion(box(100, 20 * n, 400 + n % 7), 0.9) for n in range(200)]
    order = TypeDetector().reading_order(found, 1000, 4000)
    assert len(order) <= MOST_LINES
    assert len(set(order)) == len(order)
    rest = order[LINES_WITHOUT_ZONE:]
    assert min(rest) < 20
    assert max(rest) > 180


def pages(texts: Sequence[str]) -> list[TextLine]:
    return [line(text, index, y=40 + 30 * index) for index, text in enumerate(texts)]


@pytest.mark.requirement("R-EX2")
@pytest.mark.parametrize("style", RECEIPT_STYLES)
@pytest.mark.parametrize("seed", range(4))
def test_receipts_are_told_by_sums_amounts_and_taxes(style: str, seed: int) -> None:
    made = random_receipt(Random(seed))
    rows = [piece for row in receipt_rows(made, style) for piece in row if piece]
    guess, _ = detect(pages([made.company, *made.address, f"Date: {made.day:%d/%m/%Y}", *rows]))
    assert guess.key == "receipt"
    assert guess.confidence > 0.8


@pytest.mark.requirement("R-EX2")
@pytest.mark.parametrize("style", ["arena", "mtgo", "moxfield"])
@pytest.mark.parametrize("seed", range(4))
def test_decklists_are_told_by_entries_and_headings(style: str, seed: int) -> None:
    deck = random_deck(Random(seed), made_up_names(Random(1), 500), style)
    guess, _ = detect(pages([text for text in deck_lines(deck, style) if text]))
    assert guess.key == "decklist"
    assert guess.confidence > 0.6


@pytest.mark.requirement("R-EX2")
def test_a_card_without_a_zone_is_told_by_its_labels() -> None:
    card = [
        "Apelyido/Last Name",
        "ROOK",
        "Mga Pangalan/Given Names",
        "NILO",
        "Petsa ng Kapanganakan/Date of Birth",
    ]
    guess, _ = detect(pages(["REPUBLIKA NG PILIPINAS", *card, "MARCH 27, 1991", "Kasarian/Sex", "M"]))
    assert guess.key == "id_card"


@pytest.mark.requirement("R-EX2")
def test_a_passport_whose_zone_is_not_seen_is_told_by_its_title() -> None:
    guess, _ = detect(
        pages(
            [
                "PASSPORT",
                "Surname",
                "ROOK",
                "Given names",
                "NILO",
                "Date of birth",
                "27 MAR 1991",
                "Nationality",
                "UTOPIAN",
            ]
        )
    )
    assert guess.key == "passport"


@pytest.mark.requirement("R-EX2")
def test_a_licence_is_told_by_its_barcode_alone() -> None:
    quad = box(0, 0, 100)
    code = Barcode(BarcodeFormat.PDF417, licence_text({"DAQ": "1", "DCS": "ROOK"}), quad)
    assert TypeDetector((code,)).finish().key == "driving_licence"
    other = Barcode(BarcodeFormat.PDF417, b"something else", quad)
    assert TypeDetector((other,)).finish().key == "text"
