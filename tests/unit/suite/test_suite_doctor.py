"""`vidence doctor` on installations that something is wrong with."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vidence_server.suite import doctor_checks
from vidence_server.suite.doctor import doctor
from vidence_server.suite.doctor_checks import State, certificate
from vidence_server.suite_settings import SuiteSettings, load_suite_settings

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def settings(**environ: str) -> SuiteSettings:
    return load_suite_settings(None, {f"VIDENCE_{key}": value for key, value in environ.items()})


def certificate_until(path: Path, end: datetime) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=90))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.requirement("R-OP3")
@pytest.mark.parametrize(
    ("left", "state"), [(90, State.OK), (5, State.WARN), (-1, State.FAIL)], ids=["long", "soon", "over"]
)
def test_a_certificate_is_told_by_how_long_it_lasts(tmp_path: Path, left: int, state: State) -> None:
    path = certificate_until(tmp_path / "a.crt", NOW + timedelta(days=left))
    found = certificate("tls.certificate", path, NOW)
    assert found.state is state
    assert bool(found.remedy) is (state is not State.OK)


@pytest.mark.requirement("R-OP3")
def test_a_file_that_is_no_certificate_fails(tmp_path: Path) -> None:
    (tmp_path / "a.crt").write_text("no certificate")
    assert certificate("tls.certificate", tmp_path / "a.crt", NOW).state is State.FAIL
    assert certificate("tls.certificate", tmp_path / "b.crt", NOW).state is State.FAIL


@pytest.mark.requirement("R-OP3")
def test_a_port_that_is_taken_is_a_warning_that_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        found = {one.what: one for one in doctor_checks.ports(settings(SERVER__PORT=port))}
    assert found["server.port"].state is State.WARN
    assert "VIDENCE_SERVER__PORT" in found["server.port"].remedy
    foreign = {one.what: one for one in doctor_checks.ports(settings(SERVER__HOST="192.0.2.1"))}
    assert foreign["server.port"].state is State.FAIL


@pytest.mark.requirement("R-OP3", "R-OP5")
def test_a_door_that_is_open_by_mistake_fails() -> None:
    [found] = doctor_checks.exposure(settings(SERVER__HOST="0.0.0.0"))  # noqa: S104 - that is the point
    assert found.state is State.FAIL
    [fine] = doctor_checks.exposure(settings())
    assert fine.state is State.OK


@pytest.mark.requirement("R-OP3")
def test_models_that_are_not_there_are_each_named(tmp_path: Path) -> None:
    found = list(doctor_checks.models(settings(INFERENCE__MODELS_DIR=str(tmp_path))))
    assert len(found) > 3
    assert {one.state for one in found} == {State.FAIL}
    assert {one.remedy for one in found} == {"Run `vidence models pull`."}


@pytest.mark.requirement("R-OP3")
def test_a_data_folder_below_a_file_fails_and_little_room_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    [blocked] = doctor_checks.disk(settings(STORAGE__DATA_DIR=str(tmp_path / "file" / "data")))
    assert blocked.state is State.FAIL
    for free, state in ((10 * 2**30, State.OK), (2 * 2**30, State.WARN), (2**20, State.FAIL)):
        usage: Any = type("Usage", (), {"free": free})
        monkeypatch.setattr("shutil.disk_usage", lambda _place, usage=usage: usage)
        [found] = doctor_checks.disk(settings(STORAGE__DATA_DIR=str(tmp_path / "new")))
        assert found.state is state


@pytest.mark.requirement("R-OP3")
def test_an_envoy_that_is_not_there_fails_and_one_that_is_tells_its_version(tmp_path: Path) -> None:
    [absent] = doctor_checks.envoy(settings(BRIDGE__ENVOY__BINARY=str(tmp_path / "envoy")))
    assert absent.state is State.FAIL
    [there] = doctor_checks.envoy(settings())
    assert there.state is State.OK
    assert there.told


@pytest.mark.requirement("R-OP3", "R-OP6")
def test_a_database_that_does_not_answer_fails_without_its_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"postgresql+asyncpg://vidence:hush@127.0.0.1:{port}/vidence"
    [found] = doctor_checks.database(settings(STORAGE__DATABASE_URL=url))
    assert found.state is State.FAIL
    assert "hush" not in str(found)
    [files] = doctor_checks.database(settings())
    assert files.state is State.OK


@pytest.mark.requirement("R-OP3")
def test_the_command_ends_with_1_where_something_fails_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VIDENCE_INFERENCE__MODELS_DIR", str(tmp_path))
    done = CliRunner().invoke(doctor, ["--json"])
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 1
    assert told[0]["what"] == "settings"
    assert {"what", "state", "told", "remedy"} == set(told[0])
    plain = CliRunner().invoke(doctor, [])
    assert "Run `vidence models pull`." in plain.stdout


@pytest.mark.requirement("R-OP3")
def test_wrong_settings_are_the_only_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDENCE_SERVER__COLOUR", "red")
    done = CliRunner().invoke(doctor, [])
    assert done.exit_code == 1
    assert "server.colour" in done.stdout
    assert "models" not in done.stdout
