"""Rows as recognisers leave them: miscounted fillers, rows in pieces, rows run together, garbage."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rendering.lines import CHARACTER_PX, LINE_PX, line, zone
from rendering.people import random_person
from rendering.reading import TODAY, read
from rendering.specimens import LOWER, UPPER
from rendering.zones import DOCUMENT_TYPE, FORMATS, true_fields, zone_lines
from vidence_server.extraction.domain.document import Verdict
from vidence_server.extraction.types import DOCUMENT_TYPES, TypeDetector, document_type
from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.text import TextLine

TRUTH = {
    "document.number": "L898902C3",
    "person.surname": "ERIKSSON",
    "person.given_names": "ANNA MARIA",
    "person.birth_date": "1974-08-12",
    "document.expiry_date": "2012-04-15",
    "document.optional_data": "ZE184226B",
    "mrz.composite_check": "0",
}
WIDTH = 44 * CHARACTER_PX


def piece(text: str, start: int, index: int, row: int) -> TextLine:
    """A part of a printed row, beginning at its character `start`."""
    return line(text, index, x=100 + CHARACTER_PX * start, y=400 + LINE_PX * row)


@pytest.mark.requirement("R-EX3")
@pytest.mark.parametrize(
    ("upper", "lower"),
    [
        (UPPER[:38], LOWER),
        (UPPER + "<<<", LOWER),
        (UPPER, LOWER.replace("<<<<<", "<<<")),
        (UPPER, LOWER.replace("<<<<<", "")),
        (UPPER, LOWER.replace("<<<<<", "<<<<<<<<")),
        (UPPER.replace("P<", "P"), LOWER),
        (UPPER.replace("<<<<", "««"), LOWER.replace("<<", "«")),
        (UPPER.lower(), LOWER),
        ("  ".join(UPPER), " ".join(LOWER)),
        ("|" + UPPER, LOWER + "I"),
    ],
    ids=["dropped", "added", "few", "none", "many", "code", "angles", "lower-case", "spaced", "strays"],
)
def test_miscounted_fillers_change_no_value(upper: str, lower: str) -> None:
    lines = [line(text, place, width=WIDTH) for place, text in enumerate((upper, lower))]
    reading = read("passport", lines)
    assert TRUTH.items() <= reading.values().items()
    assert reading.field("mrz.line", 2).value == LOWER


def test_added_fillers_are_flagged() -> None:
    reading = read("passport", zone((UPPER, LOWER.replace("<<<<<", "<<<"))))
    fixes = reading.field("mrz.line", 2).corrections
    assert [(fix.read, fix.corrected, fix.proof) for fix in fixes] == [("", "<", "icao9303.line_length")] * 2


@pytest.mark.requirement("R-EX1")
def test_a_row_found_in_two_pieces_is_joined_in_any_order() -> None:
    pieces = [
        piece(UPPER[:24], 0, 0, 0),
        piece(UPPER[24:], 24, 1, 0),
        piece(LOWER[:20], 0, 2, 1),
        piece(LOWER[20:], 20, 3, 1),
    ]
    for seed in range(6):
        order = Random(seed).sample(pieces, len(pieces))
        reading = read("passport", order)
        assert TRUTH.items() <= reading.values().items()


def test_a_piece_that_ends_in_fillers_is_not_taken_for_the_whole_row() -> None:
    upper = "P<UTOERIKSSON<BERGSTROM<<ANNA<MARIA<<<<<<<<<"
    lower = line(LOWER, 2, y=400 + LINE_PX)
    reader = document_type("passport").start(TODAY)
    events = [*reader.feed(lower), *reader.feed(piece(upper[:25], 0, 0, 0))]
    assert not reader.complete
    events += [*reader.feed(piece(upper[25:], 25, 1, 0)), *reader.finish()]
    given = [field for field in events if field.key == "person.given_names"]
    assert given[-1].value == "ANNA MARIA"
    assert [field.revision for field in given] == list(range(1, len(given) + 1))


def test_two_rows_read_as_one_are_parted() -> None:
    assert TRUTH.items() <= read("passport", [line(UPPER + LOWER, 0, width=WIDTH)]).values().items()


@pytest.mark.parametrize("degrees", [-5, -2, 3, 5])
def test_a_tilted_zone_among_other_lines_is_found(degrees: float) -> None:
    slope = degrees / 57.3

    def tilted(read_line: TextLine) -> TextLine:
        corners = [Point(corner.x, corner.y + slope * corner.x) for corner in read_line.quad.corners]
        return TextLine(read_line.index, read_line.text, read_line.confidence, Quad(*corners))

    visual = [
        line(text, index, y=60 + 60 * index)
        for index, text in enumerate(("UTOPIA", "ERIKSSON", "12 AUG 1974"))
    ]
    lines = [tilted(one) for one in (*visual, *zone((UPPER, LOWER), first=3))]
    assert TRUTH.items() <= read("passport", lines).values().items()


@pytest.mark.parametrize("layout", FORMATS)
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 5_000), dropped=st.integers(1, 4), which=st.integers(0, 2))
def test_dropped_fillers_are_restored_or_flagged_never_silently_wrong(
    layout: str, seed: int, dropped: int, which: int
) -> None:
    person = random_person(Random(seed), TODAY)
    lines = list(zone_lines(person, layout))
    place = which % len(lines)
    run = "<" * (dropped + 1)
    if run not in lines[place]:
        return
    start = lines[place].rindex(run)
    lines[place] = lines[place][:start] + lines[place][start + dropped :]
    width = CHARACTER_PX * len(zone_lines(person, layout)[0])
    reading = read(DOCUMENT_TYPE[layout], [line(text, at, width=width) for at, text in enumerate(lines)])
    for key, value in true_fields(person, layout).items():
        field = next((field for field in reading.document.fields if field.key == key), None)
        assert field is None or field.value == value or field.validation.verdict is not Verdict.VALID


@pytest.mark.requirement("R-EX7")
@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8"), max_size=60) | st.text("P<UTO0I1AV9", max_size=95), max_size=6
    )
)
def test_garbage_never_crashes_and_stays_in_bounds(texts: list[str]) -> None:
    lines = [line(text, index) for index, text in enumerate(texts)]
    detector = TypeDetector()
    for one in lines:
        detector.feed(one)
    assert 0 <= detector.finish().confidence <= 1
    for known in DOCUMENT_TYPES:
        for field in read(known.key, lines).events:
            assert 0 <= field.confidence <= 1
            assert field.revision >= 1


@pytest.mark.requirement("R-EX7")
def test_regions_without_extent_are_no_obstacle() -> None:
    flat = Quad(Point(5, 5), Point(5, 5), Point(5, 5), Point(5, 5))
    lines = [TextLine(index, text, 0.0, flat) for index, text in enumerate((UPPER, LOWER, ""))]
    assert read("passport", lines).document.document_type == "passport"
