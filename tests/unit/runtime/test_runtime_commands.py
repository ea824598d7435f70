from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from vidence_server.runtime.commands import config_command
from vidence_server.runtime.settings import LogSettings, Section, load_settings


class Process(Section):
    log: LogSettings = LogSettings()


def load(config: Path | None, environ: Mapping[str, str]) -> Process:
    return load_settings(Process, config=config, environ=environ)


@pytest.mark.requirement("R-OP3")
def test_config_show_prints_the_settings_in_force(tmp_path: Path) -> None:
    config = tmp_path / "vidence.toml"
    config.write_text("[log]\nlevel = 'debug'")
    result = CliRunner(env={"VIDENCE_LOG__FORMAT": "json"}).invoke(
        config_command(load), ["show", "--config", str(config)]
    )
    assert result.exit_code == 0
    assert 'level = "debug"' in result.output
    assert 'format = "json"' in result.output


def test_config_show_lists_the_problems_and_fails_as_wrong_usage() -> None:
    result = CliRunner(env={"VIDENCE_LOG__FORMAT": "xml"}).invoke(config_command(load), ["show"])
    assert result.exit_code == 2
    assert "VIDENCE_LOG__FORMAT" in result.output
