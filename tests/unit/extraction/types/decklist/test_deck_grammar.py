from __future__ import annotations

import pytest

from vidence_server.extraction.types.decklist.grammar import (
    EntryText,
    Heading,
    Section,
    count_of,
    entry_of,
    heading_of,
    number_of,
    total_of,
)
from vidence_server.extraction.types.decklist.pictures import is_type_line


@pytest.mark.requirement("R-EX2")
@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("4 Moss Drake", EntryText(4, "4", "Moss Drake", 2)),
        ("4x Moss Drake", EntryText(4, "4", "Moss Drake", 3)),
        ("12Forest", EntryText(12, "12", "Forest", 2)),
        ("4 Moss Drake (ABC) 123", EntryText(4, "4", "Moss Drake", 2, "ABC", "123")),
        ("1 Moss Drake [abc] 12a *F*", EntryText(1, "1", "Moss Drake", 2, "ABC", "12a")),
        ("1 Moss Drake (ABC) 123 #!Ramp", EntryText(1, "1", "Moss Drake", 2, "ABC", "123")),
        ("SB: 2 Moss Drake", EntryText(2, "2", "Moss Drake", 6, sideboard=True)),
        ("l Moss Drake", EntryText(1, "l", "Moss Drake", 2)),
        ("Moss Drake x3", EntryText(3, "3", "Moss Drake", 0)),
    ],
)
def test_entries_of_the_known_layouts_are_taken_apart(text: str, entry: EntryText) -> None:
    assert entry_of(text) == entry


@pytest.mark.parametrize(
    "text", ["Moss Drake", "x4", "4", "0 Moss Drake", "999 Moss Drake", "60/60 Cards", "2/2"]
)
def test_other_lines_are_no_entries(text: str) -> None:
    assert entry_of(text) is None


@pytest.mark.parametrize(
    ("text", "count"),
    [("x4", 4), ("4x", 4), ("×2", 2), ("x 12", 12), ("4", None), ("x0", None), ("xx", None)],
)
def test_a_count_stands_alone(text: str, count: int | None) -> None:
    assert count_of(text) == count


def test_a_bare_number_is_something_else() -> None:
    assert number_of("4") == 4
    assert number_of("x4") is None


@pytest.mark.requirement("R-EX2")
@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("Deck", Heading(Section.MAIN, None)),
        ("Sideboard", Heading(Section.SIDEBOARD, None)),
        ("SIDEBOARD: 15", Heading(Section.SIDEBOARD, 15)),
        ("Sideboard (15)", Heading(Section.SIDEBOARD, 15)),
        ("Commander", Heading(Section.COMMANDER, None)),
        ("Creatures (24)", Heading(None, 24)),
        ("Sorceries (3)", Heading(None, 3)),
        ("Lands", Heading(None, None)),
        ("Land", None),
        ("Moss Drake", None),
    ],
)
def test_headings_name_a_section_or_a_group(text: str, heading: Heading | None) -> None:
    assert heading_of(text) == heading


@pytest.mark.parametrize(
    ("text", "total"), [("60/60 Cards", 60), ("15 cards", 15), ("Draw two cards.", None)]
)
def test_a_stated_total_is_read(text: str, total: int | None) -> None:
    assert total_of(text) == total


@pytest.mark.parametrize(
    ("text", "is_type"),
    [
        ("Legendary Creature — Goblin", True),
        ("Land", True),
        ("Insfant", True),
        ("Basic Land - Forest", True),
        ("Island", False),
        ("Creature Comforts", False),
        ("Scry 1.", False),
    ],
)
def test_type_lines_are_told_from_names(text: str, *, is_type: bool) -> None:
    assert is_type_line(text) == is_type
