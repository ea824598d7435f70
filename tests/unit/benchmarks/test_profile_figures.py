"""What the guide says about profiles is what was measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

from profile_figures import BEGIN, END, PROFILES, figures, with_figures  # noqa: E402 - tools are scripts


def results() -> dict[str, Any]:
    """Of the last run."""

    def refused(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    text = (ROOT / "benchmarks" / "results" / "ocr.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text, parse_constant=refused)
    return found


def test_every_profile_has_a_row_with_its_figures() -> None:
    told = figures(results())
    for profile in PROFILES:
        (row,) = [line for line in told.splitlines() if line.startswith(f"| `{profile}` ")]
        (engine,) = [one for one in results()["engines"] if one["name"] == f"vidence {profile}"]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert f"{engine['pair_s'] * 1000:.0f}" in cells
        assert f"{engine['character_error_rate']:.4f}" in cells


def test_figures_of_an_older_run_are_replaced() -> None:
    page = f"before\n{BEGIN}\nold figures\n\n{END}after\n"
    written = with_figures(page, results())
    assert "old figures" not in written
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    assert with_figures(written, results()) == written


def test_a_page_without_a_place_for_figures_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        with_figures("nothing", results())
