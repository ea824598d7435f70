"""Thresholds and their measured error rates, and verdicts that follow from numbers."""

from __future__ import annotations

import json

import pytest

from vidence_server.core.errors import DomainError, Reason
from vidence_server.face.app import load_thresholds
from vidence_server.face.domain.results import FrameLiveness, LivenessVerdict
from vidence_server.face.domain.thresholds import Rate, read_thresholds
from vidence_server.face.liveness import decide
from vidence_server.inference.registry import load_registry
from vidence_server.vision.faces.profile import EMBEDDER

pytestmark = pytest.mark.requirement("R-FA1")

TABLE = {
    "model": "m",
    "version": "1",
    "default": 0.4,
    "data": "some pairs",
    "same_pairs": 100,
    "different_pairs": 1000,
    "limits": ["much"],
    "rates": [[0.3, 20, 0], [0.4, 2, 1], [0.5, 0, 5]],
}


def test_the_published_table_is_of_the_registered_model() -> None:
    table = load_thresholds()
    assert table.describes(EMBEDDER, load_registry()[EMBEDDER].sha256[:12])
    rates = table.at(table.default)
    assert rates is not None
    assert (rates.false_accept.errors, rates.false_reject.errors) == (0, 0)
    assert rates.false_accept.trials + rates.false_reject.trials == 4950
    assert table.limits
    accepts = [rates.false_accept.errors for rates in table.rates]
    rejects = [rates.false_reject.errors for rates in table.rates]
    assert accepts == sorted(accepts, reverse=True)
    assert rejects == sorted(rejects)


@pytest.mark.parametrize(
    ("threshold", "accepts", "rejects"), [(0.3, 20, 0), (0.35, 20, 1), (0.4, 2, 1), (0.41, 2, 5), (0.5, 0, 5)]
)
def test_between_measured_thresholds_the_worse_neighbour_counts(
    threshold: float, accepts: int, rejects: int
) -> None:
    rates = read_thresholds(json.dumps(TABLE)).at(threshold)
    assert rates is not None
    assert (rates.threshold, rates.false_accept.errors, rates.false_reject.errors) == (
        threshold,
        accepts,
        rejects,
    )


@pytest.mark.parametrize("threshold", [0.29, 0.51, -1.0, 1.0])
def test_outside_of_what_was_measured_nothing_is_said(threshold: float) -> None:
    assert read_thresholds(json.dumps(TABLE)).at(threshold) is None


def test_no_error_in_few_trials_is_no_proof() -> None:
    assert Rate(0, 4500).value == 0
    assert Rate(0, 4500).upper == pytest.approx(0.0006, abs=0.0001)
    assert Rate(0, 10).upper > 0.2
    assert Rate(10, 10).upper == 1.0
    assert (Rate(0, 0).value, Rate(0, 0).upper) == (1.0, 1.0)
    assert Rate(5, 100).upper > Rate(5, 100).value


@pytest.mark.parametrize("text", ["no json", "{}", "[]", json.dumps({**TABLE, "rates": [[1]]})])
def test_a_table_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(DomainError) as caught:
        read_thresholds(text)
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


@pytest.mark.requirement("R-CA7")
@pytest.mark.parametrize(
    ("scores", "min_frames", "verdict"),
    [
        ([0.9, 0.6, 0.7], 3, LivenessVerdict.LIVE),
        ([0.7], 1, LivenessVerdict.LIVE),
        ([0.9, 0.4], 2, LivenessVerdict.NOT_LIVE),
        ([1.0, 1.0], 3, LivenessVerdict.UNDECIDED),
    ],
)
def test_the_mean_of_enough_frames_decides(
    scores: list[float], min_frames: int, verdict: LivenessVerdict
) -> None:
    frames = (*map(FrameLiveness, scores), FrameLiveness(None, Reason.NO_FACE))
    check = decide(frames, scores, threshold=0.7, min_frames=min_frames)
    assert (check.verdict, check.judged) == (verdict, len(scores))
    assert check.score == pytest.approx(sum(scores) / len(scores))
