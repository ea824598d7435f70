"""`vidence conformance`: tries the stream contract on any server and judges what it does."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vidence_cli.conformance.run import ConformanceRun
from vidence_cli.conformance.verdicts import Verdict, Verdicts
from vidence_cli.exit_codes import ExitCode

_TOLD_PER_GUARANTEE = 5


@click.command()
@click.argument("address", metavar="HOST:PORT")
@click.option(
    "--soak",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Go round again until this time has passed.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON; the default where stdout is no terminal.")
@click.pass_context
def conformance(context: click.Context, /, *, address: str, soak: float, as_json: bool) -> None:
    """Run the stream contract against a server: publish, watch, resume, cut; tell each guarantee's verdict.

    It publishes some events of its own, with a source that nobody else has.
    """
    run = ConformanceRun(address, Verdicts(), monotonic=time.monotonic)
    asyncio.run(run.run(soak_s=soak))
    if not run.services:
        raise click.ClickException(f"{address}: none of the services that can be tried is there")
    if as_json or not sys.stdout.isatty():
        click.echo(json.dumps(_members(run)))
    else:
        Console().print(table_of_verdicts(run.verdicts.all))
        Console().print(Text(f"{', '.join(run.services)}; {run.rounds} rounds", style="dim"))
    context.exit(ExitCode.FAILED if run.verdicts.broken else ExitCode.FINE)


def _members(run: ConformanceRun) -> dict[str, object]:
    return {
        "services": run.services,
        "rounds": run.rounds,
        "guarantees": [
            {"guarantee": verdict.guarantee, "checks": verdict.checks, "violations": verdict.violations}
            for verdict in run.verdicts.all
        ],
    }


def table_of_verdicts(verdicts: list[Verdict]) -> Table:
    """Draws the verdicts for a person, one row per guarantee."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("guarantee", no_wrap=True)
    table.add_column("checks", justify="right")
    table.add_column("verdict", overflow="fold")
    for verdict in verdicts:
        table.add_row(Text(verdict.guarantee, style="cyan"), str(verdict.checks), _told(verdict))
    return table


def _told(verdict: Verdict) -> Text:
    if not verdict.violations:
        return Text("✓ holds", style="green")
    told = Text(f"✗ {len(verdict.violations)} violations", style="bold red")
    for violation in verdict.violations[:_TOLD_PER_GUARANTEE]:
        told.append(f"\n{violation}", style="not bold red")
    return told
