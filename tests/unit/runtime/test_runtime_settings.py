from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.settings import (
    LogSettings,
    MetricsSettings,
    Section,
    ServerSettings,
    load_settings,
    show_settings,
)
from vidence_server.suite_settings import load_suite_settings


class Store(Section):
    """A section with the kinds of values that settings have."""

    url: SecretStr = SecretStr("")
    folders: tuple[str, ...] = ()
    limit: int | None = Field(None, ge=1, description="Most entries.")


class Process(Section):
    """The settings of a process."""

    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    store: Store = Store()


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "vidence.toml"
    path.write_text(text)
    return path


def problems(error: pytest.ExceptionInfo[DomainError]) -> list[str]:
    assert error.value.reason is Reason.CONFIGURATION_INVALID
    return [line.strip() for line in error.value.message.splitlines()[1:]]


def test_without_anything_the_defaults_are_in_force() -> None:
    settings = load_settings(Process, config=None, environ={})
    assert settings == Process()
    assert settings.server.host == "127.0.0.1"


def test_the_environment_beats_the_file_and_the_command_line_beats_both(tmp_path: Path) -> None:
    config = written(tmp_path, "[server]\nport = 1\nmax_streams = 2\nhost = 'a'\nreflection = false")
    settings = load_settings(
        Process,
        config=config,
        environ={"VIDENCE_SERVER__PORT": "3", "VIDENCE_SERVER__HOST": "b"},
        overrides={"server": {"host": "c"}},
    )
    server = settings.server
    assert (server.host, server.port, server.max_streams, server.reflection) == ("c", 3, 2, False)


def test_lists_in_the_environment_are_json() -> None:
    settings = load_settings(Process, config=None, environ={"VIDENCE_STORE__FOLDERS": '["a", "b"]'})
    assert settings.store.folders == ("a", "b")


def test_an_empty_text_unsets_what_may_be_unset_and_nothing_else(tmp_path: Path) -> None:
    file = written(tmp_path, "[store]\nlimit = 7\n")
    settings = load_settings(Process, config=file, environ={"VIDENCE_STORE__LIMIT": ""})
    assert settings.store.limit is None
    with pytest.raises(DomainError, match=r"server\.port"):
        load_settings(Process, config=None, environ={"VIDENCE_SERVER__PORT": ""})
    kept = load_settings(Process, config=None, environ={"VIDENCE_SERVER__HOST": ""})
    assert kept.server.host == ""


@pytest.mark.requirement("R-WE1", "R-OP2")
def test_the_tls_door_is_closed_from_the_environment() -> None:
    environ = {"VIDENCE_BRIDGE__ENVOY__TLS_PORT": ""}
    assert load_suite_settings(None, environ).bridge.envoy.tls_port is None


@pytest.mark.requirement("R-OP2")
def test_variables_of_other_processes_and_programs_are_left_alone() -> None:
    environ = {"VIDENCE_FACE__PORT": "x", "VIDENCE_DATA_DIR": "/data", "HOME": "/root", "SERVER__PORT": "7"}
    assert load_settings(Process, config=None, environ=environ) == Process()


@pytest.mark.requirement("R-OP3")
def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    config = written(tmp_path, "[server]\nport = 70000\nprot = 1\n[sever]\nport = 1")
    environ = {"VIDENCE_LOG__LEVEL": "loud", "VIDENCE_STORE__LIMITS": "3"}
    with pytest.raises(DomainError) as error:
        load_settings(Process, config=config, environ=environ)
    told = problems(error)
    assert len(told) == 5
    for start in (
        "server.port (VIDENCE_SERVER__PORT): ",
        "server.prot (VIDENCE_SERVER__PROT): no such setting",
        "sever (VIDENCE_SEVER): no such setting",
        "log.level (VIDENCE_LOG__LEVEL): ",
        "store.limits (VIDENCE_STORE__LIMITS): no such setting",
    ):
        assert any(line.startswith(start) for line in told)


def test_a_file_that_cannot_be_read_is_a_problem_beside_the_others(tmp_path: Path) -> None:
    with pytest.raises(DomainError) as error:
        load_settings(Process, config=tmp_path / "none.toml", environ={"VIDENCE_SERVER__PORT": "x"})
    told = problems(error)
    assert told[0].endswith("none.toml: No such file or directory")
    assert told[1].startswith("server.port")


def test_a_file_that_is_not_toml_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="not TOML"):
        load_settings(Process, config=written(tmp_path, "[server"), environ={})


def test_a_value_where_a_section_belongs_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(DomainError) as error:
        load_settings(Process, config=written(tmp_path, "server = 3"), environ={})
    assert problems(error)[0].startswith("server ")


def test_a_wrong_secret_is_not_repeated() -> None:
    with pytest.raises(DomainError) as error:
        load_settings(Process, config=None, environ={"VIDENCE_STORE__URL": '["hunter2"]'})
    assert "hunter2" not in error.value.message


def test_shown_settings_are_toml_that_loads_to_the_same_settings(tmp_path: Path) -> None:
    environ = {
        "VIDENCE_SERVER__PORT": "7",
        "VIDENCE_STORE__FOLDERS": '["a \\" b"]',
        "VIDENCE_LOG__LEVEL": "debug",
    }
    settings = load_settings(Process, config=None, environ=environ)
    text = show_settings(settings)
    assert "# Most entries." in text
    assert load_settings(Process, config=written(tmp_path, text), environ={}) == settings


def test_shown_secrets_are_masked() -> None:
    settings = load_settings(
        Process, config=None, environ={"VIDENCE_STORE__URL": "postgresql://u:hunter2@db"}
    )
    text = show_settings(settings)
    assert "hunter2" not in text
    assert tomllib.loads(text)["store"]["url"].startswith("***")


def test_every_setting_says_what_it_is() -> None:
    for section in (ServerSettings, LogSettings, MetricsSettings):
        assert all(field.description for field in section.model_fields.values())
