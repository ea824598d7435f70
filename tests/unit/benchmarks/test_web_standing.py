"""The figures of the pages, and what they must reach."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.web.standing import Feed, Measured, as_json, as_table, bundle_bytes, floors, percentile

CALM = Feed(seconds=10, events=2000, shown=2000, long_tasks_ms=(), frames=600)
BUSY = replace(CALM, long_tasks_ms=(51.0,))
GOOD = Measured(
    latency_ms=(10.0, 20.0, 30.0, 40.0),
    streams_ms=tuple(float(ms) for ms in range(12)),
    feeds=(CALM,) * 3,
    bundle_bytes=150_000,
)


def missed(measured: Measured) -> list[str]:
    return [floor.name for floor in floors(measured) if not floor.reached]


@pytest.mark.requirement("R-WE3")
def test_what_is_asked_for_is_reached_or_missed_by_name() -> None:
    assert missed(GOOD) == []
    assert missed(replace(GOOD, bundle_bytes=250_001)) == ["bundle, kB gzip"]
    assert missed(replace(GOOD, feeds=(CALM, BUSY, CALM))) == ["longest task of the feed, ms"]
    assert missed(replace(GOOD, feeds=(CALM, replace(CALM, shown=1999)))) == ["events that the feed lost"]
    assert missed(replace(GOOD, streams_ms=(1.0,) * 11)) == ["streams that are live of twelve"]


def test_the_percentile_is_a_value_that_was_measured() -> None:
    assert [percentile(GOOD.latency_ms, share) for share in (0.5, 0.95, 1.0)] == [20, 40, 40]
    assert math.isnan(percentile((), 0.5))


def test_the_bundle_is_weighed_as_it_goes_over_the_wire(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index.js").write_text("x" * 100_000)
    (tmp_path / "assets" / "index.js.map").write_text("y" * 100_000)
    assert 0 < bundle_bytes(tmp_path) < 1000


def test_the_table_tells_what_the_json_tells() -> None:
    assert as_json(GOOD)["feed"]["events_per_s"] == 200.0
    assert "20.0 / 40.0 / 40.0" in as_table(GOOD)
    assert "6000 / 6000" in as_table(GOOD)
