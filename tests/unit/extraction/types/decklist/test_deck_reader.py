from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from rendering.decks import Deck, deck_lines, random_deck
from rendering.lines import line, regions
from rendering.made_up_cards import made_up_names
from rendering.reading import TODAY, Reading, read
from vidence_server.extraction.domain.document import Verdict
from vidence_server.extraction.types import document_type
from vidence_server.extraction.types.decklist.catalogue import Card, CardCatalogue
from vidence_server.extraction.types.means import ReadingMeans
from vidence_server.vision.text import TextLine

NAMES = made_up_names(Random(9), 3000)
BASICS = ["Forest", "Island", "Mountain", "Plains", "Swamp"]
CARDS = [Card(name) for name in [*NAMES, *BASICS]] + [Card("Vesna, Tide Warden", (("ABC", "12"),))]
MEANS = ReadingMeans(catalogue=CardCatalogue(CARDS))


def written(texts: Sequence[str]) -> list[TextLine]:
    """Lines below each other; an empty text leaves a gap."""
    placed = [(text, 100 + 24.0 * row) for row, text in enumerate(texts) if text]
    return [line(text, index, y=y) for index, (text, y) in enumerate(placed)]


def at(places: Sequence[tuple[str, float, float]]) -> list[TextLine]:
    """Lines at (x, y)."""
    return [line(text, index, x=x, y=y) for index, (text, x, y) in enumerate(places)]


def deck(lines: Sequence[TextLine]) -> Reading:
    return read("decklist", lines, means=MEANS)


def counts(reading: Reading) -> Counter[tuple[str, str]]:
    """Counts by section and name."""
    values = {(field.key, field.index): field.value for field in reading.document.fields}
    found: Counter[tuple[str, str]] = Counter()
    for (key, index), name in values.items():
        if key == "card.name" and name:
            found[values["card.section", index], name] += int(values["card.count", index])
    return found


def truth(of: Deck) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for entry in of.entries:
        found[entry.section, entry.name] += entry.count
    return found


@pytest.mark.requirement("R-EX2")
@pytest.mark.parametrize("style", ["arena", "mtgo", "moxfield"])
@pytest.mark.parametrize("seed", range(5))
def test_written_decks_are_read_with_their_sections(style: str, seed: int) -> None:
    made = random_deck(Random(seed), NAMES, style)
    assert counts(deck(written(deck_lines(made, style)))) == truth(made)


@pytest.mark.requirement("R-EX1")
def test_an_entry_is_told_as_soon_as_its_line_is_read() -> None:
    reader = document_type("decklist").start(TODAY, MEANS)
    assert not list(reader.feed(line("Sideboard", 0)))
    told = {field.key: field.value for field in reader.feed(line("3 Vesna, Tide Warden", 1))}
    assert told == {"card.count": "3", "card.name": "Vesna, Tide Warden", "card.section": "sideboard"}
    assert [field.key for field in reader.finish()] == ["deck.sideboard_count"]


@pytest.mark.requirement("R-EX3")
def test_a_corrected_name_keeps_what_was_read_and_says_what_proves_it() -> None:
    name = deck(written(["2 Vesna, Tlde Wardn"])).field("card.name", 1)
    assert (name.raw_value, name.value) == ("Vesna, Tlde Wardn", "Vesna, Tide Warden")
    assert name.validation.verdict is Verdict.VALID
    assert {made.proof for made in name.corrections} == {"catalogue.name"}
    assert 0.8 < name.confidence < 0.95
    assert name.quad is not None
    text = name.raw_value
    for made in reversed(name.corrections):
        text = text[: made.position] + made.corrected + text[made.position + len(made.read) :]
    assert text == name.value


@pytest.mark.requirement("R-EX3")
def test_a_name_that_no_catalogue_has_stays_as_it_was_read() -> None:
    reading = deck(written(["2 Forest", "3 Island", "4 Qwxz Unheard Of"]))
    name = reading.field("card.name", 3)
    assert (name.value, name.validation.verdict) == ("Qwxz Unheard Of", Verdict.NOT_CHECKED)
    assert not name.corrections
    assert name.confidence < reading.field("card.name", 1).confidence


@pytest.mark.requirement("R-EX5")
def test_without_a_catalogue_a_written_deck_is_read_unproven() -> None:
    reading = read("decklist", written(["4 Moss Drake", "Sideboard", "1 Ox"]))
    assert counts(reading) == {("main", "Moss Drake"): 4, ("sideboard", "Ox"): 1}


@pytest.mark.requirement("R-EX3")
def test_set_and_number_are_checked_against_the_catalogues_printings() -> None:
    right = deck(written(["1 Vesna, Tide Warden (ABC) 12", "1 Forest (XYZ) 12"]))
    assert right.field("card.set", 1).validation.verdict is Verdict.VALID
    assert right.field("card.collector_number", 1).validation.verdict is Verdict.VALID
    assert right.field("card.set", 2).validation.verdict is Verdict.INVALID
    wrong = deck(written(["1 Forest (ABC) 12", "2 Island"])).field("card.collector_number", 1)
    assert (wrong.validation.verdict, wrong.validation.expected) == (Verdict.INVALID, "Vesna, Tide Warden")


def test_an_empty_line_parts_a_sideboard_only_where_the_numbers_fit() -> None:
    main = [f"4 {name}" for name in NAMES[:15]]
    side = [f"3 {name}" for name in NAMES[20:25]]
    split = deck(written([*main, "", *side]))
    assert split.values()["deck.sideboard_count"] == "15"
    told = [field for field in split.document.fields if field.key == "card.section"]
    assert told[-1].confidence < told[0].confidence
    assert "deck.sideboard_count" not in deck(written([*main[:5], "", *side])).values()


@pytest.mark.requirement("R-EX2")
def test_pictures_take_the_count_below_the_title_and_lists_the_one_in_front() -> None:
    a, b, c, d = _short(4)
    lines = at(
        [
            ("60/60 Cards", 10, 30),
            ("Sideboard", 820, 30),
            (a, 50, 100),
            (b, 300, 100),
            ("x4", 220, 125),
            ("x2", 470, 125),
            (c, 50, 170),
            ("x3", 220, 195),
            ("2x", 790, 100),
            (d, 830, 100),
            (a, 830, 130),
            ("1x", 790, 130),
        ]
    )
    assert counts(deck(lines)) == {
        ("main", a): 4,
        ("main", b): 2,
        ("main", c): 3,
        ("sideboard", d): 2,
        ("sideboard", a): 1,
    }


@pytest.mark.requirement("R-EX2")
def test_copies_without_counts_are_counted_and_texts_of_cards_are_not() -> None:
    a, b = _short(2)
    lines = at(
        [
            (a, 50, 100),
            (a, 50, 125),
            (a, 50, 150),
            ("Creature — Drake", 50, 300),
            (f"{a} enters", 55, 320),
            (a, 55, 340),
            (b, 300, 100),
            (b, 300, 125),
            ("Sideboard: 1", 550, 60),
            (b, 550, 100),
        ]
    )
    reading = deck(lines)
    assert counts(reading) == {("main", a): 3, ("main", b): 2, ("sideboard", b): 1}
    assert reading.field("deck.sideboard_count").validation.verdict is Verdict.VALID


@pytest.mark.requirement("R-EX3")
def test_a_stated_total_that_the_cards_do_not_reach_is_a_contradiction() -> None:
    total = deck(written(["60 cards", "4 Forest", "4 Island"])).field("deck.main_count")
    assert (total.value, total.validation.verdict) == ("8", Verdict.INVALID)
    assert (total.validation.expected, total.validation.actual) == ("8", "60")


def test_a_number_in_front_counts_where_most_titles_have_one() -> None:
    names = _short(4)
    rows = [(f"{n + 1}", 40.0, 100 + 30.0 * n) for n in range(4)]
    rows += [(name, 120, 100 + 30.0 * n) for n, name in enumerate(names)]
    assert counts(deck(at(rows))) == {("main", name): n + 1 for n, name in enumerate(names)}


@pytest.mark.requirement("R-EX7")
def test_a_page_without_cards_gives_no_fields() -> None:
    assert deck(written(["Nothing to see", "here"])).document.fields == ()
    assert deck([]).document.fields == ()


def test_columns_are_read_one_after_the_other() -> None:
    quads = [(40, 100), (400, 100), (40, 130), (400, 130)]
    lines = [line("some words here", n, x=x, y=y) for n, (x, y) in enumerate(quads)]
    assert list(document_type("decklist").reading_order(regions(lines), 800, 600)) == [0, 2, 1, 3]


def _short(count: int) -> list[str]:
    """Names that fit into a column of these tests."""
    return [name for name in NAMES if 8 < len(name) < 15][:count]
