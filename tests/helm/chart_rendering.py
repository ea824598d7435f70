"""Renders helm/vidence by Helm's own engine, and says what the objects mean for each other.

Run as a script it writes the golden files anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "vidence"
GOLDEN = Path(__file__).parent / "golden"
VALUES = {
    "default": ("values",),
    "dev": ("values-dev",),
    "ha": ("values-ha",),
    "gpu": ("values-gpu",),
    "tls": ("values-tls",),
    "ha-gpu": ("values-ha", "values-gpu"),
}
"""Values files that are given together."""
GOLDEN_CASES = ("default", "dev", "ha", "gpu", "tls")
"""Each file by itself; the golden file has the same name."""
RELEASE, NAMESPACE = "demo", "seen"
SECRET_URL = "postgresql+asyncpg://vidence@postgresql:5432/vidence"  # noqa: S105 - an address without a password

Json = dict[str, Any]


def values_of(case: str) -> Json:
    """The values of a case, merged as Helm merges files: maps by key, all else by the last."""
    merged: Json = {}
    for name in VALUES[case]:
        _merge(merged, yaml.safe_load((CHART / f"{name}.yaml").read_text(encoding="utf-8")))
    return merged


def rendered(values: Json) -> Mapping[str, str]:
    """Manifests by template; raises `HelmError`."""
    with helm.Chart.load(CHART) as chart:
        return chart.render(values, name=RELEASE, namespace=NAMESPACE)


def golden_text(case: str) -> str:
    """All that a case renders, in one text; without what says nothing."""
    parts = [
        f"# Source: {path}\n{_tidy(text)}"
        for path, text in sorted(rendered(values_of(case)).items())
        if text.strip()
    ]
    return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of a release."""

    every: tuple[Json, ...]

    @classmethod
    def of(cls, values: Json) -> Objects:
        """Renders."""
        manifests = (text for path, text in rendered(values).items() if path.endswith(".yaml"))
        return cls(
            tuple(item for text in manifests for item in yaml.load_all(text, yaml.CSafeLoader) if item)
        )

    @staticmethod
    @cache
    def of_case(case: str) -> Objects:
        """Of a case, rendered once; to look at only."""
        return Objects.of(values_of(case))

    def kind(self, kind: str) -> dict[str, Json]:
        """Those of a kind, by name."""
        return {item["metadata"]["name"]: item for item in self.every if item["kind"] == kind}

    def deployments(self) -> dict[str, Json]:
        """By component."""
        return {component(item): item for item in self.every if item["kind"] == "Deployment"}

    def environment(self, name: str) -> dict[str, str]:
        """The environment of a component's process; of Envoy: that of who writes its configuration."""
        pod = pod_of(self.deployments()[name])
        container = (pod.get("initContainers") or pod["containers"])[0]
        return {item["name"]: item.get("value", SECRET_URL) for item in container["env"]}


def component(item: Json) -> str:
    """What an object belongs to."""
    return str(item["metadata"]["labels"]["app.kubernetes.io/component"])


def pod_of(deployment: Json) -> Json:
    """The pod's specification."""
    pod: Json = deployment["spec"]["template"]["spec"]
    return pod


def containers_of(pod: Json) -> list[Json]:
    """All, the first to run first."""
    return [*pod.get("initContainers", ()), *pod["containers"]]


def leaves(values: Json, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that is no map with keys of its own, and where it is."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def at(path: tuple[str, ...], value: Any) -> Json:
    """Values with one thing in them."""
    for key in reversed(path):
        value = {key: value}
    nested: Json = value
    return nested


def schema() -> Json:
    """That of the values."""
    found: Json = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    return found


def _merge(base: Json, above: Json) -> None:
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _tidy(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines() if line.strip())


if __name__ == "__main__":
    for name in GOLDEN_CASES:
        (GOLDEN / f"{name}.yaml").write_text(golden_text(name), encoding="utf-8")
