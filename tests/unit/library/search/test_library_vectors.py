"""Indexes of vectors: exact beside brute force, whatever was changed; approximate beside exact."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.search import approximate, exact, rows
from vidence_server.library.search.approximate import ApproximateIndex
from vidence_server.library.search.exact import ExactIndex
from vidence_server.library.search.index import MAX_K, Ids, IndexKind, Scores, VectorIndex, Vectors
from vidence_server.library.search.making import APPROXIMATE_FROM, kind_for, make_index
from vidence_server.library.search.ranking import NOT_FOUND, best
from vidence_server.library.search.scan import ScanThreads

pytestmark = pytest.mark.requirement("R-LI2")

KINDS = list(IndexKind)


def vectors(count: int, dimensions: int = 8, seed: int = 1) -> Vectors:
    return np.random.default_rng(seed).standard_normal((count, dimensions), dtype=np.float32)


def ids(*numbers: int) -> Ids:
    return np.array(numbers, np.int64)


def brute_force(kept: dict[int, Vectors], query: Vectors, k: int) -> list[tuple[int, float]]:
    """The definition in double precision."""
    unit = query.astype(float) / np.linalg.norm(query.astype(float))
    scored = [(no, float(v.astype(float) @ unit / np.linalg.norm(v.astype(float)))) for no, v in kept.items()]
    return sorted(scored, key=lambda hit: (-hit[1], hit[0]))[:k]


def pairs(found: tuple[Ids, Scores]) -> list[tuple[int, float]]:
    return list(zip(found[0].tolist(), found[1].tolist(), strict=True))


@pytest.fixture(scope="module")
def scan() -> Iterator[ScanThreads]:
    with ScanThreads(2) as threads:
        yield threads


@given(
    st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0, -np.inf]), max_size=30),
    st.integers(1, 40),
    st.randoms(use_true_random=False),
)
def test_the_best_are_the_highest_and_ties_go_by_id(scores: list[float], k: int, random: object) -> None:
    numbers = np.random.default_rng(len(scores)).permutation(100)[: len(scores)].astype(np.int64)
    right = sorted(
        (-score, int(no)) for score, no in zip(scores, numbers, strict=True) if score != NOT_FOUND
    )[:k]
    found = best(np.array(scores, np.float32), numbers, k)
    assert [(-score, no) for no, score in pairs(found)] == right


class ExactIndexes(RuleBasedStateMachine):
    """Any history of changes leaves an index that answers like a plain dictionary."""

    @initialize()
    def begin(self) -> None:
        self.index = ExactIndex(3, ScanThreads(1))
        self.kept: dict[int, Vectors] = {}
        self.random = np.random.default_rng(7)

    @rule(numbers=st.lists(st.integers(0, 60), max_size=25))
    def add(self, numbers: list[int]) -> None:
        added = self.random.integers(-2, 3, (len(numbers), 3)).astype(np.float32)
        added[~added.any(axis=1)] = 1
        self.index.add(ids(*numbers), added)
        self.kept |= dict(zip(numbers, added, strict=True))

    @rule(numbers=st.lists(st.integers(0, 70), max_size=25))
    def remove(self, numbers: list[int]) -> None:
        self.index.remove(ids(*numbers))
        for no in numbers:
            self.kept.pop(no, None)

    @rule(k=st.integers(1, 80), allowed=st.none() | st.sets(st.integers(0, 80)))
    def search(self, k: int, allowed: set[int] | None) -> None:
        query = np.array([1, 2, -1], np.float32)
        wanted = None if allowed is None else ids(*sorted(allowed))
        found = pairs(self.index.search(query, k, wanted))
        passed = {no: v for no, v in self.kept.items() if allowed is None or no in allowed}
        right = brute_force(passed, query, len(passed))
        # Rounding may tell apart what is equal, and the other way round: near scores may change places.
        assert len(found) == min(k, len(right))
        scores = dict(right)
        assert [score for _, score in found] == pytest.approx([score for _, score in right[:k]], abs=1e-6)
        assert all(score == pytest.approx(scores[no], abs=1e-6) for no, score in found)
        assert found == sorted(found, key=lambda hit: (-hit[1], hit[0]))

    @invariant()
    def count(self) -> None:
        assert self.index.count == len(self.kept)
        assert self.index.statistics().capacity >= self.index.count


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that happens to many rows happens to few."""
    monkeypatch.setattr(rows, "_FIRST_BLOCK_ROWS", 4)
    monkeypatch.setattr(rows, "_LARGEST_BLOCK_BYTES", 16 * 4 * 3)
    monkeypatch.setattr(rows, "_UNSORTED_ROWS", 5)
    monkeypatch.setattr(exact, "_MOST_DEAD", 10)
    monkeypatch.setattr(exact, "_LEAST_ROWS_PER_THREAD", 3)
    monkeypatch.setattr(exact, "_GATHERED_ROWS", 4)
    monkeypatch.setattr(approximate, "_ADDED_AT_ONCE", 16)


@pytest.mark.usefixtures("small")
def test_an_exact_index_answers_like_a_dictionary() -> None:
    run_state_machine_as_test(
        ExactIndexes, settings=settings(max_examples=60, stateful_step_count=25, deadline=None)
    )


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("k", [1, 10, 150, MAX_K])
def test_exact_search_in_threads_equals_brute_force(scan: ScanThreads, k: int) -> None:
    index = ExactIndex(8, scan)
    given_vectors = vectors(150)
    index.add(np.arange(150), given_vectors)
    query = vectors(1, seed=2)[0]
    right = brute_force(dict(enumerate(given_vectors)), query, k)
    found = pairs(index.search(query, k))
    assert [no for no, _ in found] == [no for no, _ in right]
    assert [score for _, score in found] == pytest.approx([score for _, score in right], abs=1e-6)
    some = np.arange(0, 150, 7)
    right = brute_force({int(no): given_vectors[no] for no in some}, query, k)
    assert [no for no, _ in pairs(index.search(query, k, some))] == [no for no, _ in right]


def test_the_order_does_not_depend_on_how_the_index_came_about() -> None:
    given_vectors = np.repeat(vectors(400, 384), 3, axis=0)
    order = np.random.default_rng(3).permutation(1200)
    query = vectors(1, 384, seed=4)[0]
    at_once, shuffled = ExactIndex(384, ScanThreads(1)), ExactIndex(384, ScanThreads(1))
    at_once.add(np.arange(1200), given_vectors)
    for part in np.array_split(order, 100):
        shuffled.add(part, vectors(len(part), 384))
        shuffled.add(part, given_vectors[part])
    first, second = at_once.search(query, 700), shuffled.search(query, 700)
    assert first[0].tolist() == second[0].tolist()
    assert first[1].tobytes() == second[1].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_cosines_whatever_the_lengths(kind: IndexKind) -> None:
    index = make_index(kind, 2)
    index.add(ids(1, 2, 3), np.array([[3, 0], [0, 1e-3], [-5, 0]], np.float32))
    found = pairs(index.search(np.array([100, 0], np.float32), 3))
    assert found == [(1, 1.0), (2, 0.0), (3, -1.0)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("numbers", "added"),
    [
        (ids(1), np.zeros((1, 4), np.float32)),
        (ids(1), np.full((1, 4), np.nan, np.float32)),
        (ids(1), np.full((1, 4), np.inf, np.float32)),
        (ids(1), np.full((1, 4), 1e30, np.float32)),
        (ids(1), np.ones((1, 5), np.float32)),
        (ids(1, 2), np.ones((1, 4), np.float32)),
        (ids(-1), np.ones((1, 4), np.float32)),
        (ids(1), np.ones(4, np.float32)),
    ],
)
def test_wrong_vectors_are_refused_and_none_is_added(kind: IndexKind, numbers: Ids, added: Vectors) -> None:
    index = make_index(kind, 4)
    with pytest.raises(DomainError) as caught:
        index.add(numbers, added)
    assert caught.value.reason is Reason.REQUEST_INVALID
    assert index.count == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("query", "k"),
    [
        (np.ones(4, np.float32), 0),
        (np.ones(4, np.float32), MAX_K + 1),
        (np.ones(5, np.float32), 1),
        (np.zeros(4, np.float32), 1),
    ],
)
def test_wrong_searches_are_refused(kind: IndexKind, query: Vectors, k: int) -> None:
    with pytest.raises(DomainError) as caught:
        make_index(kind, 4).search(query, k)
    assert caught.value.reason is Reason.REQUEST_INVALID


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_index_finds_nothing(kind: IndexKind) -> None:
    index = make_index(kind, 4)
    index.add(ids(), np.empty((0, 4), np.float32))
    index.remove(ids(1, 2))
    assert pairs(index.search(np.ones(4, np.float32), 10)) == []
    assert pairs(index.search(np.ones(4, np.float32), 10, ids(1))) == []


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_vectors_with_one_id_the_last_holds(kind: IndexKind) -> None:
    index = make_index(kind, 2)
    index.add(ids(5, 3, 5), np.array([[1, 0], [0, 1], [-1, 0]], np.float32))
    assert index.count == 2
    assert pairs(index.search(np.array([1, 0], np.float32), 2)) == [(3, 0.0), (5, -1.0)]


def test_removed_vectors_give_their_memory_back() -> None:
    index = ExactIndex(64, ScanThreads(1))
    index.add(np.arange(20_000), vectors(20_000, 64))
    full = index.statistics()
    index.remove(np.arange(19_000))
    left = index.statistics()
    assert (left.count, full.count) == (1000, 20_000)
    assert left.size_bytes < full.size_bytes / 4
    assert pairs(index.search(np.ones(64, np.float32), 1, np.arange(19_000))) == []
    assert len(index.search(np.ones(64, np.float32), MAX_K)[0]) == 1000


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", KINDS)
def test_searches_see_one_state_while_vectors_are_replaced(kind: IndexKind, scan: ScanThreads) -> None:
    """Every id is there before and after each replacement, so every search finds all of them, once."""
    index = make_index(kind, 8, scan)
    index.add(np.arange(60), vectors(60))
    failures: list[str] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            found, _ = index.search(np.ones(8, np.float32), 100)
            some, _ = index.search(np.ones(8, np.float32), 100, np.arange(5, 15))
            few, _ = index.search(np.ones(8, np.float32), 3)
            if sorted(found.tolist()) != list(range(60)) or sorted(some.tolist()) != list(range(5, 15)):
                failures.append(f"{len(found)} {len(some)}")
            if len(few) != 3:
                failures.append(f"{len(few)} of 3")

    searching = [threading.Thread(target=search) for _ in range(2)]
    for thread in searching:
        thread.start()
    for number in range(60):
        chosen = np.random.default_rng(number).permutation(60)[:30]
        index.add(chosen, vectors(30, seed=number))
    done.set()
    for thread in searching:
        thread.join()
    assert failures == []
    assert index.count == 60


def clustered(count: int, dimensions: int = 32) -> Vectors:
    """Vectors around a hundred centres, as embeddings lie; random directions have no neighbours."""
    random = np.random.default_rng(5)
    centres = random.standard_normal((100, dimensions), dtype=np.float32)
    return centres[random.integers(0, 100, count)] + 0.3 * random.standard_normal(
        (count, dimensions), dtype=np.float32
    )


def test_an_approximate_index_misses_few_and_tells_how_few(scan: ScanThreads) -> None:
    index = ApproximateIndex(32, scan)
    index.add(np.arange(5000), clustered(5000))
    assert index.statistics().recall is None
    recall = index.measure_recall(50, 10)
    assert 0.9 <= recall <= 1
    assert index.statistics().recall == recall
    assert index.statistics().kind is IndexKind.APPROXIMATE
    assert index.statistics().size_bytes > 5000 * 32 * 6


def test_measured_recall_is_the_share_of_true_neighbours_found(monkeypatch: pytest.MonkeyPatch) -> None:
    index = ApproximateIndex(16, ScanThreads(1))
    index.add(np.arange(500), vectors(500, 16))
    exact_index = ExactIndex(16, ScanThreads(1))
    exact_index.add(np.arange(0, 500, 2), vectors(500, 16)[::2])
    # A graph that knows every second vector only.
    monkeypatch.setattr(index, "_by_graph", exact_index.search_checked)
    true = ExactIndex(16, ScanThreads(1))
    true.add(np.arange(500), vectors(500, 16))
    shares = []
    for own in np.linspace(0, 499, 20, dtype=np.int64):
        near = [no for no, _ in pairs(true.search(vectors(500, 16)[own], 11)) if no != own][:10]
        shares.append(sum(no % 2 == 0 for no in near) / 10)
    assert index.measure_recall(20, 10) == pytest.approx(np.mean(shares), abs=0.051)


def test_approximate_hits_have_exact_scores_and_order(scan: ScanThreads) -> None:
    given_vectors = clustered(3000)
    found, right = (make_index(kind, 32, scan) for kind in (IndexKind.APPROXIMATE, IndexKind.EXACT))
    for index in (found, right):
        index.add(np.arange(3000), given_vectors)
    true = dict(pairs(right.search(given_vectors[7], MAX_K)))
    hits = pairs(found.search(given_vectors[7], 20))
    assert hits[0] == (7, true[7])
    assert pairs(found.search_exact(given_vectors[7], 20)) == pairs(right.search_exact(given_vectors[7], 20))
    assert hits == sorted(((no, true[no]) for no, _ in hits), key=lambda hit: (-hit[1], hit[0]))


@pytest.mark.parametrize("k", [approximate.MOST_HITS + 1, 200])
def test_what_a_graph_is_no_help_for_is_searched_exactly(scan: ScanThreads, k: int) -> None:
    given_vectors = clustered(1500)
    found, right = (make_index(kind, 32, scan) for kind in (IndexKind.APPROXIMATE, IndexKind.EXACT))
    for index in (found, right):
        index.add(np.arange(1500), given_vectors)
    query = vectors(1, 32)[0]
    some = np.arange(3, 1500, 100)
    assert pairs(found.search(query, k)) == pairs(right.search(query, k))
    assert pairs(found.search(query, 5, some)) == pairs(right.search(query, 5, some))


def test_removed_and_replaced_vectors_are_not_found_by_the_graph(scan: ScanThreads) -> None:
    given_vectors = clustered(2000)
    index = ApproximateIndex(32, scan)
    index.add(np.arange(2000), given_vectors)
    index.remove(ids(10, 5000))
    index.add(ids(11), -given_vectors[11:12])
    assert index.count == 1999
    near = index.search(given_vectors[10], 20)[0].tolist()
    assert 10 not in near
    assert index.search(-given_vectors[11], 1)[0].tolist() == [11]
    assert 11 not in index.search(given_vectors[11], 20)[0].tolist()


@pytest.mark.parametrize("count", [0, 1])
def test_there_is_nothing_to_miss_among_one(count: int) -> None:
    index = ApproximateIndex(4, ScanThreads(1))
    index.add(np.arange(count), vectors(count, 4))
    assert index.measure_recall(10, 10) == 1.0


def test_many_vectors_get_a_graph() -> None:
    assert kind_for(APPROXIMATE_FROM - 1) is IndexKind.EXACT
    assert kind_for(APPROXIMATE_FROM) is IndexKind.APPROXIMATE
    index: VectorIndex = make_index(IndexKind.EXACT, 4)
    assert index.statistics().recall == 1.0


def test_scans_run_at_once_and_keep_their_order() -> None:
    barrier = threading.Barrier(3)

    def meet(number: int) -> int:
        barrier.wait(10)
        return number

    with ScanThreads(3) as threads:
        assert threads.map(meet, [3, 1, 2]) == [3, 1, 2]
    assert ScanThreads(3).map(abs, [-1, -2]) == [1, 2]
    with pytest.raises(ValueError, match="one thread"):
        ScanThreads(0)


@pytest.mark.parametrize(
    "order", [("graph", "onnxruntime"), ("onnxruntime", "graph"), ("cv2", "graph", "onnxruntime")]
)
def test_a_graph_and_the_models_live_in_one_process_whichever_comes_first(order: tuple[str, ...]) -> None:
    """The wheel of usearch, loaded first and alone, makes ONNX Runtime crash when it is loaded."""
    graph = "from vidence_server.library.search.graph import new_graph; new_graph(4)"
    lines = [graph if name == "graph" else f"import {name}" for name in order]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False, timeout=60)
    assert done.returncode == 0


def test_exact_search_needs_no_graph() -> None:
    code = (
        "import sys\nfrom vidence_server.library.search.making import IndexKind, make_index\n"
        "make_index(IndexKind.EXACT, 4)\nassert 'usearch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
