"""`vidence batch get`, `list`, `cancel`, `retry` and `delete`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vidence.batch.v1 import batch_pb2
from vidence_cli.batch.run import json_option
from vidence_cli.output import write_line
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options
from vidence_client import Client

_T = TypeVar("_T")


@click.command()
@click.argument("batch_id")
@json_option
@server_options
@click.pass_context
def get(context: click.Context, /, *, batch_id: str, as_json: bool, **_: object) -> None:
    """Tell how far a batch is."""
    batch = _ask(context, lambda client: client.batches.get(batch_id))
    _tell([batch], as_json=as_json)


@click.command("list")
@click.option("-n", "--count", type=click.IntRange(min=1), default=50, show_default=True, help="At most.")
@json_option
@server_options
@click.pass_context
def list_batches(context: click.Context, /, *, count: int, as_json: bool, **_: object) -> None:
    """List batches, the newest first."""

    async def found(client: Client) -> list[batch_pb2.Batch]:
        batches: list[batch_pb2.Batch] = []
        async for batch in client.batches.list(page_size=min(count, 1000)):
            batches.append(batch)
            if len(batches) == count:
                break
        return batches

    _tell(_ask(context, found), as_json=as_json)


@click.command()
@click.argument("batch_id")
@json_option
@server_options
@click.pass_context
def cancel(context: click.Context, /, *, batch_id: str, as_json: bool, **_: object) -> None:
    """Cancel a batch; what was read is kept."""
    batch = _ask(context, lambda client: client.batches.cancel(batch_id))
    _tell([batch], as_json=as_json)


@click.command()
@click.argument("batch_id")
@click.option("--index", "indexes", type=click.IntRange(min=0), multiple=True, help="Only this item; again.")
@json_option
@server_options
@click.pass_context
def retry(
    context: click.Context, /, *, batch_id: str, indexes: tuple[int, ...], as_json: bool, **_: object
) -> None:
    """Put failed and cancelled items of a batch that ended back into work."""
    batch = _ask(context, lambda client: client.batches.retry(batch_id, indexes))
    _tell([batch], as_json=as_json)


@click.command()
@click.argument("batch_id")
@server_options
@click.pass_context
def delete(context: click.Context, /, *, batch_id: str, **_: object) -> None:
    """Delete a batch with its images and results."""
    _ask(context, lambda client: client.batches.delete(batch_id))


def _ask(context: click.Context, question: Callable[[Client], Coroutine[Any, Any, _T]]) -> _T:
    async def ask(choice: ServerChoice) -> _T:
        async with connect(choice) as client:
            return await question(client)

    return asyncio.run(ask(chosen_server(context)))


def _tell(batches: list[batch_pb2.Batch], *, as_json: bool) -> None:
    if as_json or not sys.stdout.isatty():
        for batch in batches:
            write_line(batch)
    else:
        Console().print(table_of(batches))


def table_of(batches: list[batch_pb2.Batch]) -> Table:
    """Draws batches for a person, one row each."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("batch", "state", "run"):
        table.add_column(column, no_wrap=True)
    for column in ("images", "read", "failed", "waiting"):
        table.add_column(column, justify="right")
    table.add_column("created", no_wrap=True)
    for batch in batches:
        counts = batch.counts
        table.add_row(
            Text(batch.batch_id, style="cyan"),
            batch_pb2.BatchState.Name(batch.state).removeprefix("BATCH_STATE_").lower(),
            str(batch.run),
            *map(str, (counts.total, counts.succeeded, counts.failed, counts.queued + counts.running)),
            f"{batch.create_time.ToDatetime():%Y-%m-%d %H:%M:%S}",
        )
    return table
