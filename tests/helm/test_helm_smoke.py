"""What `helm test` runs, who may call, and what the chart brings for Prometheus and Grafana."""

from __future__ import annotations

import json
from typing import Any

import helm_python as helm
import pytest
import yaml

from helm.chart_rendering import CHART, ROOT, VALUES, Objects, pod_of, rendered, values_of
from vidence_cli.smoke.command import smoke
from vidence_server.suite_settings import load_suite_settings

CASES = pytest.mark.parametrize("case", VALUES)


def _job(objects: Objects) -> Any:
    (job,) = objects.kind("Job").values()
    return job


@pytest.mark.requirement("R-OP4")
@CASES
def test_helm_test_asks_every_service_through_envoy_with_options_that_the_command_knows(case: str) -> None:
    objects = Objects.of_case(case)
    job = _job(objects)
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "test"
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    command, *arguments = container["args"]
    assert command == "smoke"
    chosen = smoke.make_context("smoke", arguments).params
    assert chosen["address"] == "demo-vidence-envoy:8080"
    assert chosen["url"] == "http://demo-vidence-envoy:8080"
    assert set(chosen["services"]) == set(objects.deployments()) - {"bridge", "worker", "envoy"}
    assert job["spec"]["activeDeadlineSeconds"] > chosen["deadline"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.requirement("R-OP5")
@CASES
def test_every_service_wants_credentials_where_there_is_a_secret_of_keys(case: str) -> None:
    objects = Objects.of_case(case)
    secret = values_of(case).get("access", {"existingSecret": "vidence-access"})["existingSecret"]
    for name, deployment in objects.deployments().items():
        if name in {"bridge", "envoy"}:
            continue
        access = load_suite_settings(None, objects.environment(name)).access
        assert (access.mode, access.insecure) == (("on", False) if secret else ("off", True))
        volumes = {volume["name"]: volume for volume in pod_of(deployment)["volumes"]}
        if secret:
            assert volumes["access"]["secret"]["secretName"] == secret
            assert str(access.keys_file) == "/etc/vidence/access/keys"
            assert str(access.own_key_file) == "/etc/vidence/access/own-key"
    [container] = _job(objects)["spec"]["template"]["spec"]["containers"]
    assert ("VIDENCE_API_KEY" in str(container)) is bool(secret)


@pytest.mark.requirement("R-OP5")
def test_nobody_is_let_in_without_keys_by_mistake() -> None:
    with pytest.raises(helm.HelmError, match="lets in whoever reaches Envoy"):
        rendered({"access": {"existingSecret": ""}})


@pytest.mark.requirement("R-OP4")
def test_clients_may_be_narrowed_and_helm_test_still_gets_in() -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]
    policy = Objects.of({"networkPolicy": {"clients": peers}}).kind("NetworkPolicy")["demo-vidence-envoy"]
    own, smoke_pod = policy["spec"]["ingress"][0]["from"]
    assert own == peers[0]
    labels = _job(Objects.of({}))["spec"]["template"]["metadata"]["labels"]
    assert smoke_pod["podSelector"]["matchLabels"].items() <= labels.items()


@pytest.mark.requirement("R-OP4")
def test_dashboard_and_rules_are_those_of_the_files() -> None:
    objects = Objects.of_case("ha")
    board = objects.kind("ConfigMap")["demo-vidence-dashboard"]["data"]["vidence.json"]
    assert json.loads(board) == json.loads((CHART / "observability" / "dashboard.json").read_text())
    rules = objects.kind("PrometheusRule")["demo-vidence"]["spec"]
    assert rules == yaml.safe_load((CHART / "observability" / "alerts.yaml").read_text())
    assert not Objects.of_case("default").kind("PrometheusRule")
    for name in ("dashboard.json", "alerts.yaml", "alerts.test.yaml"):
        linked = ROOT / "deploy" / "observability" / name
        assert linked.resolve() == CHART / "observability" / name
