"""`vidence face compare`: the same person, or not."""

from __future__ import annotations

import click

from vidence_cli.face.asking import ask_once, content_of, json_option, picture_argument
from vidence_cli.face.drawn import comparison_table
from vidence_cli.server import chosen_server, server_options
from vidence_client.face import Choice


@click.command()
@picture_argument("reference")
@picture_argument("probe")
@click.option(
    "--threshold", type=click.FloatRange(-1, 1), help="Similarity of a match; default: the server's."
)
@click.option("--largest", is_flag=True, help="Take the largest face where a picture shows several.")
@json_option
@server_options
@click.pass_context
def compare(
    context: click.Context,
    /,
    *,
    reference: str,
    probe: str,
    threshold: float | None,
    largest: bool,
    as_json: bool,
    **_: object,
) -> None:
    """Tell whether PROBE shows the person of REFERENCE. `-` reads standard input."""
    choice: Choice = "largest" if largest else "only"
    trusted, checked = content_of(reference), content_of(probe)
    ask_once(
        chosen_server(context),
        lambda client: client.faces.compare(
            trusted, checked, reference_choice=choice, probe_choice=choice, threshold=threshold
        ),
        comparison_table,
        as_json=as_json,
    )
