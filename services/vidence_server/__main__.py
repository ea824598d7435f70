"""The server's commands: `vidence serve` and `vidence config`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import click
import structlog
import uvloop

from vidence_server.bridge.commands import envoy_command_group
from vidence_server.bridge.settings import BridgeSettings
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.access_settings import TlsSettings
from vidence_server.runtime.commands import config_command
from vidence_server.runtime.logs import configure_logs
from vidence_server.suite.table import PORTS, SERVICES
from vidence_server.suite_settings import SuiteSettings, load_suite_settings

_USAGE = 2


def load(path: Path | None, environ: Mapping[str, str]) -> SuiteSettings:
    """The settings of the process from a file and the environment; see `load_suite_settings`."""
    return load_suite_settings(path, environ)


config = config_command(load)


@click.command()
@click.argument("service", type=click.Choice([*SERVICES, "bridge", "all"]))
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
    """Runs a service, all of them in one process, or the bridge to HTTP, until SIGTERM or Ctrl-C."""
    asked = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    section = "bridge" if service == "bridge" else "server"
    logs = False
    try:
        settings = load_suite_settings(path, os.environ, {section: asked} if asked else None)
        if service in PORTS:
            settings = _with_port(settings, PORTS[service])
        configure_logs(settings.log, sys.stderr)
        logs = True
        logging.captureWarnings(
            capture=True
        )  # a library's warning about a file is a log entry like any other
        if service == "bridge":
            uvloop.run(_serve_bridge(settings))
            return
        uvloop.run(_serve(settings, SERVICES if service == "all" else (service,)))
    except DomainError as error:
        raise _stopped(error, logs=logs) from None


def _stopped(error: DomainError, *, logs: bool) -> SystemExit:
    """Tells people why it does not run, and programs by an entry of the log that has the reason."""
    exit_code = _USAGE if error.reason is Reason.CONFIGURATION_INVALID else 1
    if logs:
        told = {**error.metadata, "reason": str(error.reason), "exit_code": exit_code}
        structlog.get_logger("vidence_server").error("cannot serve", **told)
    click.echo(f"vidence: {error.message}", err=True)
    return SystemExit(exit_code)


def _with_port(settings: SuiteSettings, port: int) -> SuiteSettings:
    """The settings with the port of a service that runs alone, where none was asked for."""
    if "port" in settings.server.model_fields_set:
        return settings
    return settings.model_copy(update={"server": settings.server.model_copy(update={"port": port})})


async def _serve(settings: SuiteSettings, services: tuple[str, ...]) -> None:
    # A process imports what it serves: the bridge needs neither models nor databases.
    from vidence_server.runtime.lifecycle import serve_until_signal  # noqa: PLC0415  # see above
    from vidence_server.suite.opening import open_suite  # noqa: PLC0415  # see above

    async with open_suite(settings, services) as suite:
        await serve_until_signal(suite.server, warm_up=suite.warm_up)


async def _serve_bridge(settings: SuiteSettings) -> None:
    from vidence_server.bridge.app import serve_bridge  # noqa: PLC0415  # as in `_serve`
    from vidence_server.runtime.metrics import Metrics  # noqa: PLC0415  # as in `_serve`
    from vidence_server.runtime.metrics_server import MetricsServer  # noqa: PLC0415  # as in `_serve`
    from vidence_server.runtime.tracing import open_tracing  # noqa: PLC0415  # as in `_serve`

    metrics = Metrics(version=version("vidence"))
    async with MetricsServer(settings.metrics, metrics) as served:
        if served.port is not None:
            url = f"http://{settings.metrics.host}:{served.port}/metrics"
            structlog.get_logger("vidence_server.bridge").info("metrics", url=url)
        async with open_tracing(settings.tracing, metrics, version=version("vidence")) as tracing:
            await serve_bridge(
                settings.bridge,
                metrics,
                version=version("vidence"),
                clock=SystemClock(),
                tls=settings.tls,
                drain_grace_s=settings.server.drain_grace_s,
                tracing=tracing,
            )


def _bridge_settings(
    path: Path | None, environ: Mapping[str, str]
) -> tuple[BridgeSettings, TlsSettings, Path]:
    settings = load_suite_settings(path, environ)
    return settings.bridge, settings.tls, settings.storage.folder


envoy = envoy_command_group(_bridge_settings)


@click.group()
def main() -> None:
    """Vidence's server, for environments without the `vidence` command."""


main.add_command(serve)
main.add_command(config)
main.add_command(envoy)

if __name__ == "__main__":
    main()
