"""The commands about streams as one program, whatever is installed."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

from click.testing import CliRunner, Result

from vidence_cli.main import CommandGroup

ENTRY_POINTS = [
    EntryPoint(name, value, "vidence.commands")
    for name, value in {
        "events": "vidence_cli.events.commands:events",
        "load": "vidence_cli.load.command:load",
        "record": "vidence_cli.recordings.record:record",
        "replay": "vidence_cli.recordings.replay:replay",
        "check": "vidence_cli.recordings.check:check",
        "conformance": "vidence_cli.conformance.command:conformance",
    }.items()
]
program = CommandGroup(name="vidence", find_commands=lambda: ENTRY_POINTS)
PROGRAM = [sys.executable, "-c", "from fakes.commands import program; program()"]
"""The same as a process of its own; needs `tests` on the path."""


def invoke(*arguments: object, stdin: str | None = None) -> Result:
    """Runs a command in this process, as a shell would."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments], input=stdin)
