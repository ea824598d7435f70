from __future__ import annotations

import pytest

from vidence_server.event.domain.rates import Rate

pytestmark = pytest.mark.requirement("R-EV2")


def test_a_steady_flow_has_its_rate() -> None:
    rate = Rate(0.0)
    for second in range(1, 31):
        rate.sample(float(second), second * 100)
    assert rate.per_second(30.0, 3000) == pytest.approx(100)


def test_what_is_older_than_ten_seconds_does_not_count() -> None:
    rate = Rate(0.0)
    for second in range(1, 31):
        rate.sample(float(second), min(second, 5) * 1000)
    assert rate.per_second(30.0, 5000) == 0
    assert rate.per_second(30.5, 5050) == pytest.approx(50 / 10.5)


def test_before_ten_seconds_have_passed_the_time_since_the_start_counts() -> None:
    rate = Rate(100.0)
    assert rate.per_second(100.0, 0) == 0
    assert rate.per_second(102.0, 10) == pytest.approx(5)


def test_samples_are_bounded() -> None:
    rate = Rate(0.0)
    for step in range(10_000):
        rate.sample(step * 1.0, step)
    assert len(rate._samples) <= 12
