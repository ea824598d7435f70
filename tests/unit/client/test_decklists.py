from __future__ import annotations

import csv
import io

import pytest

from vidence.extraction.v1 import document_pb2
from vidence_client.decklists import CSV_HEADER, DeckCard, arena_text, csv_rows, csv_text, deck_cards


def document(*cards: dict[str, str]) -> document_pb2.Document:
    """A decklist whose values all have confidence 0.9."""
    valid = document_pb2.FieldValidation(verdict=document_pb2.VALIDATION_VERDICT_VALID)
    return document_pb2.Document(
        document_type="decklist",
        fields=[
            document_pb2.ExtractedField(
                key=f"card.{key}", index=index, revision=1, value=value, confidence=0.9, validation=valid
            )
            for index, card in enumerate(cards, 1)
            for key, value in card.items()
        ],
    )


DECK = document(
    {"count": "2", "name": "Ox", "section": "sideboard"},
    {"count": "4", "name": "Moss Drake", "section": "main", "set": "ABC", "collector_number": "12"},
    {"count": "17", "name": "Forest", "section": "main"},
    {"count": "1", "name": "Vesna, Tide Warden", "section": "commander"},
    {"count": "1", "name": "Idle Thought", "section": "maybeboard"},
)


@pytest.mark.requirement("R-EX2")
def test_arena_takes_sections_in_its_own_order() -> None:
    assert arena_text(DECK) == (
        "Commander\n1 Vesna, Tide Warden\n\nDeck\n4 Moss Drake (ABC) 12\n17 Forest\n\nSideboard\n2 Ox\n"
    )


def test_rows_have_the_columns_of_the_header() -> None:
    rows = list(csv_rows([DECK, DECK]))
    assert len(rows) == 10
    assert rows[1] == ("4", "Moss Drake", "ABC", "12", "main", "0.900", "yes")
    assert {len(row) for row in rows} == {len(CSV_HEADER)}


def test_csv_is_read_back_and_holds_no_formula() -> None:
    read = list(csv.reader(io.StringIO(csv_text(document({"count": "1", "name": '=1+"a", b'})))))
    assert tuple(read[0]) == CSV_HEADER
    assert read[1][1] == '\'=1+"a", b'


def test_an_entry_without_count_and_section_is_one_in_the_main_deck() -> None:
    (card,) = deck_cards(document({"name": "Ox"}))
    assert card == DeckCard(1, "Ox", "main", confidence=card.confidence, proved=True)


def test_other_documents_have_no_cards() -> None:
    assert arena_text(document_pb2.Document(document_type="passport")) == ""
    assert list(csv_rows(document())) == []


def test_a_name_that_was_taken_back_is_no_card() -> None:
    assert deck_cards(document({"name": "", "count": ""})) == []
