"""`vidence batch run`, `submit` and `watch`: images go in, results come out."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from vidence.batch.v1 import batch_pb2
from vidence_cli.batch.files import find_files, key_of
from vidence_cli.batch.telling import JsonTelling, PersonTelling, Telling
from vidence_cli.exit_codes import ExitCode
from vidence_cli.output import write_line
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options
from vidence_client import Client, VidenceError

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be read, and how.

    Attributes:
        files: The images.
        key: The name by which the batch is known again.
        document_type: Key of the type; empty: the service finds it out.
        library_id: The library that each result goes into; empty: none.
    """

    files: Sequence[Path]
    key: str
    document_type: str
    library_id: str


def file_options(command: F) -> F:
    """Adds what says which files are read, and how."""
    paths = click.argument(
        "paths",
        nargs=-1,
        required=True,
        metavar="DIR|FILE…",
        type=click.Path(exists=True, path_type=Path),
    )
    kind = click.option(
        "--type", "document_type", metavar="KEY", default="", help="Document type; `vidence types`."
    )
    recursive = click.option("-r", "--recursive", is_flag=True, help="Folders with all that is below them.")
    anew = click.option(
        "--new", "anew", is_flag=True, help="Read again although these files are known as a batch."
    )
    library = click.option(
        "--library", "library_id", metavar="ID", default="", help="Put each result into this library."
    )
    return paths(kind(library(recursive(anew(command)))))


def json_option(command: F) -> F:
    """Adds `--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="JSON lines; the default where stdout is no terminal."
    )(command)


@click.command()
@file_options
@json_option
@server_options
@click.pass_context
def run(
    context: click.Context,
    /,
    *,
    paths: tuple[Path, ...],
    document_type: str,
    library_id: str,
    recursive: bool,
    anew: bool,
    as_json: bool,
    **_: object,
) -> None:
    """Read images and tell each result as soon as it is there.

    The batch lives on the server: after Ctrl-C the same command goes on where it was; nothing is read twice.
    """
    order = _chosen(paths, document_type, library_id, recursive=recursive, anew=anew)
    end = asyncio.run(_run(chosen_server(context), order, _telling(as_json=as_json)))
    context.exit(_exit_code(end))


@click.command()
@file_options
@server_options
@click.pass_context
def submit(
    context: click.Context,
    /,
    *,
    paths: tuple[Path, ...],
    document_type: str,
    library_id: str,
    recursive: bool,
    anew: bool,
    **_: object,
) -> None:
    """Hand images in and return at once; `watch`, `get` and `export` take the batch's id."""
    order = _chosen(paths, document_type, library_id, recursive=recursive, anew=anew)

    async def hand_in(choice: ServerChoice) -> batch_pb2.Batch:
        async with connect(choice) as client:
            return await _handed_in(client, order)

    batch = asyncio.run(hand_in(chosen_server(context)))
    if sys.stdout.isatty():
        click.echo(batch.batch_id)
    else:
        write_line(batch)


@click.command()
@click.argument("batch_id")
@click.option("--run", "number", type=click.IntRange(min=1), help="Which run; unset: the newest.")
@click.option("--after", metavar="CURSOR", default="", help="Go on after an event that was told earlier.")
@json_option
@server_options
@click.pass_context
def watch(
    context: click.Context,
    /,
    *,
    batch_id: str,
    number: int | None,
    after: str,
    as_json: bool,
    **_: object,
) -> None:
    """Tell what happens to a batch, from its beginning, until it ends."""
    telling = _telling(as_json=as_json)

    async def follow(choice: ServerChoice) -> batch_pb2.BatchComplete:
        async with connect(choice) as client:
            return await _watched(client, batch_id, telling, run=number or 0, after=after)

    context.exit(_exit_code(asyncio.run(follow(chosen_server(context)))))


def _chosen(
    paths: Sequence[Path], document_type: str, library_id: str, *, recursive: bool, anew: bool
) -> Order:
    files = find_files(paths, recursive=recursive)
    if not files:
        raise click.UsageError("there is no image")
    key = key_of(files, document_type, library_id)
    return Order(files, f"{key}-{uuid.uuid4().hex}" if anew else key, document_type, library_id)


def _telling(*, as_json: bool) -> Telling:
    return JsonTelling() if as_json or not sys.stdout.isatty() else PersonTelling(Console())


def _exit_code(end: batch_pb2.BatchComplete) -> ExitCode:
    fine = end.state == batch_pb2.BATCH_STATE_SUCCEEDED and not end.statistics.unfiled
    return ExitCode.FINE if fine else ExitCode.FAILED


async def _handed_in(client: Client, order: Order) -> batch_pb2.Batch:
    """The batch of these files: new, or as far as an interrupted command brought it."""
    batch = await client.batches.create(
        idempotency_key=order.key, document_type=order.document_type, library_id=order.library_id
    )
    if batch.state != batch_pb2.BATCH_STATE_OPEN:
        click.echo(f"{batch.batch_id}: these files are known; --new reads them again", err=True)
        return batch
    return await client.batches.upload(order.files, batch_id=batch.batch_id)


async def _run(choice: ServerChoice, order: Order, telling: Telling) -> batch_pb2.BatchComplete:
    async with connect(choice) as client:
        batch = await _handed_in(client, order)
        try:
            return await _watched(client, batch.batch_id, telling)
        except asyncio.CancelledError:
            if not choice.embedded:
                click.echo(f"{batch.batch_id} goes on: vidence batch watch {batch.batch_id}", err=True)
            raise


async def _watched(
    client: Client, batch_id: str, telling: Telling, *, run: int = 0, after: str = ""
) -> batch_pb2.BatchComplete:
    end = batch_pb2.BatchComplete()
    with telling:
        async with client.batches.watch(batch_id, run=run, after=after, on_reconnect=_reconnected) as events:
            async for event in events:
                telling.take(event)
                if event.HasField("complete"):
                    end = event.complete
    return end


def _reconnected(why: VidenceError) -> None:
    click.echo(f"connected again after {why}", err=True)
