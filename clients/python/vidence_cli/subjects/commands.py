"""`vidence subjects`: purge, receipt, verify."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from vidence.erasure.v1 import erasure_pb2
from vidence_cli.exit_codes import ExitCode
from vidence_cli.output import write_line
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options
from vidence_client.receipts import ReceiptError, parse_receipt

_DONE = {erasure_pb2.PURGE_STATE_COMPLETE, erasure_pb2.PURGE_STATE_DRY_RUN}


@click.group()
def subjects() -> None:
    """Erase everything that the suite holds of a person, and keep the receipt."""


@subjects.command()
@click.argument("subject_id")
@click.option("--dry-run", is_flag=True, help="Only count what would be erased.")
@click.option("--request-id", default="", help="Name of the request, for the receipt: a ticket number.")
@click.option(
    "--receipt",
    "file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the receipt to this file.",
)
@click.option("--timeout", type=float, default=120.0, show_default=True, help="Seconds to wait at most.")
@server_options
@click.pass_context
def purge(
    context: click.Context,
    /,
    *,
    subject_id: str,
    dry_run: bool,
    request_id: str,
    file: Path | None,
    timeout: float,
    **_: object,
) -> int:
    """Erase SUBJECT_ID in all services.

    Ends with 1 where a service was away or had something in work: the server goes on by itself, and the same
    command goes on at once.
    """

    async def work(choice: ServerChoice) -> erasure_pb2.Purge:
        async with connect(choice) as client:
            return await client.erasure.purge(
                subject_id, request_id=request_id, dry_run=dry_run, timeout=timeout
            )

    return _told(asyncio.run(work(chosen_server(context))), file)


@subjects.command()
@click.argument("name")
@click.option("--subject", is_flag=True, help="NAME is a subject: its newest purge.")
@click.option(
    "--receipt",
    "file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the receipt to this file.",
)
@server_options
@click.pass_context
def receipt(context: click.Context, /, *, name: str, subject: bool, file: Path | None, **_: object) -> int:
    """Show the purge NAME with its receipt."""

    async def work(choice: ServerChoice) -> erasure_pb2.Purge:
        async with connect(choice) as client:
            if subject:
                return await client.erasure.get(subject_id=name)
            return await client.erasure.get(name)

    return _told(asyncio.run(work(chosen_server(context))), file)


@subjects.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--subject", default="", help="Check also that the receipt is about this subject.")
@click.option("--tenant", "whose", default="default", show_default=True, help="Whose subject it is.")
def verify(*, file: Path, subject: str, whose: str) -> int:
    """Check that the receipt FILE was not changed; asks no server."""
    try:
        kept = parse_receipt(file.read_text("utf-8"))
    except (ReceiptError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file}: {error}") from error
    found: dict[str, object] = {
        "purge_id": kept.purge_id,
        "whole": kept.whole,
        "complete": kept.complete,
        "hash": kept.hash,
    }
    holds = kept.whole
    if subject:
        found["subject"] = kept.is_of(whose, subject)
        holds = holds and bool(found["subject"])
    click.echo(json.dumps(found))
    return ExitCode.FINE if holds else ExitCode.FAILED


def _told(purged: erasure_pb2.Purge, file: Path | None) -> int:
    if file is not None and purged.receipt:
        # As it is: its bytes are what the hash is over.
        file.write_bytes(purged.receipt.encode())
    write_line(purged)
    return ExitCode.FINE if purged.state in _DONE else ExitCode.FAILED
