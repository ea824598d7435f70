"""Figures of the library's benchmark: medians, ratios by round, recall, floors for what was not measured."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from benchmarks.library.contenders import NUMPY, OURS, USEARCH
from benchmarks.library.contest import KS, Measured, Plan, Size
from benchmarks.library.service import Service
from benchmarks.library.standing import as_json, floors, milliseconds, ratio, recall, rows_per_s, tables
from benchmarks.peers.vectors.data import pieces, query

SIZE = Size(1000, 8)


def measured(**rounds: list[list[float]]) -> Measured:
    made = Measured()
    for name, seconds in rounds.items():
        full = {"ours": OURS, "numpy": NUMPY, "usearch": USEARCH}[name]
        made.filled[full, SIZE] = {
            "ready": name,
            "ingest_s": 0.5,
            "memory_bytes": 32_000_000,
            "disk_bytes": 0,
        }
        for k in KS:
            made.seconds[full, SIZE, k] = seconds
            made.recalls[full, SIZE, k] = [1.0, 0.5]
    return made


def test_a_disturbed_query_and_a_disturbed_round_do_not_count() -> None:
    one = measured(ours=[[0.001, 0.001, 9.0], [0.002, 0.002, 0.002], [5.0, 5.0, 5.0]])
    assert milliseconds(one, OURS, SIZE, 10) == pytest.approx(2)


def test_ratios_are_made_within_rounds() -> None:
    both = measured(ours=[[0.002], [0.2], [0.003]], numpy=[[0.001], [0.1], [0.003]])
    assert ratio(both, OURS, NUMPY, SIZE, 10) == pytest.approx(2)
    assert isnan(ratio(both, OURS, USEARCH, SIZE, 10))


def test_recall_and_rates_are_told() -> None:
    one = measured(ours=[[0.001]])
    assert recall(one, OURS, SIZE) == 0.75
    assert rows_per_s(one, OURS, SIZE) == 2000
    assert isnan(rows_per_s(one, NUMPY, SIZE))


def test_what_was_not_measured_reaches_no_floor() -> None:
    plan = Plan(sizes=(SIZE,), served=(SIZE,))
    wanted = floors(measured(ours=[[0.001]], numpy=[[0.001]]), plan, Service())
    failed = {floor.name for floor in wanted if not floor.reached}
    assert {
        f"recall of {OURS}, {SIZE}",
        f"first hit of k = 1000 through the RPC, {SIZE}, ms",
        f"RPC / in the process, minus 1, last hit of k = 1000, {SIZE}",
    } <= failed
    assert f"search, {OURS} / {NUMPY}, {SIZE}, k = 10" not in failed
    fast = Service(searches={(SIZE, 1000, "first_hit_ms"): 19.0, (SIZE, 1000, "overhead"): 0.1})
    assert all(floor.reached for floor in floors(Measured(), Plan(sizes=(), served=(SIZE,)), fast))


def test_tables_and_json_hold_every_contender() -> None:
    both = measured(ours=[[0.001]], numpy=[[0.001]])
    plan = Plan(sizes=(SIZE,), served=(SIZE,))
    text = tables(both, plan, Service(searches={(SIZE, 10, "first_hit_ms"): 4.321}))
    assert "4.32" in text
    assert f"| {OURS}" in text
    assert f"| {NUMPY}" in text
    assert set(as_json(both, Service())["filled"]) == {f"{OURS}, {SIZE}", f"{NUMPY}, {SIZE}"}


def test_all_processes_see_the_same_vectors() -> None:
    whole = np.concatenate([vectors for _, vectors in pieces(25_000, 4)])
    assert [first for first, _ in pieces(25_000, 4)] == [0, 10_000, 20_000]
    assert whole.shape == (25_000, 4)
    assert np.linalg.norm(whole, axis=1) == pytest.approx(np.ones(25_000), abs=1e-5)
    assert query(3, 4).tolist() == query(3, 4).tolist() != query(4, 4).tolist()


def test_a_million_vectors_are_asked_less() -> None:
    assert Plan(queries=20).queries_of(Size(1_000_000, 128)) == 5
    assert Plan(queries=20).queries_of(SIZE) == 20
