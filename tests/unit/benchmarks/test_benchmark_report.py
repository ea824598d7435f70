"""Tables, floors and the figures made of rounds."""

from __future__ import annotations

import math

import pytest

from benchmarks.machine import CpuTimes
from benchmarks.ocr.contest import Measured
from benchmarks.ocr.pictures import receipt_lines
from benchmarks.ocr.standing import best_pair, inside, ratio
from benchmarks.report import Floor, table


def test_a_floor_is_reached_by_its_own_value_and_missed_below() -> None:
    assert Floor("speed", 1.5, 1.5).reached
    assert not Floor("speed", 1.49, 1.5).reached


def test_a_ceiling_is_missed_above_its_value() -> None:
    assert Floor("errors", 0.1, 0.1, at_most=True).reached
    assert not Floor("errors", 0.11, 0.1, at_most=True).reached


@pytest.mark.parametrize("at_most", [True, False])
def test_a_figure_that_could_not_be_measured_reaches_no_floor(at_most: bool) -> None:
    floor = Floor("speed", math.nan, 1.5, at_most=at_most)
    assert not floor.reached
    assert str(floor).startswith("FAIL")


def test_tables_align_numbers_to_the_right() -> None:
    assert table(["engine", "ms"], [["a", "5"], ["longer", "1234"]]) == (
        "| engine |   ms |\n| ------ | ---: |\n| a      |    5 |\n| longer | 1234 |"
    )


def test_speed_is_the_median_over_rounds_so_one_disturbed_round_does_not_count() -> None:
    assert ratio([10, 10, 90], [5, 4, 5]) == 2.5


def test_a_peer_is_judged_by_the_faster_of_its_modes() -> None:
    assert best_pair(Measured([3.0, 3.0], [2.0, 2.0])) == ([2.0, 2.0], False)
    assert best_pair(Measured([1.0, 1.0], [2.0, 2.0])) == ([1.0, 1.0], True)


def test_overhead_is_what_streaming_takes_longer_than_the_direct_call() -> None:
    direct = Measured([2.0, 2.0], [1.0, 1.0])
    direct.extra.update(session_seconds=3.0, call_seconds=1.0, workers=8.0)
    streamed = Measured([2.2, 2.2], [1.05, 1.05])
    streamed.extra["first_line_seconds"] = 1.0
    own = inside(direct, streamed, pictures=2)
    assert own.overhead == pytest.approx(0.1)
    assert own.overhead_pair == pytest.approx(0.05)
    assert (own.session_s, own.session_share, own.bound_s) == pytest.approx((0.75, 0.75, 0.375))
    assert own.busy == pytest.approx(0.375)


def test_the_truth_of_a_receipt_may_hold_commas() -> None:
    (line,) = receipt_lines("1,2,9,2,9,8,1,8,NO. 5, ROAD, CITY\n\n")
    assert line.text == "NO. 5, ROAD, CITY"
    assert line.box == (1.0, 2.0, 9.0, 8.0)


def test_work_of_others_is_what_is_left_of_the_busy_time() -> None:
    before, after = CpuTimes(100.0, 500.0, 10.0), CpuTimes(160.0, 540.0, 50.0)
    assert before.others_share(after) == pytest.approx(0.2)


def test_own_work_is_none_of_others() -> None:
    before, after = CpuTimes(100.0, 500.0, 10.0), CpuTimes(150.0, 550.0, 61.0)
    assert before.others_share(after) == 0.0
