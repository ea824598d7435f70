"""`vidence load`: opens many subscriptions, and tells what arrived and what it cost."""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
from contextlib import suppress

import click
from rich.console import Console
from rich.text import Text

from vidence_cli.exit_codes import ExitCode
from vidence_cli.load.report import findings, measures, table_of_measures
from vidence_cli.load.run import LoadOutcome, LoadPlan, LoadRun
from vidence_cli.load.usage import ReadUsage, UsageUnknown, usage_of_metrics, usage_of_process

_FILES_OF_OUR_OWN = 64


@click.command()
@click.argument("address", metavar="HOST:PORT")
@click.option("--subscribers", type=click.IntRange(min=1), default=100, show_default=True, help="How many.")
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to watch once all are connected.",
)
@click.option(
    "--publish-rate",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Events per second to publish meanwhile; latencies are measured with them.",
)
@click.option(
    "--heartbeat",
    type=click.FloatRange(1, 300),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Heartbeat period to ask for.",
)
@click.option(
    "--pid", type=click.IntRange(min=1), help="Process of the server, where it runs on this machine."
)
@click.option(
    "--metrics", metavar="URL", help="Metrics of the server, to read its processor time and memory."
)
@click.option("--json", "as_json", is_flag=True, help="JSON; the default where stdout is no terminal.")
@click.pass_context
def load(
    context: click.Context,
    /,
    *,
    address: str,
    subscribers: int,
    duration: float,
    publish_rate: float,
    heartbeat: float,
    pid: int | None,
    metrics: str | None,
    as_json: bool,
) -> None:
    """Open many subscriptions at once and check that all connect and none falls silent or misses an event."""
    _allow_files(subscribers + _FILES_OF_OUR_OWN)
    plan = LoadPlan(address, subscribers, duration, publish_rate, heartbeat, _usage(pid, metrics))
    outcome = asyncio.run(_run(plan))
    if as_json or not sys.stdout.isatty():
        click.echo(json.dumps({**measures(outcome), "missing": findings(outcome)}))
    else:
        _tell(outcome)
    context.exit(ExitCode.FAILED if findings(outcome) else ExitCode.FINE)


async def _run(plan: LoadPlan) -> LoadOutcome:
    return await LoadRun(plan, randomness=random.Random()).run()


def _usage(pid: int | None, metrics: str | None) -> ReadUsage | None:
    if pid is not None and metrics is not None:
        raise click.UsageError("--pid and --metrics exclude each other")
    try:
        if metrics is not None:
            return usage_of_metrics(metrics)
    except UsageUnknown as error:
        raise click.UsageError(f"--metrics: {error}") from None
    return None if pid is None else usage_of_process(pid)


def _allow_files(needed: int) -> None:
    """Raises this process's limit of open files: every connection is one.

    Raises:
        click.ClickException: The system does not allow so many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed:
        return
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed if hard == resource.RLIM_INFINITY else hard, hard))
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < needed:
        raise click.ClickException(f"the system allows fewer than {needed} open files; see `ulimit -Hn`")


def _tell(outcome: LoadOutcome) -> None:
    console = Console()
    console.print(table_of_measures(outcome))
    for finding in findings(outcome):
        console.print(Text.assemble(("✗ ", "bold red"), finding))
    if not findings(outcome):
        console.print(Text.assemble(("✓ ", "bold green"), "all connected, nothing missing"))
