"""`vidence types`: lists the document types that the server can read."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vidence.extraction.v1 import document_pb2, extraction_service_pb2
from vidence_cli.live import plain
from vidence_cli.output import write_line
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON; the default where stdout is no terminal.")
@server_options
@click.pass_context
def types(context: click.Context, /, *, as_json: bool, **_: object) -> None:
    """List the document types that the server can read."""
    found = asyncio.run(_list_types(chosen_server(context)))
    if as_json or not sys.stdout.isatty():
        write_line(extraction_service_pb2.ListDocumentTypesResponse(document_types=found))
    else:
        Console().print(table_of_types(found))


async def _list_types(choice: ServerChoice) -> Sequence[document_pb2.DocumentType]:
    async with connect(choice) as client:
        return await client.extraction.list_document_types()


def table_of_types(found: Sequence[document_pb2.DocumentType]) -> Table:
    """Draws the types for a person, one row each."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("type", no_wrap=True)
    table.add_column("title")
    table.add_column("fields", justify="right")
    table.add_column("what belongs to it")
    for kind in found:
        table.add_row(
            Text(plain(kind.key), style="cyan"),
            Text(plain(kind.title)),
            str(len(kind.planned_fields)),
            Text(plain(kind.description), style="dim"),
        )
    return table
