"""`vidence version`: tells what is installed here."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version as version_of

import click
import google.protobuf
import grpc


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def version(*, as_json: bool) -> None:
    """Tell the versions of Vidence and of what it runs on."""
    versions = {
        "vidence": version_of("vidence"),
        "python": platform.python_version(),
        "grpc": grpc.__version__,
        "protobuf": google.protobuf.__version__,
    }
    if as_json:
        click.echo(json.dumps(versions))
        return
    for name, number in versions.items():
        click.echo(f"{name:<9}{number}")
