"""The retention that the guide promises, kind by kind, is that of the settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vidence_server.suite_settings import SuiteSettings

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "operations" / "erasure.md"
ROW = re.compile(
    r"^\| (?P<kind>[^|]+) \| `(?P<section>\w+)\.(?P<key>\w+)` \| `(?P<value>[^`]+)` \|$", re.MULTILINE
)
KEPT = {"capture", "batch", "extraction", "library", "review", "event", "monitor", "erasure"}
"""Sections of services that keep something."""


@pytest.mark.requirement("R-OP5")
def test_each_retention_of_the_guide_is_the_default_of_its_setting() -> None:
    table = GUIDE.read_text(encoding="utf-8").partition("## Retention")[2]
    rows = list(ROW.finditer(table))
    assert len(rows) == table.count("\n| ") - 2  # but the head, and what is kept until it is deleted
    settings = SuiteSettings()
    for row in rows:
        value = getattr(getattr(settings, row["section"]), row["key"])
        assert float(row["value"]) == value, row["kind"]
    assert {row["section"] for row in rows} == KEPT


@pytest.mark.requirement("R-OP5")
def test_nothing_is_kept_for_ever_unless_the_guide_says_so() -> None:
    settings = SuiteSettings()
    told = {f"{row['section']}.{row['key']}" for row in ROW.finditer(GUIDE.read_text(encoding="utf-8"))}
    named = {
        f"{section}.{key}"
        for section in KEPT
        for key in type(getattr(settings, section)).model_fields
        if re.search(r"retention(?!_events|_bytes)|image_ttl|snapshot_hours", key)
    }
    # How long a review's changes can be followed: no longer than the review.
    assert named - told == {"review.log_retention_days"}
