"""The chart as Helm renders it and as Kubernetes takes it."""

from __future__ import annotations

import tomllib
from typing import Any

import helm_python as helm
import kubernetes_validate  # type: ignore[import-untyped]  # ships no types
import pytest

from helm.chart_rendering import (
    CHART,
    GOLDEN,
    GOLDEN_CASES,
    ROOT,
    VALUES,
    Objects,
    at,
    component,
    containers_of,
    golden_text,
    leaves,
    pod_of,
    rendered,
    schema,
    values_of,
)

CASES = pytest.mark.parametrize("case", VALUES)
NEWEST, OLDEST = "1.37", "1.30"
"""Of Kubernetes: whose schemas there are, and that the chart allows."""
FOREIGN = {"ServiceMonitor", "PrometheusRule", "HTTPRoute"}
"""Kinds of other projects, whose schemas Kubernetes does not have."""


def _all_values() -> dict[str, Any]:
    with helm.Chart.load(CHART) as chart:
        return chart.values


@pytest.mark.requirement("R-OP4")
@CASES
def test_chart_passes_helms_strict_lint(case: str) -> None:
    report = helm.lint(CHART, values_of(case), strict=True)
    assert report["total_charts_linted"] == 1
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > 1] == []


@pytest.mark.requirement("R-OP4")
@pytest.mark.parametrize(("case", "version"), [*((case, NEWEST) for case in VALUES), ("ha-gpu", OLDEST)])
def test_kubernetes_takes_every_object(case: str, version: str) -> None:
    items = Objects.of_case(case).every
    for item in items:
        if item["kind"] not in FOREIGN:
            kubernetes_validate.validate(item, version, strict=True)
    assert {"Deployment", "Service", "ServiceAccount"} <= {item["kind"] for item in items}


@pytest.mark.requirement("R-OP4")
@pytest.mark.parametrize("case", GOLDEN_CASES)
def test_rendering_is_that_of_the_golden_file(case: str) -> None:
    golden = (GOLDEN / f"{case}.yaml").read_text(encoding="utf-8")
    # Meant otherwise? `PYTHONPATH=tests python tests/helm/chart_rendering.py` writes them anew.
    assert golden_text(case) == golden


@pytest.mark.requirement("R-OP4")
def test_every_values_file_is_rendered_by_a_test() -> None:
    files = {path.stem for path in CHART.glob("values*.yaml")}
    assert files == {name for case in GOLDEN_CASES for name in VALUES[case]}


@pytest.mark.requirement("R-OP4")
def test_schema_refuses_a_key_that_no_map_knows() -> None:
    values = _all_values()
    maps = {path[:end] for path, _ in leaves(values) for end in range(len(path))}
    open_maps = {("settings",), *(path for path in maps if path[-1:] in {("requests",), ("limits",)})}
    assert len(maps) > 30
    with helm.Chart.load(CHART) as chart:
        for path in maps - open_maps:
            with pytest.raises(helm.HelmError, match="unheard"):
                chart.validate_schema(at((*path, "unheard"), 1))
        with pytest.raises(helm.HelmError, match="unheard"):
            chart.validate_schema({"settings": {"unheard": {"key": 1}}})


@pytest.mark.requirement("R-OP4")
def test_schema_refuses_a_wrong_type_everywhere() -> None:
    found = list(leaves(_all_values()))
    assert len(found) > 80
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema({})
        for path, value in found:
            wrong = 7 if isinstance(value, str | dict | list) else "seven"
            with pytest.raises(helm.HelmError, match=path[-1]):
                chart.validate_schema(at(path, wrong))


@pytest.mark.requirement("R-OP4")
@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"worker": {"enabled": True}, "batch": {"enabled": False}}, "worker.enabled needs batch.enabled"),
        ({"bridge": {"enabled": False}}, "envoy.enabled needs bridge.enabled"),
        ({"envoy": {"enabled": False}, "ingress": {"enabled": True}}, "need envoy.enabled"),
        ({"extraction": {"replicas": 2}}, "database.existingSecret"),
        ({"ingress": {"enabled": True}}, "need public.hosts"),
        (
            {"gateway": {"enabled": True}, "public": {"hosts": ["a.example"]}},
            "gateway.enabled needs gateway.parentRefs",
        ),
        ({"settings": {"server": {"port": 1}}}, "the chart decides VIDENCE_SERVER__PORT itself"),
        ({"settings": {"storage": {"database_url": "x"}}}, "decides VIDENCE_STORAGE__DATABASE_URL itself"),
    ],
)
def test_values_that_contradict_each_other_are_refused_in_words(values: dict[str, Any], told: str) -> None:
    with pytest.raises(helm.HelmError, match=told):
        rendered(values)


@pytest.mark.requirement("R-OP4")
@pytest.mark.parametrize("name", ["event", "capture", "batch", "library"])
def test_service_whose_state_one_process_owns_cannot_be_scaled(name: str) -> None:
    with pytest.raises(helm.HelmError, match="replicas"):
        rendered({name: {"replicas": 2}})
    for case in VALUES:
        deployment = Objects.of_case(case).deployments()[name]
        assert deployment["spec"]["replicas"] == 1
        assert deployment["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.requirement("R-OP4")
@CASES
def test_pods_are_as_the_restricted_standard_wants_them(case: str) -> None:
    for deployment in Objects.of_case(case).deployments().values():
        pod = pod_of(deployment)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert {next(iter(set(volume) - {"name"})) for volume in pod["volumes"]} <= {
            "emptyDir",
            "secret",
            "persistentVolumeClaim",
        }
        for container in containers_of(pod):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


@pytest.mark.requirement("R-OP4")
@CASES
def test_what_an_object_names_is_there(case: str) -> None:
    objects = Objects.of_case(case)
    deployments = objects.deployments()
    pods = {name: item["spec"]["template"] for name, item in deployments.items()}
    for item in objects.kind("Service").values():
        pod = pods[component(item)]
        assert item["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
        for port in item["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]
    for item in objects.kind("HorizontalPodAutoscaler").values():
        assert item["spec"]["scaleTargetRef"]["name"] == deployments[component(item)]["metadata"]["name"]
        assert "replicas" not in deployments[component(item)]["spec"]
    for item in (*objects.kind("PodDisruptionBudget").values(), *objects.kind("NetworkPolicy").values()):
        selector = item["spec"].get("podSelector") or item["spec"]["selector"]
        assert selector["matchLabels"].items() <= pods[component(item)]["metadata"]["labels"].items()
    accounts, claims = objects.kind("ServiceAccount"), set(objects.kind("PersistentVolumeClaim"))
    assert {pod["spec"]["serviceAccountName"] for pod in pods.values()} == set(accounts)
    named = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in pods.values()
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert named == claims
    for pod in pods.values():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        mounts = {m["name"] for container in containers_of(pod["spec"]) for m in container["volumeMounts"]}
        assert mounts == volumes


@pytest.mark.requirement("R-OP4")
def test_volume_belongs_to_one_pod_at_a_time() -> None:
    for case in VALUES:
        for deployment in Objects.of_case(case).deployments().values():
            if any("persistentVolumeClaim" in volume for volume in pod_of(deployment)["volumes"]):
                assert deployment["spec"]["replicas"] == 1
                assert deployment["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.requirement("R-OP4")
def test_replicas_that_may_go_one_by_one_have_a_budget() -> None:
    objects = Objects.of_case("ha")
    kept = {component(item) for item in objects.kind("PodDisruptionBudget").values()}
    assert kept == {"extraction", "face", "bridge", "worker", "envoy"}
    assert not Objects.of_case("default").kind("PodDisruptionBudget")


@pytest.mark.requirement("R-OP4")
def test_accelerated_component_asks_for_a_gpu_and_takes_its_image() -> None:
    deployments = Objects.of_case("gpu").deployments()
    accelerated = set()
    for name, deployment in deployments.items():
        pod = pod_of(deployment)
        limits = pod["containers"][0]["resources"]["limits"]
        if "nvidia.com/gpu" in limits:
            accelerated.add(name)
            assert limits["nvidia.com/gpu"] == 1
            assert pod["containers"][0]["image"].endswith("-gpu")
            assert pod["runtimeClassName"] == "nvidia"
            assert pod["tolerations"]
        else:
            assert "-gpu" not in str(pod)
    assert accelerated == {"extraction", "face", "capture", "worker"}


@pytest.mark.requirement("R-OP4")
def test_metrics_are_found_wherever_they_are() -> None:
    objects = Objects.of_case("ha")
    (monitor,) = objects.kind("ServiceMonitor").values()
    (endpoint,) = monitor["spec"]["endpoints"]
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    scraped = {
        component(item)
        for item in objects.kind("Service").values()
        if wanted <= item["metadata"]["labels"].items()
        and endpoint["port"] in {port["name"] for port in item["spec"]["ports"]}
    }
    assert scraped == set(objects.deployments()) - {"envoy"}


@pytest.mark.requirement("R-OP4")
def test_ingress_and_gateway_lead_to_envoy() -> None:
    (ingress,) = Objects.of_case("ha").kind("Ingress").values()
    objects = Objects.of_case("gpu")
    (route,) = objects.kind("HTTPRoute").values()
    service = objects.kind("Service")["demo-vidence-envoy"]
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == "vidence.example"
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": "demo-vidence-envoy", "port": {"name": "http"}}
    assert route["spec"]["hostnames"] == ["vidence.example"]
    (backend,) = route["spec"]["rules"][0]["backendRefs"]
    assert backend == {"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}


@pytest.mark.requirement("R-OP4")
def test_chart_is_of_the_packages_version() -> None:
    with helm.Chart.load(CHART) as chart, (ROOT / "pyproject.toml").open("rb") as file:
        assert chart.metadata["appVersion"] == tomllib.load(file)["project"]["version"]


@pytest.mark.requirement("R-OP4")
def test_every_value_is_in_the_schema_and_the_other_way_round() -> None:
    assert schema()["properties"].keys() - {"global"} == _all_values().keys()
