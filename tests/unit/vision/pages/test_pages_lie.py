"""How a page lies is told by its lines; it is made straight, or left as it is."""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2, degrees

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from rendering.camera import Photograph, Stance, photograph
from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.image import Image
from vidence_server.vision.pages.lie import FLAT, lie_of
from vidence_server.vision.pages.placement import moved
from vidence_server.vision.pages.straight import MAX_PIXELS, Page, straightened
from vidence_server.vision.text import TextRegion

WIDTH, HEIGHT = 600, 800


def lines_of(rows: int = 16) -> list[Quad]:
    """Rows of two lines each, as a receipt has."""
    found = []
    for row in range(rows):
        top = 40 + row * (HEIGHT - 80) / rows
        for left, right in ((40, 300 + 7 * (row % 5)), (440, 560)):
            found.append(
                Quad(Point(left, top), Point(right, top), Point(right, top + 18), Point(left, top + 18))
            )
    return found


def seen_lines(quads: Sequence[Quad], seen: Photograph) -> list[TextRegion]:
    """The lines as a detector gives them: from the corner where writing to the right would begin."""
    return [TextRegion(in_writing_order(moved(quad, seen.matrix)), 0.9) for quad in quads]


def in_writing_order(quad: Quad) -> Quad:
    corners = list(quad.corners)
    for first in range(4):
        a, b, c, d = (corners[(first + step) % 4] for step in range(4))
        long_enough = a.distance(b) > a.distance(d)
        right, down = b.x - a.x, b.y - a.y
        if long_enough and (right > abs(down) or (down > 0 and down >= abs(right))):
            return Quad(a, b, c, d)
    raise AssertionError("a line runs to the right or down, from one of its ends")


def picture(width: int, height: int) -> Image:
    return Image(np.full((height, width, 3), 128, np.uint8), "image/png", "0" * 64)


def slopes(page: Page, regions: Sequence[TextRegion]) -> list[float]:
    found = []
    for region in regions:
        quad = page.placement.quad_on_page(region.quad)
        found.append(degrees(atan2(quad.top_right.y - quad.top_left.y, quad.top_right.x - quad.top_left.x)))
    return found


BLANK = PillowImage.new("RGB", (WIDTH, HEIGHT), "white")


@pytest.mark.requirement("R-EX4")
@pytest.mark.parametrize("tilt", [15, 30])
@pytest.mark.parametrize("towards", [0, 35, 200, 300])
@pytest.mark.parametrize("turn", [0, 12, 90, 174, 266])
def test_lines_run_to_the_right_after_it(tilt: int, towards: int, turn: int) -> None:
    seen = photograph(BLANK, Stance(tilt, towards, turn))
    regions = seen_lines(lines_of(), seen)
    lie = lie_of(regions, *seen.image.size)
    on_head = turn in (174, 266)
    page = straightened(picture(*seen.image.size), regions, lie, heads_down=on_head)
    truth = [TextRegion(moved(quad, seen.matrix), 0.9) for quad in lines_of()]
    assert max(abs(slope) for slope in slopes(page, truth)) < 1.5


@pytest.mark.requirement("R-EX4")
@settings(deadline=None)
@given(st.floats(-15, 15), st.sampled_from([0, 90, 180, 270]))
def test_a_turn_alone_is_told_to_a_tenth_of_a_degree(slope: float, turn: int) -> None:
    assume(abs(slope) > 0.01)
    seen = photograph(BLANK, Stance(turn_degrees=turn + slope))
    lie = lie_of(seen_lines(lines_of(), seen), *seen.image.size)
    assert lie.depth == 0
    assert degrees(lie.slope) == pytest.approx(slope, abs=0.1)
    assert lie.quarters == (3 if turn % 180 else 0)


@pytest.mark.requirement("R-EX4")
@settings(deadline=None)
@given(st.floats(-3, 3), st.floats(0, 30), st.integers(0, 2**32 - 1))
def test_a_page_that_lies_as_scanners_leave_it_is_left_alone(slope: float, back: float, seed: int) -> None:
    """A tilt backwards alone leaves lines parallel; corners that are a little off make no tilt."""
    seen = photograph(BLANK, Stance(back, 90, slope))
    random = np.random.default_rng(seed)
    shaken = [
        TextRegion(
            Quad(
                *(Point(c.x + random.normal(0, 0.7), c.y + random.normal(0, 0.7)) for c in one.quad.corners)
            ),
            0.9,
        )
        for one in seen_lines(lines_of(), seen)
    ]
    lie = lie_of(shaken, *seen.image.size)
    assert abs(degrees(lie.slope) - slope) < 1.5
    assert lie.tilt_degrees < 6
    assert lie_of(seen_lines(lines_of(), seen), *seen.image.size).quarters == 0


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_lines_tell_no_tilt(count: int) -> None:
    seen = photograph(BLANK, Stance(30, 0))
    lie = lie_of(seen_lines(lines_of()[:count], seen), *seen.image.size)
    assert lie.depth == 0
    assert count or lie == FLAT


@pytest.mark.requirement("R-EX7")
def test_a_page_made_anew_is_bounded() -> None:
    seen = photograph(BLANK, Stance(30, 30, 10))
    scale = 7
    regions = [
        TextRegion(Quad(*(Point(c.x * scale, c.y * scale) for c in one.quad.corners)), 0.9)
        for one in seen_lines(lines_of(), seen)
    ]
    width, height = seen.image.width * scale, seen.image.height * scale
    page = straightened(picture(width, height), regions, lie_of(regions, width, height), heads_down=False)
    assert width * height > 1.5 * MAX_PIXELS
    assert page.image.width_px * page.image.height_px <= 1.01 * MAX_PIXELS


def test_quarter_turns_keep_every_pixel() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    page = straightened(Image(pixels, "image/png", ""), [], FLAT, heads_down=True)
    assert np.array_equal(page.image.pixels, pixels[::-1, ::-1])
    assert page.picture.pixels is pixels
