"""Which lines may be rows of a zone, how pieces form rows, and where a zone is looked for first."""

from __future__ import annotations

from itertools import permutations

import pytest

from rendering.lines import box, line
from vidence_server.extraction.types.mrz.rows import (
    Piece,
    distance_down,
    piece_of,
    rows_of,
    zone_order,
)
from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.text import TextRegion

pytestmark = pytest.mark.requirement("R-EX3")

DOWNHILL = ((1.0, 0.0), (0.6, 0.8), (0.0, 1.0), (-1.0, 0.0), (-0.6, -0.8))
"""Directions of text, upright and turned, as unit vectors."""


def turned(quad: Quad, direction: tuple[float, float]) -> Quad:
    """`quad` with the x axis laid along `direction`."""
    across, down = direction
    corners = [Point(p.x * across - p.y * down, p.x * down + p.y * across) for p in quad.corners]
    return Quad(*corners)


def printed(text: str, index: int, quad: Quad) -> Piece:
    """A piece of a row that certainly may belong to a zone."""
    piece = piece_of(line(text, index))
    assert piece is not None
    return Piece(piece.index, piece.glyphs, quad)


def regions(*boxes: tuple[float, float, float, float]) -> list[TextRegion]:
    """Regions by x and y of their centre, width and height in px."""
    return [
        TextRegion(box(x - width / 2, y - height / 2, width, height), 0.9) for x, y, width, height in boxes
    ]


@pytest.mark.parametrize(
    ("text", "glyphs"),
    [
        ("P<UTO", "P<UTO"),
        ("ABCD", "ABCD"),
        ("ABC", None),
        ("A B C", None),
        # a quarter of the letters may be lower case, spaces not counted
        ("ABCDEFgh", "ABCDEFGH"),
        ("ABCDEfgh", None),
        ("AB  gh  CD", None),
        ("ABCDEFGH", "ABCDEFGH"),
        # with three fillers it is a zone's whatever the case
        ("abcdef<<", None),
        ("abcde<<<", "ABCDE<<<"),
        ("abcde«‹‹", "ABCDE<<<<"),
        ("abcde«<", None),
        # a fifth may be foreign to the alphabet
        ("ABCDEFGH.,", "ABCDEFGH"),
        ("ABCDEFG.,;", None),
        ("ABCD«(((", "ABCD<<<<<"),
        ("ABCDE.,<<<", "ABCDE<<<"),
        ("«««", "<<<<<<"),
        ("ABCD.,;<<<", None),
        # either is reason enough
        ("ABCD,gh.", None),
        ("Abcd", None),
    ],
)
def test_a_piece_of_a_zone_is_told_by_its_characters(text: str, glyphs: str | None) -> None:
    piece = piece_of(line(text, 7))
    assert (piece and "".join(glyph.char for glyph in piece.glyphs)) == glyphs
    if piece:
        assert (piece.index, piece.quad) == (7, line(text, 7).quad)


@pytest.mark.parametrize("direction", DOWNHILL)
def test_pieces_of_one_row_are_joined_from_left_to_right_whichever_way_the_text_runs(
    direction: tuple[float, float],
) -> None:
    left, middle, right = box(0, 0, 90, 14), box(100, 1, 120, 14), box(230, 2, 60, 14)
    quads = [turned(quad, direction) for quad in (left, middle, right)]
    pieces = [
        printed("WXYZ", 4, quads[2]),
        printed("P<UTO", 9, quads[0]),
        printed("SMITH<<", 2, quads[1]),
    ]
    for order in permutations(pieces):
        (row,) = rows_of(order)
        assert (row.text, row.indexes) == ("P<UTOSMITH<<WXYZ", (9, 2, 4))
        assert row.quad == Quad(
            quads[0].top_left, quads[2].top_right, quads[2].bottom_right, quads[0].bottom_left
        )


@pytest.mark.parametrize("direction", DOWNHILL)
def test_rows_come_from_top_to_bottom_whichever_way_the_text_runs(direction: tuple[float, float]) -> None:
    texts = ("UPPER<", "MIDDLE<", "LOWER<")
    pieces = [
        printed(text, 5 - place, turned(box(100 + 3 * place, 300 + 24 * place, 200, 14), direction))
        for place, text in enumerate(texts)
    ]
    for order in permutations(pieces):
        assert [row.text for row in rows_of(order)] == list(texts)


def test_no_pieces_make_no_rows() -> None:
    assert rows_of(()) == []


@pytest.mark.parametrize(
    ("second", "joined"),
    [
        (box(110, 0, 50, 14), True),
        # half a line's height apart is still one row, the height being the mean of both
        (box(110, 7, 50, 14), True),
        (box(110, -7, 50, 14), True),
        (box(110, 7.5, 50, 14), False),
        (box(110, -7.5, 50, 14), False),
        (box(110, -3.5, 50, 35), True),
        (box(110, 2, 50, 35), False),
        # three tenths of the narrower piece may overlap
        (box(85, 0, 50, 14), True),
        (box(84, 0, 50, 14), False),
        (box(-35, 0, 50, 14), True),
        (box(-34, 0, 50, 14), False),
        (box(20, 0, 50, 14), False),
        (box(70, 0, 120, 14), True),
        (box(69, 0, 120, 14), False),
        # far off to the side is still the row's
        (box(900, 0, 50, 14), True),
        (box(-900, 0, 50, 14), True),
    ],
)
def test_pieces_join_that_lie_beside_each_other_and_hardly_overlap(second: Quad, joined: bool) -> None:
    for direction in ((1.0, 0.0), (0.0, 1.0)):
        pieces = (
            printed("ABCDE", 0, turned(box(0, 0, 100, 14), direction)),
            printed("VWXYZ", 1, turned(second, direction)),
        )
        assert (len(rows_of(pieces)) == 1) is joined


def test_the_first_of_two_readings_of_one_place_takes_its_neighbour() -> None:
    # the second and third overlap; the neighbour of both goes to the one that comes first in reading order
    pieces = [
        printed("AAAA", 0, box(0, 0, 100, 14)),
        printed("BBBB", 1, box(110, 0, 100, 14)),
        printed("CCCC", 2, box(130, 0, 110, 14)),
    ]
    for order in permutations(pieces):
        assert sorted(row.text for row in rows_of(order)) == ["AAAABBBB", "CCCC"]


@pytest.mark.parametrize(
    ("base", "other", "distance"),
    [
        (box(0, 0, 100, 14), box(40, 24, 60, 14), 24),
        (box(0, 0, 100, 14), box(40, -24, 60, 14), -24),
        # text that runs up to down: the next row is to the left
        (turned(box(0, 0, 100, 14), (0, 1)), turned(box(500, 24, 10, 14), (0, 1)), 24),
        (turned(box(0, 0, 100, 14), (0.6, 0.8)), turned(box(70, 31, 10, 14), (0.6, 0.8)), 31),
        # upper and lower edge differ, (4, 3) and (2, 5): the text runs along their sum, (0.6, 0.8)
        (Quad(Point(0, 0), Point(4, 3), Point(-1, 9), Point(-3, 4)), box(9.5, 23.5, 1, 1), 4),
        # a region without extent has no direction
        (box(5, 5, 0, 0), box(40, 90, 10, 10), 0),
    ],
)
def test_distance_is_measured_across_the_text(base: Quad, other: Quad, distance: float) -> None:
    assert distance_down(base, other) == pytest.approx(distance)


@pytest.mark.parametrize(
    ("found", "order"),
    [
        ((), []),
        # too narrow for three characters: no rows of a zone
        (((0, 0, 10, 10), (0, 50, 19, 10)), []),
        (((0, 0, 10, 10), (0, 50, 20, 10)), [1]),
        (((0, 0, 1.9, 0.4), (0, 50, 2, 0.4)), [1]),
        # the lowest is worth half of the longest; in between in proportion
        (((0, 100, 100, 10), (0, 500, 60, 10)), [1, 0]),
        (((0, 100, 100, 10), (0, 500, 45, 10)), [0, 1]),
        (((0, 100, 100, 10), (0, 500, 45, 10), (0, 300, 72, 10)), [0, 2, 1]),
        (((0, 100, 100, 10), (0, 500, 45, 10), (0, 300, 78, 10)), [2, 0, 1]),
        # what is too narrow says nothing about length, but about where top and bottom are
        (((0, 100, 100, 10), (0, 300, 80, 10), (0, 500, 5, 10)), [1, 0]),
        (((0, 100, 100, 10), (0, 300, 70, 10), (0, 500, 5, 10)), [0, 1]),
        (((0, 300, 100, 10), (0, 500, 80, 10), (0, 100, 5, 10)), [1, 0]),
        (((0, 300, 100, 10), (0, 500, 70, 10), (0, 100, 5, 10)), [0, 1]),
        # side by side at one height
        (((0, 100, 60, 10), (200, 100, 90, 10)), [1, 0]),
        # two of a kind are worth half of the longest, and no more
        (((0, 100, 80, 10), (0, 120, 80, 10), (0, 200, 110, 10), (0, 1100, 5, 10)), [1, 0, 2]),
        (((0, 100, 40, 10), (0, 120, 40, 10), (0, 500, 100, 10)), [2, 1, 0]),
        # equally likely: as they come
        (((0, 100, 60, 10), (200, 100, 60, 10)), [0, 1]),
    ],
)
def test_the_longest_and_lowest_regions_are_read_first(
    found: tuple[tuple[float, float, float, float], ...], order: list[int]
) -> None:
    assert zone_order(regions(*found)) == order


@pytest.mark.parametrize(
    ("other", "twins"),
    [
        ((500, 220, 200, 10), True),
        ((500, 180, 200, 10), True),
        ((460, 240, 200, 10), True),
        ((540, 240, 200, 10), True),
        ((459, 220, 200, 10), False),
        ((541, 220, 200, 10), False),
        # as long, but for a fifth
        ((500, 220, 160, 10), True),
        ((500, 220, 159, 10), False),
        ((500, 220, 250, 10), True),
        ((500, 220, 252, 10), False),
        # neither on one another nor far apart: 0.7 to 4 heights, the mean of both
        ((500, 207, 200, 10), True),
        ((500, 206.5, 200, 10), False),
        ((500, 193, 200, 10), True),
        ((500, 193.5, 200, 10), False),
        ((500, 240, 200, 10), True),
        ((500, 241, 200, 10), False),
        ((500, 214, 200, 30), True),
        ((500, 213, 200, 30), False),
        ((500, 280, 200, 30), True),
        ((500, 281, 200, 30), False),
    ],
)
def test_two_regions_like_rows_of_a_zone_come_before_a_lower_line(
    other: tuple[float, float, float, float], twins: bool
) -> None:
    row, lower, top, bottom = (500, 200, 200, 10), (500, 600, 200, 10), (0, 0, 5, 10), (0, 1000, 5, 10)
    order = zone_order(regions(row, other, lower, top, bottom))
    # a pair stands before the line below it, what stands alone behind it
    assert (order.index(0) < order.index(2)) is twins
    assert sorted(order) == [0, 1, 2]


@pytest.mark.parametrize(("shift", "twins"), [(30, True), (50, False)])
def test_twins_are_told_along_the_text_however_it_is_tilted(shift: float, twins: bool) -> None:
    row, other = (500, 200, 200, 10), (500 + shift, 220, 200, 10)
    found = regions(row, other, (500, 600, 200, 10), (0, 0, 5, 10), (0, 1000, 5, 10))
    tilt = (0.995, 0.0998)
    order = zone_order([TextRegion(turned(region.quad, tilt), region.score) for region in found])
    assert (order.index(0) < order.index(2)) is twins
