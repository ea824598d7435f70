"""Seeded histories of the log and its broadcast under faults: every promise is judged in each of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from simulation import history
from simulation.faults import MAY_COST, Fault
from simulation.judge import PROMISES
from simulation.mutations import MUTATIONS, Mutation
from simulation.run import run_one, run_stretch

RUN = Path(__file__).with_name("run.py")
STRETCH = 50
MOST_SEEDS = 200

pytestmark = [
    pytest.mark.requirement("R-ST1"),
    pytest.mark.requirement("R-ST4"),
    pytest.mark.requirement("R-ST5"),
    pytest.mark.requirement("R-ST6"),
    pytest.mark.requirement("R-EV3"),
]


@pytest.mark.parametrize("first", range(0, 300, STRETCH))
def test_every_promise_holds_whatever_goes_wrong(first: int) -> None:
    summary = run_stretch(range(first, first + STRETCH))
    assert summary.findings == [], "replay with: tests/simulation/run.py --seed N -v"
    assert summary.events > 5 * STRETCH
    assert summary.messages > 10 * STRETCH


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_defect_is_found_within_a_few_hundred_histories(mutation: Mutation) -> None:
    with mutation.break_it():
        for seed in range(MOST_SEEDS):
            outcome = history.run(history.draw(seed))
            if mutation.found_by & {finding.promise for finding in outcome.judgement}:
                return
    pytest.fail(f"{mutation.name} was not found in {MOST_SEEDS} histories")


def test_a_few_hundred_histories_meet_every_fault() -> None:
    met: Counter[Fault] = Counter()
    for seed in range(400):
        met.update(history.draw(seed).faults())
    assert set(met) == set(Fault)
    assert min(met.values()) > 10


def test_the_same_seed_gives_the_same_history_byte_for_byte() -> None:
    # In processes of their own, with other hashes: the order of a set of strings would differ.
    outputs = [
        subprocess.run(
            [sys.executable, RUN, "--seed", "3", "84", "195", "-v"],
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            check=True,
        ).stdout
        for hashes in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) > 100


def test_different_seeds_give_different_histories() -> None:
    assert history.run(history.draw(1)).lines != history.run(history.draw(2)).lines


def test_a_failing_seed_is_replayed_with_its_findings(capsys: pytest.CaptureFixture[str]) -> None:
    mutation = next(mutation for mutation in MUTATIONS if "PersistedFirst" in mutation.found_by)
    with mutation.break_it():
        seed = next(seed for seed in range(20) if history.run(history.draw(seed)).judgement)
        assert run_one(seed, verbose=True) == 1
    printed = capsys.readouterr().out
    assert "PersistedFirst: offset" in printed
    assert "server: broadcasts" in printed


def test_promises_and_costs_name_what_there_is() -> None:
    named = set().union(*(mutation.found_by for mutation in MUTATIONS))
    validators = {
        "Ordered",
        "Unique",
        "Reliable",
        "Resumable",
        "Bookmarkable",
        "Filtered",
        "Chained",
        "Terminated",
    }
    assert named <= set(PROMISES) | validators
    assert set(MAY_COST) <= set(Fault)
