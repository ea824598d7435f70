"""deploy/compose.yaml, without an engine: what it names is there, and fits together."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import yaml

from helm.chart_rendering import CHART, ROOT, Json
from helm.deployed import check_names, endpoints, write_envoy
from vidence_cli.main import CommandGroup, installed_commands
from vidence_server.runtime.access_settings import TlsSettings
from vidence_server.suite_settings import SuiteSettings, load_suite_settings

FILE = ROOT / "deploy" / "compose.yaml"
OURS = ("suite", "bridge", "envoy-config")


def _compose() -> Json:
    found: Json = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def _settings(name: str) -> SuiteSettings:
    return load_suite_settings(None, _compose()["services"][name]["environment"])


@pytest.mark.requirement("R-OP2")
@pytest.mark.parametrize("name", OURS)
def test_compose_sets_what_the_server_knows_and_runs_what_it_has(name: str) -> None:
    service = _compose()["services"][name]
    check_names(service["environment"])
    _settings(name)
    command = CommandGroup(find_commands=installed_commands)
    args = list(service["command"])
    found: click.Command | None = command
    while isinstance(found, click.Group):
        found = found.get_command(click.Context(found), args.pop(0))
    assert found is not None
    # Raises where an argument or option is unknown.
    assert found.make_context(found.name, args) is not None


@pytest.mark.requirement("R-OP2")
def test_compose_builds_the_image_that_its_services_run() -> None:
    services = _compose()["services"]
    build = services["suite"]["build"]
    assert (FILE.parent / build["context"]).resolve() == ROOT
    dockerfile = ROOT / build["dockerfile"]
    assert re.search(rf"AS {build['target']}$", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    assert len({services[name]["image"] for name in OURS}) == 1
    envoy = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["envoy"]["image"]
    assert services["envoy"]["image"] == f"{envoy['repository']}:{envoy['tag']}"


@pytest.mark.requirement("R-OP2")
def test_compose_containers_may_do_nothing_special_and_are_reached_from_here_only() -> None:
    for service in _compose()["services"].values():
        assert service["user"] == "10001:10001"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.requirement("R-OP2")
def test_compose_waits_longer_than_the_drain_takes() -> None:
    server = _settings("suite").server
    period = int(_compose()["services"]["suite"]["stop_grace_period"].removesuffix("s"))
    assert period > 2 * server.drain_grace_s + server.drain_accept_s


@pytest.mark.requirement("R-OP2")
def test_envoy_of_compose_finds_suite_and_bridge(tmp_path: Path) -> None:
    services = _compose()["services"]
    settings = _settings("envoy-config").bridge
    config = write_envoy(settings, TlsSettings(), tmp_path)
    found = endpoints(config)
    suite = ("suite", _settings("suite").server.port)
    assert found.pop("bridge") == ("bridge", _settings("bridge").bridge.port)
    assert found
    assert set(found.values()) == {suite}
    assert {host for host, _ in found.values()} <= services.keys()
    ports = {
        listener["address"]["socket_address"]["port_value"]
        for listener in config["static_resources"]["listeners"]
    }
    assert {int(port.rpartition(":")[2]) for port in services["envoy"]["ports"]} == ports
    assert services["envoy"]["volumes"] == services["envoy-config"]["volumes"]
