"""`vidence library ingest | export | import`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import click

from vidence.library.v1 import library_service_pb2
from vidence_cli import progress
from vidence_cli.exit_codes import ExitCode
from vidence_cli.output import write_line, write_members
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options

_PIECE_BYTES = 128 * 1024


@click.command()
@click.argument("library_id")
@click.argument("file", type=click.File("rb"))
@click.option("--keep-existing", is_flag=True, help="Refuse documents whose id has other content.")
@click.option(
    "--all", "tell_all", is_flag=True, help="Tell every document, not only those that were refused."
)
@server_options
@click.pass_context
def ingest(
    context: click.Context,
    /,
    *,
    library_id: str,
    file: IO[bytes],
    keep_existing: bool,
    tell_all: bool,
    **_: object,
) -> None:
    """Send documents, one JSON object per line of FILE; `-` reads stdin. May be repeated without harm.

    Lines on stdout: every refused document, then the totals. Ends with 1 where any was refused.
    """
    on_existing = library_service_pb2.ON_EXISTING_UNSPECIFIED
    if keep_existing:
        on_existing = library_service_pb2.ON_EXISTING_FAIL
    ended = asyncio.run(_ingest(chosen_server(context), library_id, file, on_existing, tell_all=tell_all))
    context.exit(ExitCode.FAILED if int(ended.get("error_count", 0)) else ExitCode.FINE)


@click.command()
@click.argument("library_id")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; it appears when the export is complete. Unset: stdout.",
)
@click.option("--omit-vectors", is_flag=True, help="Leave vectors out: an import makes them anew.")
@server_options
@click.pass_context
def export(
    context: click.Context,
    /,
    *,
    library_id: str,
    output: Path | None,
    omit_vectors: bool,
    **_: object,
) -> None:
    """Write a whole library, as it is at this moment, as lines of JSON; a broken connection goes on."""
    asyncio.run(_export(chosen_server(context), library_id, output, omit_vectors=omit_vectors))


@click.command("import")
@click.argument("library_id")
@click.argument("file", type=click.File("rb"))
@server_options
@click.pass_context
def import_export(context: click.Context, /, *, library_id: str, file: IO[bytes], **_: object) -> None:
    """Take an export into a library that exists; `-` reads stdin."""
    asyncio.run(_import(chosen_server(context), library_id, file))


async def _ingest(
    choice: ServerChoice,
    library_id: str,
    file: IO[bytes],
    on_existing: library_service_pb2.OnExisting.ValueType,
    *,
    tell_all: bool,
) -> dict[str, Any]:
    ended: dict[str, Any] = {}
    with progress.bytes_of("ingest", _size_of(file)) as shown:
        async with connect(choice) as client:
            lines = client.libraries.transfer.ingest_lines(
                library_id, _pieces(file, shown), on_existing=on_existing
            )
            async for line in lines:
                result = line.get("result")
                if result is None:
                    ended = line.get("ingest_complete", ended)
                elif tell_all or "error" in result:
                    write_members(result)
    write_members(ended)
    return ended


async def _export(choice: ServerChoice, library_id: str, output: Path | None, *, omit_vectors: bool) -> None:
    part = None if output is None else output.with_name(f"{output.name}.part")
    with ExitStack() as stack:
        file: IO[bytes] = sys.stdout.buffer
        if part is not None:
            file = stack.enter_context(part.open("wb"))
        shown = stack.enter_context(progress.counted("export", "documents"))
        count = 0
        async with connect(choice) as client:
            async for line in client.libraries.transfer.export(library_id, omit_vectors=omit_vectors):
                await asyncio.to_thread(file.write, line)
                if line.startswith(b'{"document":'):
                    count += 1
                    shown.at(count)
                elif line.startswith(b'{"export_started":'):
                    shown.at(0, total=int(json.loads(line)["export_started"]["document_count"]))
        file.flush()
    if part is not None and output is not None:
        part.replace(output)
        write_members({"file": str(output), "document_count": str(count)})


async def _import(choice: ServerChoice, library_id: str, file: IO[bytes]) -> None:
    with progress.counted("import", "documents") as shown:
        async with (
            connect(choice) as client,
            client.libraries.transfer.import_(library_id, _pieces(file, None)) as stream,
        ):
            async for message in stream:
                if message.HasField("import_progress"):
                    told = message.import_progress
                    shown.at(told.document_count, total=told.total_count or None)
                elif message.HasField("import_complete"):
                    complete = message.import_complete
                    shown.at(complete.document_count, total=complete.document_count)
                    write_line(complete)


async def _pieces(file: IO[bytes], shown: progress.Transfer | None) -> AsyncIterator[bytes]:
    done = 0
    while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
        yield piece
        done += len(piece)
        if shown is not None:
            shown.at(done)


def _size_of(file: IO[bytes]) -> int | None:
    """Bytes of a file; None of a pipe."""
    try:
        size = os.fstat(file.fileno()).st_size
    except OSError:
        return None
    return size or None
