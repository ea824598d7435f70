"""Figures of the capture benchmark: percentiles, sessions held, floors for what was not measured."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import pytest

from benchmarks.capture.standing import (
    FLOORS,
    Load,
    Measured,
    as_json,
    floors,
    loads_table,
    percentile,
    sessions_held,
)


def measured(load: Load, processed: int = 100, failed: int = 0) -> Measured:
    return Measured(load, 100, processed, 100 - processed - failed, failed, 20, 30, 5, 6, 12, 0.7)


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([3, 1, 2, 4], 0.5) == 2
    assert percentile([3, 1, 2, 4], 0.95) == 4
    assert percentile([7], 0.5) == 7
    assert isnan(percentile([], 0.5))


@pytest.mark.requirement("R-CA1")
def test_sessions_are_held_up_to_the_first_number_that_is_not() -> None:
    tried = [measured(Load(count, 10, 1), 100 if count != 3 else 80) for count in (1, 2, 3, 4)]
    assert sessions_held(tried, fps=10, cores=1) == 2
    assert sessions_held(tried[:2], fps=10, cores=1) == 2
    assert sessions_held(tried, fps=30, cores=1) == 0


@pytest.mark.requirement("R-CA1")
def test_a_floor_needs_a_measurement_without_failures() -> None:
    both = [measured(load) for load in FLOORS]
    assert all(floor.reached for floor in floors(both))
    assert [floor.reached for floor in floors(both[:1])] == [True, False]
    assert not floors([replace(both[0], processed=94, superseded=6), both[1]])[0].reached
    assert not floors([measured(FLOORS[0], 99, failed=1), both[1]])[0].reached


def test_table_and_json_hold_every_load() -> None:
    both = [measured(load) for load in FLOORS]
    assert "| 8 × 5 fps, 2 cores |" in loads_table(both)
    assert [entry["holds"] for entry in as_json(both)] == [True, True]
