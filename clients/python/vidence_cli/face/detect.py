"""`vidence face detect`: finds the faces of pictures."""

from __future__ import annotations

import click

from vidence_cli.face.asking import ask_each, json_option, picture_argument
from vidence_cli.face.drawn import faces_table
from vidence_cli.server import chosen_server, server_options


@click.command()
@picture_argument("files", several=True)
@click.option("--pose", is_flag=True, help="Let the model tell the poses; else they are estimated.")
@click.option("--contour", is_flag=True, help="Tell 68 points of each face (in JSON).")
@json_option
@server_options
@click.pass_context
def detect(
    context: click.Context,
    /,
    *,
    files: tuple[str, ...],
    pose: bool,
    contour: bool,
    as_json: bool,
    **_: object,
) -> None:
    """Find the faces of pictures. `-` reads standard input."""
    context.exit(
        ask_each(
            chosen_server(context),
            files,
            lambda client, content: client.faces.detect(content, with_pose=pose, with_contour=contour),
            faces_table,
            as_json=as_json,
        )
    )
