"""`vidence batch`: the group of commands about batches."""

from __future__ import annotations

import click

from vidence_cli.batch.export import export
from vidence_cli.batch.lookup import cancel, delete, get, list_batches, retry
from vidence_cli.batch.run import run, submit, watch


@click.group()
def batch() -> None:
    """Read many images as one piece of work that survives interruptions."""


for _command in (run, submit, watch, get, list_batches, cancel, retry, delete, export):
    batch.add_command(_command)
