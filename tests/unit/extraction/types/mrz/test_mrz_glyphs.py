"""From what a recogniser wrote to a zone's alphabet: characters, boxes, confidences, alternatives."""

from __future__ import annotations

import pytest

from rendering.lines import box, line
from vidence_server.extraction.types.mrz.glyphs import Glyph, enclosing, glyphs_of, resembles_filler, text_of
from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.text import CharacterReading, TextLine

pytestmark = pytest.mark.requirement("R-EX3")

BOX = box(100, 400, 200, 20)


def spans(glyphs: tuple[Glyph, ...]) -> list[tuple[float, float]]:
    """Where each glyph begins and ends, in px across."""
    return [(round(one.quad.top_left.x, 6), round(one.quad.top_right.x, 6)) for one in glyphs]


def told(*characters: CharacterReading, confidence: float = 0.8) -> TextLine:
    """A line of which the recogniser tells every character."""
    text = "".join(character.text for character in characters)
    return TextLine(3, text, confidence, BOX, characters)


@pytest.mark.parametrize(
    ("written", "zone"),
    [
        ("P<UTO", "P<UTO"),
        ("p<uto", "P<UTO"),
        ("A«B", "A<<B"),
        ("≪≤‹(", "<<<<<"),
        ("a|b!c", "AIBIC"),
        # an upright stroke, not the letter
        ("l0l", "I0I"),
        ("ÉÑØ7", "EN7"),
        ("ＡＢ１２", "AB12"),
        ("ΑΒΕ АВЕ", "ABEABE"),
        ("A.B,C", "ABC"),
        ("½", "12"),
        ("ß", "SS"),
        (" \t", ""),
        ("", ""),
    ],
)
def test_characters_become_those_of_the_zone(written: str, zone: str) -> None:
    assert text_of(glyphs_of(line(written))) == zone


@pytest.mark.parametrize(
    ("char", "filler"), [("<", True), ("«", True), ("(", True), ("K", False), (".", False), ("", False)]
)
def test_what_recognisers_write_for_fillers(char: str, filler: bool) -> None:
    assert resembles_filler(char) is filler


def test_characters_share_the_line_evenly_where_the_recogniser_tells_no_places() -> None:
    glyphs = glyphs_of(TextLine(0, "A B1", 0.7, BOX))
    assert text_of(glyphs) == "AB1"
    assert spans(glyphs) == [(100, 150), (200, 250), (250, 300)]
    assert {glyph.confidence for glyph in glyphs} == {0.7}
    assert glyphs[0].quad == Quad(Point(100, 400), Point(150, 400), Point(150, 420), Point(100, 420))


@pytest.mark.parametrize(
    ("characters", "zone", "places"),
    [
        # half-way to the neighbours; at the ends half the mean distance between characters
        ((("A", 0.2), ("B", 0.4), ("C", 0.8)), "ABC", [(110, 160), (160, 220), (220, 290)]),
        ((("A", 0.3), ("B", 0.5)), "AB", [(140, 180), (180, 220)]),
        # not beyond the line
        ((("A", 0.1), ("B", 0.9)), "AB", [(100, 200), (200, 300)]),
        # of one character nothing but its line is known
        ((("A", 0.5),), "A", [(100, 300)]),
        ((("A", 0.9),), "A", [(180, 300)]),
        ((("A", 0.2),), "A", [(100, 240)]),
        # two fillers written as one character share its place
        ((("A", 0.25), ("«", 0.75)), "A<<", [(100, 200), (200, 250), (250, 300)]),
        # a space has its place, but is no glyph
        (
            (("A", 0.125), (" ", 0.375), ("B", 0.625), ("C", 0.875)),
            "ABC",
            [(100, 150), (200, 250), (250, 300)],
        ),
    ],
)
def test_each_glyph_has_the_slice_of_the_line_around_its_centre(
    characters: tuple[tuple[str, float], ...], zone: str, places: list[tuple[float, float]]
) -> None:
    glyphs = glyphs_of(told(*(CharacterReading(char, 0.9, centre) for char, centre in characters)))
    assert text_of(glyphs) == zone
    assert spans(glyphs) == places


def test_each_glyph_has_its_own_confidence() -> None:
    glyphs = glyphs_of(told(CharacterReading("A", 0.9, 0.25), CharacterReading("«", 0.6, 0.75)))
    assert [(glyph.char, glyph.confidence) for glyph in glyphs] == [("A", 0.9), ("<", 0.6), ("<", 0.6)]


@pytest.mark.parametrize(
    ("read", "alternatives", "zone"),
    [
        # what the recogniser thought next keeps the characters behind it in their places
        ("~", (("^", 0.3), ("N", 0.2), ("M", 0.1)), "AN"),
        ("~", (("«", 0.3), ("(", 0.2)), "A<"),
        ("~", (("^", 0.3),), "A"),
        ("~", (), "A"),
        (" ", (("N", 0.2),), "A"),
        ("Y", (("N", 0.2),), "AY"),
    ],
)
def test_a_foreign_character_is_read_as_what_the_recogniser_thought_next(
    read: str, alternatives: tuple[tuple[str, float], ...], zone: str
) -> None:
    glyphs = glyphs_of(
        told(CharacterReading("A", 0.9, 0.25), CharacterReading(read, 0.5, 0.75, alternatives))
    )
    assert text_of(glyphs) == zone


@pytest.mark.parametrize(
    ("read", "alternatives", "kept"),
    [
        ("0", (("O", 0.2), ("D", 0.1)), (("O", 0.2), ("D", 0.1))),
        # two that stand for one character of the zone count together, which may change the order
        ("0", (("D", 0.25), ("O", 0.125), ("o", 0.25)), (("O", 0.375), ("D", 0.25))),
        # what stands for the character itself, for none or for two of the zone's is no alternative
        ("O", (("o", 0.3), (".", 0.2), ("«", 0.15), ("(K", 0.12), ("Q", 0.1)), (("Q", 0.1),)),
        ("<", (("(", 0.3), ("K", 0.1)), (("K", 0.1),)),
        # a foreign character is read as its likeliest alternative, the others remain
        ("~", (("N", 0.3), ("M", 0.2)), (("M", 0.2),)),
    ],
)
def test_alternatives_are_other_characters_of_the_zone_likeliest_first(
    read: str, alternatives: tuple[tuple[str, float], ...], kept: tuple[tuple[str, float], ...]
) -> None:
    (glyph,) = glyphs_of(told(CharacterReading(read, 0.5, 0.5, alternatives)))
    assert glyph.alternatives == kept


def test_the_box_around_glyphs_follows_the_line_also_where_it_is_tilted() -> None:
    tilted = Quad(Point(0, 0), Point(80, 60), Point(74, 68), Point(-6, 8))
    glyphs = glyphs_of(TextLine(0, "ABCD", 0.9, tilted))
    around = enclosing(glyphs[1:3])
    assert around is not None
    corners = [(round(corner.x, 6), round(corner.y, 6)) for corner in around.corners]
    assert corners == [(20, 15), (60, 45), (54, 53), (14, 23)]
    assert enclosing(glyphs[2:3]) == glyphs[2].quad
    assert enclosing(()) is None
