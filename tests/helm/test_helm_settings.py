"""What the chart tells the server, as the server reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from helm.chart_rendering import (
    NAMESPACE,
    ROOT,
    VALUES,
    Json,
    Objects,
    component,
    containers_of,
    pod_of,
    schema,
    values_of,
)
from helm.deployed import check_names, endpoints, write_envoy
from vidence_server.bridge.contract import Contract, descriptor_bytes
from vidence_server.runtime.metrics_server import LIVE_PATH, READY_PATH
from vidence_server.suite.table import PORTS
from vidence_server.suite_settings import SuiteSettings, load_suite_settings

CASES = pytest.mark.parametrize("case", VALUES)
LAST_WORDS_S = 2.0
NO_SERVICE = {"bridge", "worker", "envoy"}
NOT_IN_THE_CHART = {"monitor"}
"""Sections of commands that the chart does not run."""


def _settings(objects: Objects, name: str) -> SuiteSettings:
    return load_suite_settings(None, objects.environment(name))


@pytest.mark.requirement("R-OP4", "R-OP5")
def test_what_keeps_images_or_templates_gets_the_keys_and_nobody_else() -> None:
    objects = Objects.of_case("ha")
    holders = set()
    for name in objects.deployments():
        settings = _settings(objects, name).encryption
        if settings.mode == "off":
            continue
        holders.add(name)
        assert settings.accept_plain
        pod = pod_of(objects.deployments()[name])
        (mount,) = [found for found in containers_of(pod)[0]["volumeMounts"] if found["name"] == "encryption"]
        assert settings.key_file == Path(mount["mountPath"]) / "keys"
        (volume,) = [found for found in pod["volumes"] if found["name"] == "encryption"]
        assert volume["secret"]["defaultMode"] == 0o440  # as the key file's own rule wants it
    assert holders == {"capture", "batch", "library"}


@pytest.mark.requirement("R-OP4")
@CASES
def test_every_variable_is_a_setting_of_the_server(case: str) -> None:
    objects = Objects.of_case(case)
    for name in objects.deployments():
        check_names(objects.environment(name))
        # Raises where a key is unknown or a value wrong.
        settings = _settings(objects, name)
        assert settings.storage.folder == Path("/var/lib/vidence")
        assert settings.metrics.host == "0.0.0.0"  # noqa: S104 - a pod is reached from outside


@pytest.mark.requirement("R-OP4")
def test_schema_knows_the_sections_that_the_chart_can_set() -> None:
    assert (
        set(schema()["properties"]["settings"]["properties"])
        == SuiteSettings.model_fields.keys() - NOT_IN_THE_CHART
    )


@pytest.mark.requirement("R-OP2", "R-OP4")
def test_every_service_has_a_deployment_at_its_port() -> None:
    objects = Objects.of_case("default")
    deployments = objects.deployments()
    assert set(PORTS) <= set(deployments) - NO_SERVICE
    contract = Contract(descriptor_bytes())
    assert {line.name for line in contract.lines} == set(deployments) - NO_SERVICE
    for line in contract.lines:
        (container,) = pod_of(deployments[line.name])["containers"]
        assert container["args"] == ["serve", line.name]
        port = container["ports"][0]["containerPort"]
        assert port == PORTS.get(line.name, port) == _settings(objects, line.name).server.port
        # A process may serve more than one; the first of its own name tells for all.
        own = [name for name in contract.services_of(line) if name.startswith(f"vidence.{line.name}.")]
        ready = {"port": port, "service": own[0]}
        assert container["readinessProbe"]["grpc"] == container["startupProbe"]["grpc"] == ready
        assert container["livenessProbe"]["grpc"] == {"port": port}


@pytest.mark.requirement("R-OP4")
@CASES
def test_pod_gets_more_time_to_stop_than_its_drain_takes(case: str) -> None:
    objects = Objects.of_case(case)
    for name, deployment in objects.deployments().items():
        pod = pod_of(deployment)
        server = _settings(objects, name).server
        sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert sleep > 0
        # All streams are drained together; those that are left then say their last words.
        drain = server.drain_grace_s + LAST_WORDS_S + server.drain_accept_s
        assert pod["terminationGracePeriodSeconds"] > sleep + (drain if name not in NO_SERVICE else 2)


@pytest.mark.requirement("R-OP4")
@CASES
def test_envoy_takes_the_configuration_and_finds_the_services(case: str, tmp_path: Path) -> None:
    objects = Objects.of_case(case)
    settings = _settings(objects, "envoy").bridge
    config = write_envoy(settings, _settings(objects, "envoy").tls, tmp_path)
    services = objects.kind("Service")
    found = endpoints(config)
    assert set(found) == {f"service_{name}" for name in objects.deployments().keys() - NO_SERVICE} | {
        "bridge"
    }
    for cluster, (host, port) in found.items():
        service = services[host]
        assert component(service) == cluster.removeprefix("service_")
        assert port == service["spec"]["ports"][0]["port"]
        assert service["spec"]["clusterIP"] == "None"
    ports = {
        listener["address"]["socket_address"]["port_value"]
        for listener in config["static_resources"]["listeners"]
    }
    (container,) = pod_of(objects.deployments()["envoy"])["containers"]
    assert {port["containerPort"] for port in container["ports"]} <= ports
    assert settings.envoy.host == "0.0.0.0"  # noqa: S104 - a pod is reached from outside
    assert f"demo-vidence-envoy.{NAMESPACE}.svc" in settings.hosts
    assert _settings(objects, "bridge").bridge.upstreams == settings.upstreams


@pytest.mark.requirement("R-OP4")
def test_service_that_is_left_out_is_no_upstream() -> None:
    objects = Objects.of({"face": {"enabled": False}})
    assert "face" not in objects.deployments()
    assert "face" not in _settings(objects, "bridge").bridge.upstreams


@pytest.mark.requirement("R-OP4")
@pytest.mark.parametrize("case", ["default", "ha"])
def test_network_policy_lets_through_what_the_settings_ask_for_and_no_more(case: str) -> None:
    objects = Objects.of_case(case)
    admitted = {
        (caller, component(policy))
        for policy in objects.kind("NetworkPolicy").values()
        for caller in objects.deployments()
        if _admits(policy, caller, objects)
    }
    owner = {name: component(item) for name, item in objects.kind("Service").items()}
    asked = {("envoy", "bridge")}
    for name in objects.deployments():
        settings = _settings(objects, name)
        if name in {"bridge", "envoy"}:
            asked |= {(name, owner[place.partition(":")[0]]) for place in settings.bridge.upstreams.values()}
        elif name != "event":
            asked.add((name, owner[settings.bus.address.partition(":")[0]]))
        if name in {"extraction", "batch"}:
            asked.add((name, owner[settings.filing.library_address.partition(":")[0]]))
        if name == "review":  # it asks those who hold data of people to erase them
            erasure = settings.erasure
            held = (erasure.capture_address, erasure.batch_address, erasure.library_address)
            asked |= {(name, owner[place.partition(":")[0]]) for place in held}
    if "worker" in objects.deployments():
        (container,) = pod_of(objects.deployments()["worker"])["containers"]
        asked.add(("worker", owner[container["args"][1].partition(":")[0]]))
    assert admitted == asked


def _admits(policy: Json, caller: str, objects: Objects) -> bool:
    labels = objects.deployments()[caller]["spec"]["template"]["metadata"]["labels"]
    for rule in policy["spec"]["ingress"]:
        for peer in rule.get("from", ()):
            if "podSelector" not in peer or not peer["podSelector"]["matchLabels"].items() <= labels.items():
                continue
            (expression,) = peer["podSelector"]["matchExpressions"]
            if labels[expression["key"]] in expression["values"]:
                return True
    return False


@pytest.mark.requirement("R-OP4")
def test_workers_work_in_the_place_of_the_batch_service() -> None:
    assert _settings(Objects.of_case("default"), "batch").batch.workers is None
    objects = Objects.of({"worker": {"enabled": True}})
    assert _settings(objects, "batch").batch.workers == 0
    (container,) = pod_of(objects.deployments()["worker"])["containers"]
    assert container["args"] == ["worker", f"demo-vidence-batch:{PORTS['batch']}"]


@pytest.mark.requirement("R-OP4", "R-OP5")
@pytest.mark.parametrize("mutual", [True, False])
def test_certificates_inside_are_those_of_one_secret(*, mutual: bool) -> None:
    objects = Objects.of(
        {
            **values_of("tls"),
            "worker": {"enabled": True},
            "internalTls": {"existingSecret": "vidence-internal-tls", "mutual": mutual},
        }
    )
    services = objects.deployments().keys() - NO_SERVICE
    files = [Path("/etc/vidence/internal-tls") / each for each in ("tls.crt", "tls.key", "ca.crt")]
    for name, deployment in objects.deployments().items():
        pod, settings = pod_of(deployment), _settings(objects, name)
        (volume,) = (item for item in pod["volumes"] if item["name"] == "internal-tls")
        assert volume["secret"]["secretName"] == "vidence-internal-tls"
        for container in containers_of(pod):
            (mount,) = (item for item in container["volumeMounts"] if item["name"] == "internal-tls")
            assert mount["mountPath"] == str(files[0].parent)
            assert [settings.tls.certificate, settings.tls.key, settings.tls.peer_ca] == files
        assert settings.tls.insecure is False
        assert settings.tls.require_client_certificate == (mutual and name in services)
        assert settings.tls.client_ca == (files[2] if mutual and name in services else None)
        assert settings.bridge.tls == (name in {"bridge", "envoy"})
        if name in services:
            # Kubernetes asks for health by gRPC in plaintext only.
            (container,) = pod["containers"]
            assert container["readinessProbe"]["httpGet"] == {"path": READY_PATH, "port": "metrics"}
            assert container["livenessProbe"]["httpGet"] == {"path": LIVE_PATH, "port": "metrics"}
    (bridge,) = pod_of(objects.deployments()["bridge"])["containers"]
    assert bridge["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"


@pytest.mark.requirement("R-OP4", "R-OP5")
def test_certificate_of_the_documentation_names_whatever_is_dialled() -> None:
    text = (ROOT / "docs" / "operations" / "kubernetes.md").read_text(encoding="utf-8")
    [example] = [block for block in text.split("```") if "kind: Certificate" in block]
    named = set(yaml.safe_load(example)["spec"]["dnsNames"])
    bridge = _settings(Objects.of_case("tls"), "envoy").bridge
    assert named == {place.partition(":")[0] for place in (*bridge.upstreams.values(), bridge.envoy.bridge)}


@pytest.mark.requirement("R-OP4")
def test_database_and_its_password_come_from_a_secret() -> None:
    objects = Objects.of_case("ha")
    with_tables = {
        name for name in objects.deployments() if _settings(objects, name).storage.database_url is not None
    }
    assert with_tables == {"extraction", "capture", "batch", "library", "review"}
    for name in with_tables:
        pod = pod_of(objects.deployments()[name])
        (container,) = pod["containers"]
        (url,) = (item for item in container["env"] if item["name"] == "VIDENCE_STORAGE__DATABASE_URL")
        assert url["valueFrom"] == {"secretKeyRef": {"name": "vidence-postgresql", "key": "url"}}
        file = _settings(objects, name).storage.database_password_file
        (mount,) = (item for item in container["volumeMounts"] if item["name"] == "database")
        (volume,) = (item for item in pod["volumes"] if item["name"] == "database")
        assert file == Path(mount["mountPath"]) / volume["secret"]["items"][0]["path"]


@pytest.mark.requirement("R-OP4")
def test_settings_arrive_as_they_were_written() -> None:
    asked: dict[str, Any] = {
        "event": {"retention_events": 20_000_000, "retention_age_s": 0.5},
        "inference": {"workers": 4, "models": {"det": {"path": "/models/x", "sha256": "00"}}},
        "server": {"reflection": False, "keepalive_time_s": 25},
        "bridge": {"max_sockets": 12_345_678, "envoy": {"max_connections": 5_000_000}},
    }
    objects = Objects.of({"settings": asked})
    settings = _settings(objects, "extraction")
    assert settings.event.retention_events == 20_000_000
    assert settings.event.retention_age_s == 0.5
    assert settings.inference.workers == 4
    assert settings.inference.models["det"].path == Path("/models/x")
    assert settings.server.reflection is False
    assert settings.server.port == PORTS["extraction"]
    bridge = _settings(objects, "envoy").bridge
    assert bridge.max_sockets == 12_345_678
    assert bridge.envoy.max_connections == 5_000_000
    # Beside what the chart says of the same section.
    assert bridge.envoy.bridge == "demo-vidence-bridge:8081"
