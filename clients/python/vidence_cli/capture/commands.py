"""The command `vidence capture` and its subcommands."""

from __future__ import annotations

import click

from vidence_cli.capture.run import run
from vidence_cli.capture.top import top


@click.group()
def capture() -> None:
    """Capture faces and documents live from a camera."""


capture.add_command(run)
capture.add_command(top)
