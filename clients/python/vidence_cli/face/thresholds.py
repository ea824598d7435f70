"""`vidence face thresholds`: how often each threshold was wrong."""

from __future__ import annotations

import click

from vidence_cli.face.asking import ask_once, json_option
from vidence_cli.face.drawn import thresholds_table
from vidence_cli.server import chosen_server, server_options


@click.command()
@json_option
@server_options
@click.pass_context
def thresholds(context: click.Context, /, *, as_json: bool, **_: object) -> None:
    """Show the thresholds of `compare` with their measured error rates."""
    ask_once(
        chosen_server(context),
        lambda client: client.faces.list_thresholds(),
        thresholds_table,
        as_json=as_json,
    )
