"""Every number on the dashboard and in the alert rules is one that the running suite exports."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.bridge_door import Door
from e2e.test_smoke import PATIENT, smoke
from e2e_suite import LiveSuite

FOLDER = Path(__file__).parents[2] / "helm" / "vidence" / "observability"
WORDS = {
    *("sum", "max", "rate", "increase", "changes", "histogram_quantile", "max_over_time"),
    *("by", "on", "or", "unless"),
}
"""Functions and operators that the expressions use."""
LABELS = {"service", "method", "code", "le", "model", "call", "reason", "tenant", "instance"}


def names_in(expression: str) -> set[str]:
    """Metric names; any other word must be one of PromQL that is known here."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", expression)
    bare = re.sub(r"\b(by|on) \(([^)]*)\)", lambda found: _only_labels(found[2]), bare)
    words = set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare))
    return words - WORDS


def _only_labels(text: str) -> str:
    assert {label.strip() for label in text.split(",")} <= LABELS, text
    return ""


def panels() -> list[dict[str, Any]]:
    board = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    asked = [target["expr"] for panel in panels() for target in panel["targets"]]
    return asked + [rule["expr"] for rule in rules()]


def reference() -> dict[str, str]:
    """Metrics of the reference, and of what type they are."""
    text = (FOLDER.parents[2] / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", text, re.MULTILINE))


def typed(url: str) -> dict[str, str]:
    """Names of the metrics that a process exports, and their types; but when each series was created."""
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - http
        text = answer.read().decode()
    found = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    return {name: kind for name, kind in found if not name.endswith("_created")}


def exported(url: str) -> set[str]:
    """Names of all samples, also of histograms."""
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - http
        text = answer.read().decode()
    kinds = {found[0]: found[1] for found in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)}
    samples = set(re.findall(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)[ {]", text, re.MULTILINE))
    return samples | set(kinds)


@pytest.mark.requirement("R-OP3", "R-OP4")
def test_every_name_on_the_dashboard_and_in_the_rules_is_exported(suite: LiveSuite, door: Door) -> None:
    # Each kind of work once: some numbers are there after the first only.
    _code, _report, errors = smoke(suite.address, "--http", door.url, *PATIENT)
    known = exported(str(suite.logged("metrics")["url"])) | exported(door.metrics_url())
    # A monitor is a process of its own; the test of the reference has its names.
    known |= {name for name in reference() if name.startswith("vidence_monitor_")}
    missing = {name for expression in expressions() for name in names_in(expression)} - known
    assert missing == set(), errors


@pytest.mark.requirement("R-OP3")
def test_the_reference_has_every_metric_of_the_running_suite_and_of_its_type(
    suite: LiveSuite, door: Door
) -> None:
    smoke(suite.address, "--http", door.url, *PATIENT)
    told, found = reference(), typed(str(suite.logged("metrics")["url"])) | typed(door.metrics_url())
    assert len(found) > 100
    assert found.items() - told.items() == set()
    # The other way round; but what other processes and settings have, and what only some events bring.
    elsewhere = re.compile(r"vidence_(monitor|tracing|access|audit|worker)_|vidence_rpc|vidence_stream")
    text = (FOLDER.parents[2] / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    always = set(re.findall(r"^\| `(vidence_\w+)` \| \w+ \|  \|", text, re.MULTILINE))
    assert {name for name in always if not elsewhere.match(name)} - found.keys() == set()


@pytest.mark.requirement("R-OP4")
def test_every_relay_of_the_reference_is_watched_by_the_rules() -> None:
    ages = {
        name for name in reference() if name.endswith(("_relay_oldest_age_seconds", "_relay_refused_total"))
    }
    assert len(ages) >= 14
    assert ages - {name for rule in rules() for name in names_in(rule["expr"])} == set()


@pytest.mark.requirement("R-OP4")
def test_every_rule_is_raised_by_a_test_of_promtool() -> None:
    """`make check-observability` runs them."""
    tests = yaml.safe_load((FOLDER / "alerts.test.yaml").read_text(encoding="utf-8"))["tests"]
    raised = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert raised == {rule["alert"] for rule in rules()}


@pytest.mark.requirement("R-OP4")
def test_the_names_are_found_in_an_expression() -> None:
    expression = (
        'sum by (le, method) (rate(vidence_a_bucket{code!="OK", service=~"x|y"}[5m])) / vidence_b > 0.5'
    )
    assert names_in(expression) == {"vidence_a_bucket", "vidence_b"}
    assert names_in("summ(vidence_a)") == {"summ", "vidence_a"}


@pytest.mark.requirement("R-OP4")
def test_panels_lie_beside_each_other_and_have_names_and_numbers_of_their_own() -> None:
    places = [panel["gridPos"] for panel in panels()]
    taken = {(x, y) for at in places for x in (at["x"], at["x"] + at["w"] - 1) for y in (at["y"],)}
    assert len(taken) == 2 * len(places)
    assert len({panel["id"] for panel in panels()}) == len(places)
    assert len({panel["title"] for panel in panels()}) == len(places)


@pytest.mark.requirement("R-OP4")
def test_every_alert_says_how_bad_it_is_and_what_to_look_at() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "description"}
