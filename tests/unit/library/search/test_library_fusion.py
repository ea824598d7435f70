"""Rankings made one: by ranks, explained, always in the same order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.search.fusion import Part, Ranking, fuse

pytestmark = pytest.mark.requirement("R-LI2")


def ranking(name: str, *ids: int) -> Ranking:
    return Ranking(name, np.array(ids, np.int64), np.linspace(0.75, 0.25, len(ids), dtype=np.float32))


def test_a_hit_of_both_rankings_is_before_the_first_of_one() -> None:
    fused = fuse([ranking("semantic", 7, 3, 5), ranking("lexical", 4, 3)], 10)
    assert fused.ids.tolist() == [3, 4, 7, 5]
    assert fused.scores.tolist() == pytest.approx([2 / 62, 1 / 61, 1 / 61, 1 / 63])
    assert fused.scores.dtype == np.float32


def test_every_score_is_explained() -> None:
    fused = fuse(
        [ranking("semantic", 7, 3), ranking("lexical", 3)], 10, constant=0, weights={"semantic": 2.0}
    )
    assert fused.explain(3) == (
        Part("semantic", 2, 0.25, 2.0, 1.0),
        Part("lexical", 1, 0.75, 1.0, 1.0),
    )
    assert [part.name for part in fused.explain(7)] == ["semantic"]
    with pytest.raises(KeyError):
        fused.explain(1)


def test_a_ranking_without_weight_gives_no_hits() -> None:
    fused = fuse([ranking("semantic", 1), ranking("lexical", 2)], 10, weights={"semantic": 0.0})
    assert fused.ids.tolist() == [2]


def test_nothing_fused_is_nothing() -> None:
    assert fuse([], 10).ids.tolist() == []
    assert fuse([ranking("semantic")], 10).ids.dtype == np.int64


@pytest.mark.parametrize(
    ("constant", "weight"), [(-1.0, 1.0), (float("nan"), 1.0), (60.0, -1.0), (60.0, float("inf"))]
)
def test_wrong_weights_are_refused(constant: float, weight: float) -> None:
    with pytest.raises(DomainError) as caught:
        fuse([ranking("semantic", 1)], 10, constant=constant, weights={"semantic": weight})
    assert caught.value.reason is Reason.REQUEST_INVALID


@given(st.lists(st.permutations(range(12)), min_size=1, max_size=3), st.integers(1, 15))
def test_the_score_is_the_sum_of_its_parts_and_orders_the_hits(orders: list[list[int]], k: int) -> None:
    fused = fuse([ranking(str(place), *order) for place, order in enumerate(orders)], k)
    sums = [sum(part.contribution for part in fused.explain(hit)) for hit in fused.ids.tolist()]
    assert fused.scores.tolist() == pytest.approx(sums)
    assert len(fused.ids) == min(k, 12)
    assert list(zip(sums, (-fused.ids).tolist(), strict=True)) == sorted(
        zip(sums, (-fused.ids).tolist(), strict=True), reverse=True
    )
