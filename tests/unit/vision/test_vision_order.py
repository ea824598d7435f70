"""Reading order: rows and their members, on tilted pages too."""

from __future__ import annotations

import random
from math import degrees, radians

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.vision import box, region, turned
from vidence_server.vision.geometry import Point
from vidence_server.vision.ocr.order import page_angle, reading_order
from vidence_server.vision.text import TextRegion

CENTRE = Point(400, 300)


def table(rows: int, columns: int, tilt: float = 0.0) -> list[TextRegion]:
    """Cells row by row: 120 × 24 px, 200 px apart across and 40 px down."""
    cells = [box(200 * column, 40 * row, 120, 24) for row in range(rows) for column in range(columns)]
    return [region(turned(cell, tilt, CENTRE)) for cell in cells]


def test_nothing_has_an_order_and_no_direction() -> None:
    assert reading_order(()) == ()
    assert page_angle(()) == 0.0


@given(
    rows=st.integers(1, 7),
    columns=st.integers(1, 4),
    tilt=st.floats(-12, 12),
    seed=st.integers(0, 1000),
)
def test_rows_are_read_from_top_to_bottom_and_left_to_right(
    rows: int, columns: int, tilt: float, seed: int
) -> None:
    cells = table(rows, columns, tilt)
    mixed = random.Random(seed).sample(cells, len(cells))
    assert reading_order(mixed) == tuple(cells)


@given(tilt=st.floats(-40, 40))
def test_the_direction_of_a_page_is_found(tilt: float) -> None:
    assert degrees(page_angle(table(3, 2, tilt))) == pytest.approx(tilt, abs=0.01)


def test_one_crooked_region_does_not_turn_the_page() -> None:
    cells = [*table(4, 2), region(turned(box(0, 200, 60, 20), 35, CENTRE))]
    assert page_angle(cells) == pytest.approx(radians(0), abs=1e-6)


def test_large_and_small_text_of_one_row_stay_together() -> None:
    label, value, below = box(0, 10, 80, 16), box(100, 0, 200, 36), box(0, 50, 80, 16)
    regions = [region(q) for q in (below, value, label)]
    assert [r.quad for r in reading_order(regions)] == [label, value, below]


def test_lines_that_touch_are_different_rows() -> None:
    upper, lower = box(0, 0, 300, 24), box(4, 20, 300, 24)
    assert [r.quad for r in reading_order([region(lower), region(upper)])] == [upper, lower]


def test_no_region_is_lost_or_doubled() -> None:
    rng = random.Random(5)
    regions = [
        region(box(rng.uniform(0, 700), rng.uniform(0, 500), rng.uniform(5, 300), rng.uniform(5, 60)))
        for _ in range(200)
    ]
    ordered = reading_order(regions)
    assert sorted(map(id, ordered)) == sorted(map(id, regions))
