"""`vidence doctor`: what is wrong with this installation, and what to do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from vidence_server.core.errors import DomainError
from vidence_server.suite.doctor_checks import CHECKS, Finding, State
from vidence_server.suite_settings import load_suite_settings

_SIGNS = {State.OK: ("ok  ", "green"), State.WARN: ("warn", "yellow"), State.FAIL: ("fail", "red")}


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="VIDENCE_CONFIG",
    help="TOML file with one table per section.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def doctor(path: Path | None, *, as_json: bool) -> None:
    """Looks at settings, ports, models, disk, Envoy, database and certificates; changes nothing.

    Ends with 1 where something fails, else with 0; a warning is no failure.
    """
    failed = False
    for finding in findings(path):
        failed = failed or finding.state is State.FAIL
        _tell(finding, as_json=as_json)
    raise SystemExit(1 if failed else 0)


def findings(path: Path | None) -> Iterator[Finding]:
    """Everything that the checks find; wrong settings are the only finding where there are some."""
    try:
        settings = load_suite_settings(path, os.environ)
    except DomainError as error:
        yield Finding("settings", State.FAIL, error.message, "Correct them; `vidence config show` helps.")
        return
    yield Finding("settings", State.OK, str(path) if path is not None else "defaults and environment")
    for check in CHECKS:
        yield from check(settings)


def _tell(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(finding), ensure_ascii=False))
        return
    sign, colour = _SIGNS[finding.state]
    click.echo(f"{click.style(sign, fg=colour)}  {finding.what}: {finding.told}")
    if finding.remedy:
        click.echo(f"      {finding.remedy}")
