"""Indexes of vectors: exact beside brute force, whatever was changed; approximate beside exact."""

from __future__ import annotations

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

from fakes.vectors import ids, pairs, vectors
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.search import approximate, exact, rows
from vidence_server.library.search.exact import ExactIndex
from vidence_server.library.search.index import MAX_K, Ids, IndexKind, Vectors
from vidence_server.library.search.making import make_index
from vidence_server.library.search.ranking import NOT_FOUND, best
from vidence_server.library.search.scan import ScanThreads

pytestmark = pytest.mark.requirement("R-LI2")

KINDS = list(IndexKind)


@pytest.fixture(scope="module")
def scan() -> Iterator[ScanThreads]:
    with ScanThreads(2) as threads:
        yield threads


def brute_force(kept: dict[int, Vectors], query: Vectors, k: int) -> list[tuple[int, float]]:
    """The definition in double precision."""
    unit = query.astype(float) / np.linalg.norm(query.astype(float))
    scored = [(no, float(v.astype(float) @ unit / np.linalg.norm(v.astype(float)))) for no, v in kept.items()]
    return sorted(scored, key=lambda hit: (-hit[1], hit[0]))[:k]


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
