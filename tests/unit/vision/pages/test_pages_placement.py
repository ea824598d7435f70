"""A place on a page is a place in the picture it was made of, there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from rendering.camera import Stance, photograph
from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.pages.placement import Placement, moved, quarter_turn

SIDE = st.integers(64, 4000)
STANCES = st.builds(Stance, st.floats(0, 30), st.floats(0, 360), st.floats(-180, 180))


def quad(x: float, y: float, width: float, height: float) -> Quad:
    return Quad(Point(x, y), Point(x + width, y), Point(x + width, y + height), Point(x, y + height))


def distance(one: Quad, other: Quad) -> float:
    return max(a.distance(b) for a, b in zip(one.corners, other.corners, strict=True))


@pytest.mark.requirement("R-EX4")
@settings(deadline=None)
@given(STANCES, st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_a_place_comes_back_to_where_it_was(stance: Stance, x: float, y: float) -> None:
    seen = photograph(PillowImage.new("RGB", (60, 40)), stance)
    onto_page = np.asarray(np.linalg.inv(seen.matrix), np.float64)
    placement = Placement.by(onto_page, *seen.image.size)
    on_page = quad(60 * x, 40 * y, 4, 2)
    in_picture = placement.quad_in_picture(on_page)
    assert distance(placement.quad_on_page(in_picture), on_page) < 1e-6
    expected = [seen.place(corner.x, corner.y) for corner in on_page.corners]
    assert all(
        corner.distance(Point(*place)) < 1e-6
        for corner, place in zip(in_picture.corners, expected, strict=True)
    )


@pytest.mark.requirement("R-EX4")
@settings(deadline=None)
@given(st.integers(-4, 4), st.integers(2, 30), st.integers(2, 30), st.data())
def test_a_quarter_turn_moves_places_as_it_moves_pixels(
    turns: int, width: int, height: int, data: st.DataObject
) -> None:
    column, row = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    pixels = np.zeros((height, width), np.uint8)
    pixels[row, column] = 1
    turned = np.rot90(pixels, -turns)
    centre = moved(quad(column, row, 1, 1), quarter_turn(turns, width, height)).centre
    found = np.argwhere(turned)[0]
    assert (centre.y - 0.5, centre.x - 0.5) == pytest.approx(tuple(found))


def test_what_lies_as_it_was_submitted_keeps_its_very_numbers() -> None:
    place = quad(1 / 3, 2 / 3, 7.1, 9.3)
    same = Placement.same(100, 50)
    assert same.quad_in_picture(place) is place
    assert same.quad_on_page(place) is place


@settings(deadline=None)
@given(STANCES)
def test_nothing_lies_outside_of_the_picture(stance: Stance) -> None:
    seen = photograph(PillowImage.new("RGB", (60, 40)), stance)
    placement = Placement.by(np.asarray(np.linalg.inv(seen.matrix), np.float64), 30, 20)
    found = placement.quad_in_picture(quad(2, 2, 56, 36))
    assert all(0 <= corner.x <= 30 and 0 <= corner.y <= 20 for corner in found.corners)
