from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rendering.made_up_cards import made_up_names
from vidence_server.core.errors import DomainError, Reason
from vidence_server.extraction.types.decklist.catalogue import Card, CardCatalogue, key_of
from vidence_server.extraction.types.decklist.catalogue_file import read_catalogue
from vidence_server.extraction.types.decklist.names import SURE, SURE_ALONE, resolve

NAMES = made_up_names(Random(5), 20_000)
CATALOGUE = CardCatalogue(map(Card, [*NAMES, "Ox", "Vesna, Tide Warden", "Dawn // Dusk Tide", "Æther Bell"]))


def misread(name: str, random: Random) -> str:
    """The name with one letter of a long one exchanged."""
    place = random.randrange(len(name))
    return name[:place] + random.choice("aeiou") + name[place + 1 :]


@pytest.mark.requirement("R-EX5")
@pytest.mark.parametrize("seed", range(30))
def test_a_name_with_one_wrong_letter_is_found_among_twenty_thousand(seed: int) -> None:
    random = Random(seed)
    name = random.choice([name for name in NAMES if len(name) > 14])
    found = CATALOGUE.find(misread(name, random))
    assert name in {match.name for match in found if match.score == found[0].score}


@pytest.mark.requirement("R-EX5")
@given(st.sampled_from(NAMES))
@settings(deadline=None, max_examples=50)
def test_every_name_finds_itself_in_any_case_and_without_its_spaces(name: str) -> None:
    assert CATALOGUE.find(name.upper())[0] == CATALOGUE.find(name)[0]
    assert CATALOGUE.find(name)[0].score == 1.0
    assert CATALOGUE.find(name.replace(" ", ""))[0].name == name


@pytest.mark.parametrize(
    ("read", "name"),
    [
        ("VESNA TIDE WARDEN", "Vesna, Tide Warden"),
        ("Vesna, T1de Warden 2", "Vesna, Tide Warden"),
        ("(Vesna. Tide Warden ③", "Vesna, Tide Warden"),
        ("Vesna, Tide W...", "Vesna, Tide Warden"),
        ("Vesna, Tide Wa", "Vesna, Tide Warden"),
        ("Dusk Tide", "Dawn // Dusk Tide"),
        ("Dawn // Dusk Tide", "Dawn // Dusk Tide"),
        ("Aether Bell", "Æther Bell"),
        ("Ox", "Ox"),
    ],
)
@pytest.mark.requirement("R-EX5", "R-EX3")
def test_what_pictures_make_of_a_name_is_resolved(read: str, name: str) -> None:
    found = resolve(read, CATALOGUE, least=SURE)
    assert found.match is not None
    assert found.match.name == name


@pytest.mark.parametrize(
    "text",
    ["Vesna, Tide Warden enters the field", "Draw a card.", "0x", "2/2", "", "...", "Display", "Oz"],
)
@pytest.mark.requirement("R-EX5")
def test_what_is_no_name_stays_unresolved(text: str) -> None:
    assert resolve(text, CATALOGUE, least=SURE_ALONE).match is None


def test_of_two_names_that_are_as_like_neither_is_taken() -> None:
    twins = CardCatalogue([Card("Marsh Wardan"), Card("Marsh Wardon")])
    assert resolve("Marsh Warden", twins, least=SURE).match is None
    assert [match.name for match in twins.find("Marsh Warden")] == ["Marsh Wardan", "Marsh Wardon"]


def test_names_that_differ_in_spaces_only_are_told_apart() -> None:
    twins = CardCatalogue([Card("Pale Caravan"), Card("Palecaravan")])
    assert twins.find("pale caravan")[0].name == "Pale Caravan"
    assert twins.find("palecaravan")[0].name == "Palecaravan"


def test_an_empty_catalogue_finds_nothing() -> None:
    assert CardCatalogue([]).find("Forest") == ()
    assert len(CardCatalogue([])) == 0


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_any_text_has_an_answer(text: str) -> None:
    assert all(0 <= match.score <= 1 for match in CATALOGUE.find(text))
    assert key_of(text) == key_of(key_of(text))


SCRYFALL = [
    {"name": "Dawn // Dusk", "set": "abc", "collector_number": "007", "layout": "split"},
    {"name": "Forest", "set": "abc", "collector_number": "280", "layout": "normal"},
    {"name": "Beast", "set": "tabc", "collector_number": "1", "layout": "token"},
]


@pytest.mark.requirement("R-EX5")
@pytest.mark.parametrize(
    "text",
    [
        "[\n" + ",\n".join(json.dumps(card) for card in SCRYFALL) + "\n]\n",
        json.dumps(SCRYFALL),
        json.dumps(SCRYFALL, indent=2),
    ],
)
def test_scryfalls_bulk_data_is_read_however_it_is_broken_into_lines(text: str) -> None:
    catalogue = CardCatalogue(read_catalogue(text.splitlines(keepends=True)))
    assert len(catalogue) == 2
    assert catalogue.printed("ABC", "7") == "Dawn // Dusk"
    assert catalogue.sets == {"ABC"}


@pytest.mark.requirement("R-EX5")
def test_mtgjson_is_read_by_card_and_by_set() -> None:
    by_card = {"meta": {}, "data": {"Forest": [{"name": "Forest"}], "Dawn // Dusk": []}}
    by_set = {"meta": {}, "data": {"ABC": {"cards": [{"name": "Forest", "number": "280"}]}}}
    assert len(CardCatalogue(read_catalogue([json.dumps(by_card)]))) == 2
    assert CardCatalogue(read_catalogue([json.dumps(by_set)])).printed("abc", "280") == "Forest"


@pytest.mark.requirement("R-EX5")
def test_a_plain_list_has_a_name_a_line_and_comments() -> None:
    cards = list(read_catalogue(["# mine\n", "\n", "Forest\n", " Ox \n", "Number #9\n"]))
    assert [card.name for card in cards] == ["Forest", "Ox", "Number #9"]


@pytest.mark.parametrize("text", ['[{"name": ', '{"data": 3}', '{"other": {}}', '[{"title": "Forest"}]'])
def test_json_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(DomainError) as refused:
        list(read_catalogue([text]))
    assert refused.value.reason is Reason.CONFIGURATION_INVALID
