"""`vidence check`: judges a recorded stream by the guarantees of its contract."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from vidence_cli.exit_codes import ExitCode
from vidence_cli.recordings.files import load_recording
from vidence_cli.recordings.format import Recording
from vidence_cli.recordings.judging import judge
from vidence_client.conformance import Violation


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="JSON; the default where stdout is no terminal.")
@click.pass_context
def check(context: click.Context, /, *, file: Path, as_json: bool) -> None:
    """Run the validators of the stream contract on a recording."""
    recording = load_recording(file)
    violations = judge(recording)
    if as_json or not sys.stdout.isatty():
        click.echo(json.dumps(_members(recording, violations)))
    else:
        _tell(recording, violations)
    context.exit(ExitCode.FAILED if violations else ExitCode.FINE)


def _members(recording: Recording, violations: list[Violation]) -> dict[str, object]:
    return {
        "rpc": recording.header.rpc,
        "server": recording.header.server,
        "connections": len(recording.connections),
        "messages": sum(1 for _ in recording.arrivals),
        "violations": [
            {"validator": found.validator, "message": found.message, "position": found.position}
            for found in violations
        ],
    }


def _tell(recording: Recording, violations: list[Violation]) -> None:
    console = Console()
    for found in violations:
        console.print(
            Text.assemble(
                ("✗ ", "bold red"),
                (found.validator, "bold"),
                f" at message {found.position}: {found.message}",
            )
        )
    count = sum(1 for _ in recording.arrivals)
    name = recording.header.rpc.rpartition("/")[2]
    if not violations:
        console.print(Text.assemble(("✓ ", "bold green"), f"{name}: {count} messages, every guarantee holds"))
