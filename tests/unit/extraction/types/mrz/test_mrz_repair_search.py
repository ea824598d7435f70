"""The search for misread characters: what is tried, what is found, and when it proves anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rendering.lines import box
from vidence_server.extraction.domain.document import Correction
from vidence_server.extraction.types.mrz.formats import CharacterClass
from vidence_server.extraction.types.mrz.glyphs import Glyph
from vidence_server.extraction.types.mrz.repair import Repair, agrees, corrections, read_as, repairs, the_one

pytestmark = pytest.mark.requirement("R-EX3")

DIGIT, ALPHANUMERIC = CharacterClass.DIGIT, CharacterClass.ALPHANUMERIC
Told = dict[int, tuple[tuple[str, float], ...]]


def glyphs(text: str, told: Told, sure: dict[int, float] | None = None) -> list[Glyph | None]:
    """`text` as read with confidence 0.5 or as given, and what else the recogniser told of its characters."""
    return [
        Glyph(char, (sure or {}).get(place, 0.5), box(10 * place, 0, 10), told.get(place, ()))
        for place, char in enumerate(text)
    ]


def one_of(*texts: str) -> Callable[[str], bool]:
    return lambda value: value in texts


def found(
    text: str, told: Told, *right: str, characters: CharacterClass = ALPHANUMERIC
) -> list[tuple[str, int, float, bool]]:
    """The repairs, as plain values, where exactly the texts `right` satisfy the check."""
    return [
        (repair.text, repair.exchanged, round(repair.probability, 9), repair.seen)
        for repair in repairs(glyphs(text, told), text, characters, one_of(*right))
    ]


def test_a_value_that_satisfies_its_check_is_not_searched() -> None:
    told: Told = {0: (("8", 0.4),)}
    assert repairs(glyphs("B12", told), "B12", ALPHANUMERIC, one_of("B12", "812")) == [
        Repair("B12", 0, 1.0, seen=True)
    ]


@pytest.mark.parametrize(
    ("characters", "read", "meant"), [(DIGIT, "74O8IZ", "740812"), (ALPHANUMERIC, "74O8IZ", "74O8IZ")]
)
def test_letters_are_digits_only_where_nothing_else_can_be(
    characters: CharacterClass, read: str, meant: str
) -> None:
    assert read_as(read, characters) == meant
    assert repairs(glyphs(read, {}), read, characters, one_of(meant)) == [Repair(meant, 0, 1.0, seen=True)]


@pytest.mark.parametrize(
    ("text", "told", "right", "expected"),
    [
        # one character, as likely as the recogniser thinks
        ("AXC", {1: (("Y", 0.3),)}, ("AYC",), [("AYC", 1, 0.3, True)]),
        # all that satisfy the check, likeliest first
        (
            "AXC",
            {0: (("D", 0.1),), 1: (("Y", 0.3), ("W", 0.2))},
            ("AYC", "AWC", "DXC"),
            [("AYC", 1, 0.3, True), ("AWC", 1, 0.2, True), ("DXC", 1, 0.1, True)],
        ),
        # two characters only where one is not enough; as likely as both together
        ("AXC", {0: (("D", 0.4),), 1: (("Y", 0.3),)}, ("AYC", "DYC"), [("AYC", 1, 0.3, True)]),
        ("AXC", {0: (("D", 0.4),), 1: (("Y", 0.3),)}, ("DYC",), [("DYC", 2, 0.12, True)]),
        (
            "AXC",
            {0: (("D", 0.4),), 1: (("Y", 0.3),), 2: (("E", 0.5),)},
            ("DYC", "AYE"),
            [("AYE", 2, 0.15, True), ("DYC", 2, 0.12, True)],
        ),
        # never three
        ("AXC", {0: (("D", 0.4),), 1: (("Y", 0.3),), 2: (("E", 0.5),)}, ("DYE",), []),
        # nothing that the recogniser hardly considered
        ("AXC", {1: (("Y", 0.01),)}, ("AYC",), [("AYC", 1, 0.01, True)]),
        ("AXC", {1: (("Y", 0.009),)}, ("AYC",), []),
        # but for the confusions that recognisers are sure about
        ("A0C", {1: (("O", 0.001),)}, ("AOC",), [("AOC", 1, 0.001, True)]),
        ("A5C", {1: (("S", 0.001),)}, ("ASC",), [("ASC", 1, 0.01, False)]),
        # what merely resembles a character is known not to have been considered
        ("A5C", {}, ("ASC",), [("ASC", 1, 0.01, False)]),
        ("A0C", {1: (("D", 0.2),)}, ("AOC", "ADC"), [("ADC", 1, 0.2, True), ("AOC", 1, 0.01, False)]),
        # and is not exchanged together with others
        ("A5C", {0: (("D", 0.4),)}, ("DSC",), []),
        ("A5C", {0: (("D", 0.4), ("E", 0.2)), 1: (("7", 0.3),)}, ("E7C",), [("E7C", 2, 0.06, True)]),
        # four other characters at one place are tried, the likeliest
        (
            "AXC",
            {1: tuple(zip("VWYZ", (0.1, 0.2, 0.3, 0.05), strict=True))},
            ("AZC",),
            [("AZC", 1, 0.05, True)],
        ),
        ("AXC", {1: tuple(zip("VWYZT", (0.1, 0.2, 0.3, 0.05, 0.06), strict=True))}, ("AZC",), []),
    ],
)
def test_what_the_search_finds(
    text: str, told: Told, right: tuple[str, ...], expected: list[tuple[str, int, float, bool]]
) -> None:
    assert found(text, told, *right) == expected


@pytest.mark.parametrize(
    ("text", "told", "right", "expected"),
    [
        # a letter told for a digit counts as the digit, as likely as its likeliest shape
        ("760812", {1: (("A", 0.3),)}, "740812", [("740812", 1, 0.3, True)]),
        ("760812", {1: (("4", 0.3), ("A", 0.2))}, "740812", [("740812", 1, 0.3, True)]),
        ("76O812", {1: (("4", 0.3),)}, "740812", [("740812", 1, 0.3, True)]),
        # letters that resemble no digit take no digit's place
        (
            "760812",
            {1: tuple(zip("KMNP4", (0.2, 0.2, 0.2, 0.2, 0.1), strict=True))},
            "740812",
            [("740812", 1, 0.1, True)],
        ),
        # nor do other shapes of what was read
        (
            "060812",
            {0: tuple(zip("OQDU4", (0.2, 0.2, 0.2, 0.2, 0.1), strict=True))},
            "460812",
            [("460812", 1, 0.1, True)],
        ),
        ("760812", {1: (("K", 0.3),)}, "7K0812", []),
        # a digit's resemblance to letters says nothing here
        ("760812", {}, "7G0812", []),
    ],
)
def test_a_field_of_digits_is_searched_for_digits(
    text: str, told: Told, right: str, expected: list[tuple[str, int, float, bool]]
) -> None:
    assert found(text, told, right, characters=DIGIT) == expected


@pytest.mark.parametrize(("sure", "exchanged"), [(0.4, True), (0.6, True), (0.75, False), (0.99, False)])
def test_a_much_surer_character_than_the_least_sure_one_stays(sure: float, exchanged: bool) -> None:
    read = glyphs("AXC", {1: (("Y", 0.3),)}, {0: 0.9, 1: sure, 2: 0.4})
    assert bool(repairs(read, "AXC", ALPHANUMERIC, one_of("AYC"))) is exchanged


def test_a_filler_that_was_added_is_not_exchanged() -> None:
    read = glyphs("AX<", {1: (("Y", 0.3),)}, {0: 0.9, 1: 0.9})
    read[2] = None
    assert [repair.text for repair in repairs(read, "AX<", ALPHANUMERIC, one_of("AY<", "AXC"))] == ["AY<"]
    nothing: list[Glyph | None] = [None] * 3
    assert repairs(nothing, "<<<", ALPHANUMERIC, one_of("AXC")) == []


LIKELY, LESS, UNLIKELY = (Repair(*of, seen=True) for of in (("A", 1, 0.4), ("B", 1, 0.06), ("C", 1, 0.05)))
RESEMBLING = Repair("D", 1, 0.4, seen=False)


@pytest.mark.parametrize(
    ("candidates", "proven"),
    [
        ((), None),
        ((LIKELY,), LIKELY),
        ((LIKELY, UNLIKELY), LIKELY),
        ((LIKELY, UNLIKELY, UNLIKELY), LIKELY),
        # less than eight times likelier, or nothing but a resemblance
        ((LIKELY, LESS), None),
        ((LIKELY, LIKELY), None),
        ((RESEMBLING,), None),
        ((RESEMBLING, UNLIKELY), None),
    ],
)
def test_a_repair_is_proven_where_no_other_is_nearly_as_likely(
    candidates: tuple[Repair, ...], proven: Repair | None
) -> None:
    assert the_one(candidates) == proven


def test_corrections_name_every_place_that_differs() -> None:
    assert corrections("L0989O2", "LO98902", "rule") == (
        Correction(1, "0", "O", "rule"),
        Correction(5, "O", "0", "rule"),
    )
    assert corrections("L0", "L0", "rule") == ()


@pytest.mark.parametrize(
    ("text", "digit", "holds"), [("L898902C3", "6", True), ("L898902C3", "5", False), ("<<<", "<", False)]
)
def test_a_digit_agrees_with_the_characters_it_protects(text: str, digit: str, holds: bool) -> None:
    assert agrees(text, digit) is holds
