"""`vidence envoy`: the door for browsers, with a configuration of its own making."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from vidence_server.bridge.contract import Contract, descriptor_bytes
from vidence_server.bridge.envoy.process import check_ports, envoy_command, write_files
from vidence_server.bridge.settings import BridgeSettings
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.access_settings import TlsSettings

Load = Callable[[Path | None, Mapping[str, str]], tuple[BridgeSettings, TlsSettings, Path]]
"""Gives the bridge's settings, how services are dialled, and the data folder."""
_USAGE = 2


def envoy_command_group(load: Load) -> click.Group:
    """The command group `envoy` for the settings that `load(config file, environment)` gives."""
    config_option = click.option(
        "--config",
        "path",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="VIDENCE_CONFIG",
        help="TOML file with one table per section.",
    )
    folder_option = click.option(
        "--folder",
        type=click.Path(file_okay=False, path_type=Path),
        help="Where Envoy's files are written; unset: `envoy` in the data folder.",
    )

    @click.group("envoy")
    def envoy() -> None:
        """Envoy in front of the suite: gRPC-Web, JSON, SSE, TLS."""

    @envoy.command("config")
    @config_option
    @folder_option
    def config(path: Path | None, folder: Path | None) -> None:
        """Writes the configuration and what it needs, and prints where."""
        settings, written = _prepared(load, path, folder)
        click.echo(written)
        with _told():
            click.echo(" ".join(envoy_command(settings.envoy, written)), err=True)

    @envoy.command("run")
    @config_option
    @folder_option
    def run(path: Path | None, folder: Path | None) -> None:
        """Runs Envoy in the place of this process, until SIGTERM or Ctrl-C."""
        settings, written = _prepared(load, path, folder)
        with _told():
            check_ports(settings.envoy)
            command = envoy_command(settings.envoy, written)
            os.execv(command[0], command)  # noqa: S606  # no shell; the program is the one that the settings name

    return envoy


def _prepared(load: Load, path: Path | None, folder: Path | None) -> tuple[BridgeSettings, Path]:
    with _told():
        settings, tls, data = load(path, os.environ)
        return settings, write_files(Contract(descriptor_bytes()), settings, folder or data / "envoy", tls)
    raise AssertionError("told errors exit")


@contextmanager
def _told() -> Iterator[None]:
    """Tells a failure in words, and exits."""
    try:
        yield
    except DomainError as error:
        click.echo(f"vidence: {error.message}", err=True)
        raise SystemExit(_USAGE if error.reason is Reason.CONFIGURATION_INVALID else 1) from None
