"""`vidence library`: the group of commands about libraries."""

from __future__ import annotations

import click

from vidence_cli.library.faces import faces
from vidence_cli.library.records import create, delete, get, list_libraries
from vidence_cli.library.searching import search
from vidence_cli.library.transfer import export, import_export, ingest
from vidence_cli.library.watching import watch


@click.group()
def library() -> None:
    """Keep documents and faces, search them, move them and follow them."""


for _command in (create, list_libraries, get, delete, ingest, search, export, import_export, watch, faces):
    library.add_command(_command)
