"""From what was measured to the figures that are published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from math import nan
from statistics import median
from typing import Any

from benchmarks.batch.contest import LiveRound, Measured, Plan, Round
from benchmarks.report import Floor, table

SPEED_UP_FLOOR, SPEED_UP_AIM = 1.67, 1.8
FIRST_RESULT_LIMIT = 1.2
OVERHEAD_LIMIT = 0.05
LIVE_LIMIT = 1.1


def _of_rounds(measured: Measured, figure: Callable[[Round], float]) -> float:
    """Median over the rounds."""
    return median(map(figure, measured.rounds)) if measured.rounds else nan


def _live(measured: Measured, figure: Callable[[LiveRound], float]) -> float:
    """Median over the rounds."""
    return median(map(figure, measured.live)) if measured.live else nan


def speed_up(measured: Measured) -> float:
    """Median over the rounds of one worker's time divided by that of two in the same round."""
    both = zip(measured.one_worker_s, measured.two_workers_s, strict=True)
    return median(one / two for one, two in both) if measured.one_worker_s else nan


def longest_step_s(measured: Measured) -> float:
    """Mean run of the model whose runs are longest."""
    return max(measured.steps_s.values(), default=nan)


def live_limit(measured: Measured) -> float:
    """What a reading beside a batch may take, in readings without one: 10 % and one model step more."""
    return LIVE_LIMIT + _live(measured, lambda one: longest_step_s(measured) / one.alone_s)


def floors(measured: Measured) -> list[Floor]:
    """What must hold; what was not measured does not."""
    return [
        Floor("speed with 2 worker processes / with 1", speed_up(measured), SPEED_UP_FLOOR),
        Floor(
            "first result of a batch / a single reading",
            _of_rounds(measured, lambda one: one.first_result_s / one.single_s),
            FIRST_RESULT_LIMIT,
            at_most=True,
        ),
        Floor(
            "batch / the pipeline called directly, minus 1",
            _of_rounds(measured, lambda one: one.batch_s / one.direct_s - 1),
            OVERHEAD_LIMIT,
            at_most=True,
        ),
        Floor(
            "a single reading beside a batch / without one (limit: 1.1 + one model step)",
            _live(measured, lambda one: one.beside_s / one.alone_s),
            live_limit(measured),
            at_most=True,
        ),
    ]


def tables(measured: Measured, plan: Plan) -> str:
    """The figures as Markdown."""
    rows: list[tuple[str, float]] = [
        (
            f"pipeline called directly, {plan.items} pages, ms a page",
            _of_rounds(measured, lambda one: 1000 * one.direct_s / plan.items),
        ),
        (
            f"batch of {plan.items} pages, ms a page",
            _of_rounds(measured, lambda one: 1000 * one.batch_s / plan.items),
        ),
        ("first result of it, ms", _of_rounds(measured, lambda one: 1000 * one.first_result_s)),
        ("a single reading, ms", _of_rounds(measured, lambda one: 1000 * one.single_s)),
        ("single readings, nothing else running, ms", _live(measured, lambda one: 1000 * one.alone_s)),
        ("single readings beside a batch, ms", _live(measured, lambda one: 1000 * one.beside_s)),
        ("longest model step, ms", 1000 * longest_step_s(measured)),
        (
            f"1 worker process, {plan.shared_items} pages, ms a page",
            1000 * median(measured.one_worker_s or [nan]) / plan.shared_items,
        ),
        (
            f"2 worker processes, {plan.shared_items} pages, ms a page",
            1000 * median(measured.two_workers_s or [nan]) / plan.shared_items,
        ),
    ]
    return table(["", "median of the rounds"], [[name, f"{value:,.0f}"] for name, value in rows])


def verdict(measured: Measured) -> str:
    """Whether the aim, above the floor, was reached too."""
    reached = "reached" if speed_up(measured) >= SPEED_UP_AIM else "not reached"
    return f"{SPEED_UP_AIM} × with two workers, {reached}: {speed_up(measured):.2f} ×"


def as_json(measured: Measured) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "rounds": [asdict(one) for one in measured.rounds],
        "live": [asdict(one) for one in measured.live],
        "one_worker_s": measured.one_worker_s,
        "two_workers_s": measured.two_workers_s,
        "steps_s": dict(measured.steps_s),
        "speed_up": speed_up(measured),
    }
