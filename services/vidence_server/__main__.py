"""The server's commands: `vidence serve` and `vidence config`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import uvloop

from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.commands import config_command
from vidence_server.runtime.lifecycle import serve_until_signal
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.settings import load_settings
from vidence_server.suite import SERVICES, SuiteSettings, open_suite

_USAGE = 2


def load(path: Path | None, environ: Mapping[str, str]) -> SuiteSettings:
    """The suite's settings from a file and the environment; raises `DomainError`, CONFIGURATION_INVALID."""
    return load_settings(SuiteSettings, config=path, environ=environ)


config = config_command(load)


@click.command()
@click.argument("service", type=click.Choice([*SERVICES, "all"]))
@click.option(
    "--config",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="VIDENCE_CONFIG",
    help="TOML file with one table per section; `vidence config show` prints one.",
)
@click.option("--host", help="Address to listen on; over file and environment.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; over file and environment.")
def serve(service: str, path: Path | None, host: str | None, port: int | None) -> None:
    """Runs a service, or all of them in one process, until SIGTERM or Ctrl-C."""
    asked = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    try:
        settings = load_settings(
            SuiteSettings, config=path, environ=os.environ, overrides={"server": asked} if asked else None
        )
        configure_logs(settings.log, sys.stderr)
        logging.captureWarnings(
            capture=True
        )  # a library's warning about a file is a log entry like any other
        uvloop.run(_serve(settings, SERVICES if service == "all" else (service,)))
    except DomainError as error:
        click.echo(f"vidence: {error.message}", err=True)
        raise SystemExit(_USAGE if error.reason is Reason.CONFIGURATION_INVALID else 1) from None


async def _serve(settings: SuiteSettings, services: tuple[str, ...]) -> None:
    async with open_suite(settings, services) as suite:
        await serve_until_signal(suite.server, warm_up=suite.warm_up)


@click.group()
def main() -> None:
    """Vidence's server, for environments without the `vidence` command."""


main.add_command(serve)
main.add_command(config)

if __name__ == "__main__":
    main()
