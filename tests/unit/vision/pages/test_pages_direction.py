"""Which way is up is told by what is read, and zones are never turned round."""

from __future__ import annotations

import pytest

from rendering.lines import box
from vidence_server.vision.geometry import Quad
from vidence_server.vision.pages.direction import Way, better_way, heads_down, probes, way_of
from vidence_server.vision.text import TextLine, TextRegion


def read(text: str, confidence: float) -> TextLine:
    return TextLine(0, text, confidence, box(0, 0, 100))


@pytest.mark.requirement("R-EX4")
def test_lines_read_surely_are_upright_without_a_second_reading() -> None:
    assert way_of([read("Total 12.50", 0.99), read("Thank you", 0.97)]) is Way.UPRIGHT


@pytest.mark.requirement("R-EX4")
@pytest.mark.parametrize("confidence", [0.4, 0.95])
def test_fillers_tell_the_way_of_a_zone_however_sure_the_reading_is(confidence: float) -> None:
    assert way_of([read("P<UTOERIKSSON<<ANNA<MARIA<<<<<<", confidence)]) is Way.UPRIGHT
    assert way_of([read(">>>>>>VIEVW>VNNV>>NOSSXIBEOLN>d", confidence)]) is Way.HEADS_DOWN


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [read("", 0.0), read("", 0.0)],
        [read("8008", 0.99), read("bonou leno", 0.7)],
        [read("lal o1", 0.85), read("sroq eq", 0.88)],
        [read("1", 0.99), read("0", 0.99)],
    ],
)
def test_doubt_is_doubt(lines: list[TextLine]) -> None:
    assert way_of(lines) is Way.UNSURE


def test_the_way_that_is_read_more_surely_wins_by_a_clear_lead() -> None:
    good, bad, level = (
        [read("Harbour Street", 0.95)],
        [read("leeng nnoqey", 0.6)],
        [read("Harbour 5treet", 0.93)],
    )
    assert better_way(good, bad) is Way.UPRIGHT
    assert better_way(bad, good) is Way.HEADS_DOWN
    assert better_way(good, level) is Way.UNSURE
    assert better_way([], []) is Way.UNSURE


def test_long_lines_are_asked_in_the_order_in_which_they_are_wanted() -> None:
    regions = [TextRegion(box(0, 20 * n, 10 if n % 2 else 100), 0.9) for n in range(30)]
    asked = probes(regions, list(reversed(range(30))))
    assert asked == [28, 26, 24, 22, 20, 18, 16, 14]


def test_reading_from_the_other_end_twice_is_reading_as_before() -> None:
    quad = box(3, 4, 50)
    assert heads_down(heads_down(quad)) == quad
    assert heads_down(quad) == Quad(quad.bottom_right, quad.bottom_left, quad.top_left, quad.top_right)
