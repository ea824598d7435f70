"""`vidence library create | list | get | delete`."""

from __future__ import annotations

import asyncio
import sys

import click
from rich.console import Console
from rich.table import Table

from vidence.library.v1 import library_pb2
from vidence_cli.live import plain
from vidence_cli.output import write_line
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options

_INDEXES = {
    "exact": library_pb2.VECTOR_INDEX_EXACT,
    "approximate": library_pb2.VECTOR_INDEX_APPROXIMATE,
}
json_option = click.option(
    "--json", "as_json", is_flag=True, help="JSON lines; the default where stdout is no terminal."
)


def for_program(as_json: bool) -> bool:
    """Whether a program reads stdout."""
    return as_json or not sys.stdout.isatty()


@click.command()
@click.argument("library_id", required=False, default="")
@click.option("--name", "display_name", default="", help="What people call it.")
@click.option("--model", "model_id", default="", metavar="MODEL", help="Model of its vectors.")
@click.option("--dimensions", type=click.IntRange(1, 4096), help="For a model that the server does not have.")
@click.option("--without-vectors", is_flag=True, help="Documents are found by their words only.")
@click.option("--index", type=click.Choice(list(_INDEXES)), help="How vectors are searched.")
@json_option
@server_options
@click.pass_context
def create(
    context: click.Context,
    /,
    *,
    library_id: str,
    display_name: str,
    model_id: str,
    dimensions: int | None,
    without_vectors: bool,
    index: str | None,
    as_json: bool,
    **_: object,
) -> None:
    """Create a library; without an id the server gives one."""

    async def work(choice: ServerChoice) -> library_pb2.Library:
        async with connect(choice) as client:
            return await client.libraries.create(
                library_id,
                display_name=display_name,
                model_id=model_id,
                dimensions=dimensions or 0,
                without_vectors=without_vectors,
                vector_index=_INDEXES[index] if index else library_pb2.VECTOR_INDEX_UNSPECIFIED,
            )

    _tell([asyncio.run(work(chosen_server(context)))], as_json=for_program(as_json))


@click.command("list")
@json_option
@server_options
@click.pass_context
def list_libraries(context: click.Context, /, *, as_json: bool, **_: object) -> None:
    """List all libraries."""

    async def work(choice: ServerChoice) -> list[library_pb2.Library]:
        async with connect(choice) as client:
            return [library async for library in client.libraries.list()]

    _tell(asyncio.run(work(chosen_server(context))), as_json=for_program(as_json))


@click.command()
@click.argument("library_id")
@json_option
@server_options
@click.pass_context
def get(context: click.Context, /, *, library_id: str, as_json: bool, **_: object) -> None:
    """Show one library."""

    async def work(choice: ServerChoice) -> library_pb2.Library:
        async with connect(choice) as client:
            return await client.libraries.get(library_id)

    _tell([asyncio.run(work(chosen_server(context)))], as_json=for_program(as_json))


@click.command()
@click.argument("library_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@server_options
@click.pass_context
def delete(context: click.Context, /, *, library_id: str, yes: bool, **_: object) -> None:
    """Delete a library with all that it holds."""
    if not yes:
        click.confirm(f"Delete {library_id} with all its documents and faces?", abort=True, err=True)

    async def work(choice: ServerChoice) -> None:
        async with connect(choice) as client:
            write_line(await client.libraries.delete(library_id))

    asyncio.run(work(chosen_server(context)))


def _tell(libraries: list[library_pb2.Library], *, as_json: bool) -> None:
    if as_json:
        for library in libraries:
            write_line(library)
        return
    table = Table("library", "name", "documents", "faces", "model", "index", "revision", box=None)
    for library in libraries:
        model = library.embedding.model_id if library.HasField("embedding") else "none"
        if library.HasField("reembedding"):
            change = library.reembedding
            model += f" → {change.model_id} ({change.done:,}/{change.total:,})"
        index = library_pb2.VectorIndex.Name(library.vector_index).removeprefix("VECTOR_INDEX_").lower()
        table.add_row(
            plain(library.library_id),
            plain(library.display_name),
            f"{library.document_count:,}",
            f"{library.face_count:,}",
            plain(model),
            index,
            str(library.revision),
        )
    Console().print(table)
