"""The approximate index: what it misses, and that it says so."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from fakes.vectors import ids, pairs, vectors
from vidence_server.library.search import approximate
from vidence_server.library.search.approximate import ApproximateIndex
from vidence_server.library.search.exact import ExactIndex
from vidence_server.library.search.index import MAX_K, IndexKind, VectorIndex, Vectors
from vidence_server.library.search.making import APPROXIMATE_FROM, kind_for, make_index
from vidence_server.library.search.scan import ScanThreads

pytestmark = pytest.mark.requirement("R-LI2")


@pytest.fixture(scope="module")
def scan() -> Iterator[ScanThreads]:
    with ScanThreads(2) as threads:
        yield threads


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
