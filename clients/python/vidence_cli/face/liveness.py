"""`vidence face liveness`: live, or a picture of a face."""

from __future__ import annotations

import click

from vidence_cli.face.asking import ask_once, content_of, json_option, picture_argument
from vidence_cli.face.drawn import liveness_table
from vidence_cli.server import chosen_server, server_options


@click.command()
@picture_argument("frames", several=True)
@click.option(
    "--threshold", type=click.FloatRange(0, 1), help="Mean score of a live face; default: the server's."
)
@click.option(
    "--min-frames", type=click.IntRange(1, 30), help="Frames that a verdict needs; default: the server's."
)
@json_option
@server_options
@click.pass_context
def liveness(
    context: click.Context,
    /,
    *,
    frames: tuple[str, ...],
    threshold: float | None,
    min_frames: int | None,
    as_json: bool,
    **_: object,
) -> None:
    """Judge frames of one camera together. An indication: not certified attack detection."""
    contents = [content_of(name) for name in frames]
    ask_once(
        chosen_server(context),
        lambda client: client.faces.check_liveness(contents, threshold=threshold, min_frames=min_frames),
        liveness_table,
        as_json=as_json,
    )
