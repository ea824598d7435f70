"""Which rows are a zone: the best of each format, in order, close together, among other text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rendering.lines import CHARACTER_PX, LINE_PX, box, line, zone
from rendering.specimens import CARD, LOWER, UPPER
from vidence_server.extraction.types.mrz.formats import FORMATS, MRV_A, TD1, TD2, TD3
from vidence_server.extraction.types.mrz.rows import Row, piece_of, rows_of
from vidence_server.extraction.types.mrz.zone import Zone, ZoneFinder
from vidence_server.vision.geometry import Quad
from vidence_server.vision.text import TextLine

pytestmark = pytest.mark.requirement("R-EX3")

WIDTH = 44 * CHARACTER_PX


def rows(lines: Sequence[TextLine]) -> list[Row]:
    """The rows of a picture, top to bottom."""
    return rows_of(piece for one in lines if (piece := piece_of(one)) is not None)


def at(text: str, index: int, y: float, height: float = 14) -> Row:
    """One row with its upper edge at `y`."""
    (row,) = rows([TextLine(index, text, 0.95, box(100, y, WIDTH, height))])
    return row


def texts(found: Zone) -> dict[int, str]:
    """The lines of a zone by number."""
    return {number: fitted.text for number, fitted in found.lines.items()}


def passport(*given: Row) -> dict[int, str]:
    """The lines of the passport that is found; empty where none is."""
    found = ZoneFinder((TD3,)).zones(given)
    return texts(found[0]) if found else {}


@pytest.mark.parametrize(
    ("layout", "given"),
    [
        ("TD3", (UPPER, LOWER)),
        ("TD1", CARD),
        ("TD2", ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")),
        ("MRV-B", ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "L8988901C4XXX4009078F9612109<<<<<<<<")),
    ],
)
def test_the_format_that_fits_best_comes_first(layout: str, given: tuple[str, ...]) -> None:
    found = ZoneFinder(FORMATS).zones(rows(zone(given)))
    assert found[0].mrz_format.name == layout
    assert texts(found[0]) == dict(enumerate(given, 1))
    assert found[0].complete
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_lines_that_follow_each_other_are_worth_a_quarter_point() -> None:
    first, second, third = rows(zone(CARD))
    finder = ZoneFinder((TD1,))
    for given, neighbours in (((first, second, third), 2), ((first, second), 1), ((first, third), 0)):
        (found,) = finder.zones(given)
        assert len(found.lines) == len(given)
        assert found.score == sum(fitted.score for fitted in found.lines.values()) + 0.25 * neighbours


def test_of_two_rows_for_one_line_the_better_is_taken_wherever_it_stands() -> None:
    # another document's line, of which no check digit holds
    worse = "L898902C30UTO7408120F1204150ZE184226B<<<<<00"
    upper, good = at(UPPER, 0, 400), LOWER
    assert passport(upper, at(good, 1, 424), at(worse, 2, 448)) == {1: UPPER, 2: LOWER}
    assert passport(upper, at(worse, 1, 424), at(good, 2, 448)) == {1: UPPER, 2: LOWER}


def test_of_two_equal_zones_the_first_is_taken() -> None:
    given = [at(UPPER, 0, 400), at(LOWER, 1, 424), at(UPPER, 2, 700), at(LOWER, 3, 724)]
    (found,) = ZoneFinder((TD3,)).zones(given)
    assert [found.lines[number].row.indexes for number in (1, 2)] == [(0,), (1,)]


@pytest.mark.parametrize(
    ("upper", "lower", "together"),
    [
        ((400, 14), (424, 14), True),
        # up to four heights apart, the mean of both
        ((400, 14), (456, 14), True),
        ((400, 14), (457, 14), False),
        ((400, 14), (477, 28), True),
        ((400, 14), (478, 28), False),
        # the lower line does not stand above the upper, nor on it
        ((400, 14), (376, 14), False),
        ((400, 14), (400, 14), False),
        ((400, 14), (401, 14), True),
    ],
)
def test_lines_of_a_zone_stand_in_order_and_close_together(
    upper: tuple[float, float], lower: tuple[float, float], together: bool
) -> None:
    found = passport(at(UPPER, 0, *upper), at(LOWER, 1, *lower))
    # of two that do not belong together the one with more proof is taken
    assert found == ({1: UPPER, 2: LOWER} if together else {2: LOWER})


@pytest.mark.parametrize(("apart", "together"), [(112, True), (113, False)])
def test_a_line_that_was_not_read_leaves_its_room(apart: float, together: bool) -> None:
    first, third = at(CARD[0], 0, 400), at(CARD[2], 1, 400 + apart)
    (found,) = ZoneFinder((TD1,)).zones((first, third))
    assert (set(found.lines) == {1, 3}) is together


@pytest.mark.parametrize(
    ("joint", "lines"),
    [
        (UPPER + LOWER, {1: UPPER, 2: LOWER}),
        # five fillers too few or too many between the lines
        (UPPER[:39] + LOWER, {1: UPPER, 2: LOWER}),
        (UPPER + "<<<<<" + LOWER, {1: UPPER, 2: LOWER}),
        # one more, and they are no longer told from other text
        (UPPER[:38] + LOWER, {}),
        (UPPER + "<<<<<<" + LOWER, {}),
    ],
)
def test_two_lines_read_as_one_are_parted(joint: str, lines: dict[int, str]) -> None:
    found = ZoneFinder((TD3,)).zones([at(joint, 0, 400, 38)])
    assert (texts(found[0]) if found else {}) == lines
    if found:
        upper, lower = found[0].lines[1].row, found[0].lines[2].row
        assert upper.text + lower.text == joint
        assert upper.indexes == lower.indexes == (0,)


def test_of_three_lines_the_first_two_may_be_read_as_one() -> None:
    joint = TextLine(0, CARD[0] + CARD[1], 0.95, box(100, 400, 300, 38))
    third = TextLine(1, CARD[2], 0.95, box(100, 448, 300))
    (found,) = ZoneFinder((TD1,)).zones(rows([joint, third]))
    assert texts(found) == dict(enumerate(CARD, 1))
    assert found.complete


def test_text_as_long_as_two_lines_that_proves_nothing_stays_one_row() -> None:
    sentence = "THE<SEA<LAY<FLAT<AND<GREY<UNDER<A<SKY<OF<THE<SAME<COLOUR<AND<NOTHING<MOVED<UPON<IT<ALL<DAY"
    assert ZoneFinder((TD3,)).zones([at(sentence[:88], 0, 400, 38)]) == []


@pytest.mark.parametrize("place", [0, 6, 12])
def test_a_zone_is_found_among_many_longer_lines_of_text(place: int) -> None:
    prose = "THESEALAYFLATANDGREYUNDERASKYOFTHESAMECOLOURANDNOTHINGMOVEDUPONIT"
    other = [line(prose, index, y=100 + LINE_PX * index) for index in range(12)]
    lower = 100 + LINE_PX * place + 1000
    lines = [line(UPPER, 20, y=lower), line(LOWER, 21, y=lower + LINE_PX)]
    (found,) = ZoneFinder((TD3,)).zones(rows([*other[:place], *lines, *other[place:]]))
    assert texts(found) == {1: UPPER, 2: LOWER}


@pytest.mark.parametrize(
    ("others", "count", "kept"),
    [
        # the line of names has 30 characters, of its nine fillers eight count fourfold: 62
        ("A" * 61, 9, True),
        ("A" * 63, 9, False),
        ("A" * 46 + "1" * 7, 9, True),
        ("A" * 46 + "1" * 9, 9, False),
        ("A" * 40 + "<" * 4, 9, True),
        ("A" * 40 + "<" * 5, 9, False),
        # ten rows are kept
        ("A" * 63, 8, True),
    ],
)
def test_of_many_rows_the_long_ones_with_fillers_and_digits_are_kept(
    others: str, count: int, kept: bool
) -> None:
    upper = at("P<UTOERIKSSON<<ANNA<MARIA<<<<<", 0, 400)
    lower = at(LOWER, 1, 400 + LINE_PX)
    crowd = [at(others, 2 + place, 900 + LINE_PX * place) for place in range(count)]
    assert (set(passport(upper, lower, *crowd)) == {1, 2}) is kept


def test_rows_that_fit_no_line_are_no_zone() -> None:
    finder = ZoneFinder(FORMATS)
    assert finder.zones(()) == []
    assert finder.zones([at("REPUBLIC<OF<UTOPIA<<THE<SEA<LAY<FLAT", 0, 400)]) == []


def test_a_row_is_fitted_anew_where_it_reads_otherwise() -> None:
    # the second piece of a row is read while the first is known already
    finder = ZoneFinder((TD3, MRV_A, TD2))
    half = [line(UPPER[:24], 0, y=400), line(LOWER, 1, y=424)]
    whole = [line(UPPER[24:], 2, x=100 + 24 * CHARACTER_PX, y=400), *half]
    (before,) = (found for found in finder.zones(rows(half)) if found.mrz_format is TD3)
    (after,) = (found for found in finder.zones(rows(whole)) if found.mrz_format is TD3)
    assert before.lines[1].text == UPPER[:24] + "?" * 20
    assert after.lines[1].text == UPPER


@pytest.mark.parametrize(("width", "complete"), [(440, True), (352, True), (351, False)])
def test_a_line_narrower_than_its_zone_is_not_whole(width: float, complete: bool) -> None:
    quads: tuple[Quad, Quad] = (box(100, 400, width), box(100, 424, 440))
    given = rows([TextLine(0, UPPER, 0.95, quads[0]), TextLine(1, LOWER, 0.95, quads[1])])
    (found,) = ZoneFinder((TD3,)).zones(given)
    assert found.complete is complete
