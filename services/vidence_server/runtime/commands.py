"""`vidence config`: shows the settings in force. Whoever owns the settings says how they are loaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from vidence_server.core.errors import DomainError
from vidence_server.runtime.settings import Section, show_settings

Load = Callable[[Path | None, Mapping[str, str]], Section]


def config_command(load: Load) -> click.Group:
    """The command group `config` for the settings that `load(config file, environment)` gives."""

    @click.group("config")
    def config() -> None:
        """Looks at the settings."""

    @config.command("show")
    @click.option(
        "--config",
        "path",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="VIDENCE_CONFIG",
        help="TOML file with one table per section.",
    )
    def show(path: Path | None) -> None:
        """Prints the settings in force, with defaults, file and environment applied, as TOML."""
        try:
            settings = load(path, os.environ)
        except DomainError as error:
            click.echo(error.message, err=True)
            raise SystemExit(2) from None
        click.echo(show_settings(settings), nl=False)

    return config
