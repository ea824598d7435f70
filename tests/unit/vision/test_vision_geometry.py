"""Points and quadrilaterals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.vision import box, turned
from vidence_server.vision.geometry import Point

AREA = box(10, 20, 200, 40)


def test_sides_and_centre_of_a_box() -> None:
    assert (AREA.width, AREA.height, AREA.centre) == (200, 40, Point(110, 40))


@given(degrees=st.floats(-180, 180))
def test_turning_changes_neither_sides_nor_centre(degrees: float) -> None:
    quad = turned(AREA, degrees, AREA.centre)
    assert quad.width == pytest.approx(200)
    assert quad.height == pytest.approx(40)
    assert quad.centre.distance(AREA.centre) < 1e-9


@given(start=st.floats(0, 1), end=st.floats(0, 1), degrees=st.floats(-180, 180))
def test_a_part_is_a_slice_along_the_writing(start: float, end: float, degrees: float) -> None:
    quad = turned(AREA, degrees, Point(0, 0))
    part = quad.part(start, end)
    assert part.width == pytest.approx(200 * abs(end - start), abs=1e-6)
    assert part.height == pytest.approx(40)
    assert part.top_left.distance(quad.top_left) == pytest.approx(200 * start, abs=1e-6)


def test_the_whole_is_its_own_part() -> None:
    assert AREA.part(0, 1) == AREA
