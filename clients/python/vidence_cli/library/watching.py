"""`vidence library watch`: changes as they are made."""

from __future__ import annotations

import asyncio

import click
from rich.console import Console
from rich.text import Text

from vidence.library.v1 import library_service_pb2
from vidence_cli.library.records import for_program, json_option
from vidence_cli.live import plain
from vidence_cli.output import write_line
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options
from vidence_client.library import LibraryWatch


@click.command()
@click.argument("library_id")
@click.option("--after", default="", metavar="CURSOR", help="Go on after this cursor.")
@click.option("--after-revision", type=click.IntRange(min=0), help="From this revision on.")
@click.option("--new", "only_new", is_flag=True, help="Only what comes from now on.")
@click.option(
    "--type", "types", multiple=True, metavar="TYPE", help="Only these: document.created. Repeatable."
)
@click.option("--prefix", default="", metavar="ID", help="Only documents whose ids begin like this.")
@click.option("-n", "--count", type=click.IntRange(min=1), help="End after so many changes.")
@json_option
@server_options
@click.pass_context
def watch(
    context: click.Context,
    /,
    *,
    library_id: str,
    after: str,
    after_revision: int | None,
    only_new: bool,
    types: tuple[str, ...],
    prefix: str,
    count: int | None,
    as_json: bool,
    **_: object,
) -> None:
    """Tell the changes of a library, one line each, from the first that is kept, until Ctrl-C."""
    if bool(after) + (after_revision is not None) + only_new > 1:
        raise click.UsageError("--after, --after-revision and --new exclude each other", context)

    async def work(choice: ServerChoice) -> None:
        async with connect(choice) as client:
            changes = client.libraries.watch(
                library_id,
                after=after,
                after_revision=after_revision,
                only_new=only_new,
                types=types,
                document_id_prefix=prefix,
            )
            await _tell(changes, count, as_json=for_program(as_json))

    asyncio.run(work(chosen_server(context)))


async def _tell(changes: LibraryWatch, count: int | None, *, as_json: bool) -> None:
    console = Console()
    async with changes:
        async for event in changes:
            if as_json:
                write_line(event)
            else:
                console.print(_line(event))
            if count is not None:
                count -= 1
                if not count:
                    return


def _line(event: library_service_pb2.LibraryEvent) -> Text:
    member = event.WhichOneof("payload") or "unknown"
    payload = getattr(event, member, None)
    about = next(
        (getattr(payload, name) for name in ("document_id", "face_id", "model_id") if hasattr(payload, name)),
        "",
    )
    return Text.assemble(
        (f"{event.sequence:>8}  ", "dim"),
        (f"{event.emit_time.ToJsonString()}  ", "dim"),
        (f"{member.replace('_', ' ')}  ", "bold"),
        plain(str(about)),
    )
