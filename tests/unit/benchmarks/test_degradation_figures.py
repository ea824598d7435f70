"""What spoilt pictures keep of what is read in them as they are."""

from __future__ import annotations

from math import isnan

import pytest

from benchmarks.degradation.run import Judged, floors, kept, miss_lines, share, shares_table
from benchmarks.degradation.steps import STEPS

UPRIGHT = next(step for step in STEPS if step.group == "none")
TILTED = next(step for step in STEPS if step.group == "tilt")


def judged(case: str, *, missed: int, tilted: bool = False, kind: str = "passport") -> Judged:
    """A picture with ten fields."""
    return Judged(case, kind, TILTED if tilted else UPRIGHT, 10, tuple(f"field {n}" for n in range(missed)))


@pytest.mark.requirement("R-EX4")
def test_what_one_picture_gains_makes_up_for_nothing_that_another_loses() -> None:
    upright = [judged("a", missed=0), judged("b", missed=5)]
    moved = [judged("a", missed=5, tilted=True), judged("b", missed=0, tilted=True)]
    assert share(moved) == share(upright)
    assert kept(upright, moved) == pytest.approx(10 / 15)


@pytest.mark.requirement("R-EX4")
def test_the_floor_fails_where_too_much_is_lost_and_without_anything_to_keep() -> None:
    whole = judged("a", missed=0)
    (held,) = floors([whole, judged("a", missed=0, tilted=True)])
    (lost,) = floors([whole, judged("a", missed=1, tilted=True)])
    (nothing,) = floors([judged("a", missed=10), judged("a", missed=0, tilted=True)])
    assert (held.value, held.reached) == (1.0, True)
    assert lost.value == pytest.approx(0.9)
    assert not lost.reached
    assert isnan(nothing.value)
    assert not nothing.reached


@pytest.mark.requirement("R-EX4")
def test_the_table_tells_the_shares_as_they_are_real_pictures_included() -> None:
    found = [judged("a", missed=5), judged("r", missed=0, kind="real zones")]
    assert "50%" in shares_table(found)
    assert "75.0%" in shares_table(found)
    assert not floors(found)


def test_many_misses_of_one_picture_are_counted_behind_the_first_three() -> None:
    (told,) = miss_lines([judged("a", missed=5)])
    assert told.endswith("field 0; field 1; field 2; and 2 more")
