"""`vidence face quality`: measures how good pictures of faces are."""

from __future__ import annotations

import click

from vidence_cli.face.asking import ask_each, json_option, picture_argument
from vidence_cli.face.drawn import quality_table
from vidence_cli.server import chosen_server, server_options


@click.command()
@picture_argument("files", several=True)
@json_option
@server_options
@click.pass_context
def quality(context: click.Context, /, *, files: tuple[str, ...], as_json: bool, **_: object) -> None:
    """Measure the largest face of each picture; names are those of ISO/IEC 29794-5, `~` is estimated."""
    context.exit(
        ask_each(
            chosen_server(context),
            files,
            lambda client, content: client.faces.assess_quality(content),
            quality_table,
            as_json=as_json,
        )
    )
