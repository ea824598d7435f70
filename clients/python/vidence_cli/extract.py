"""`vidence extract`: reads files and tells each field as it is read."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import click
from rich.console import Console

from vidence.extraction.v1 import document_pb2
from vidence.library.v1 import filing_pb2
from vidence_cli.drawing import DrawingError, draw_fields
from vidence_cli.exit_codes import ExitCode
from vidence_cli.live import LiveReport
from vidence_cli.output import JsonReport, Write
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options
from vidence_cli.verify import verify_and_tell
from vidence_client import Client, ServerUnreachable, VidenceError

STDIN = "-"


class Report(Protocol):
    """Tells what happens, to a person or to a program."""

    def reading(self, name: str) -> AbstractContextManager[Write]:
        """Opens the report of one file; what it yields takes every message of the reading."""
        ...

    def failed(self, name: str, why: str) -> None:
        """Reports that a file could not be read."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read: its name for people, and its bytes or where they lie."""

    name: str
    content: bytes | Path


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with every file.

    Attributes:
        document_type: Key of the type; empty: the service finds it out.
        pdf_page: Page of a PDF, from 1.
        timeout_s: Limit for each file, s; None: none.
        draw: Where to draw the result; None: nowhere.
        record: Where to write the provenance record; None: nowhere.
        catalogue: Name of the card catalogue for decklists; empty: the server's default.
        profile: Name of the reading profile; empty: the server's default.
        library_id: The library that each document goes into; empty: none.
    """

    document_type: str = ""
    pdf_page: int = 0
    timeout_s: float | None = None
    draw: Path | None = None
    record: Path | None = None
    catalogue: str = ""
    profile: str = ""
    library_id: str = ""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(allow_dash=True))
@click.option("--type", "document_type", metavar="KEY", default="", help="Document type; `vidence types`.")
@click.option("--page", type=click.IntRange(min=1), default=1, show_default=True, help="Page of a PDF.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines; the default where stdout is no terminal.")
@server_options
@click.option(
    "--draw", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.png", help="Draw what was read."
)
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT.json",
    help="Write what was read, from what and by what, as a chain of hashes.",
)
@click.option(
    "--verify",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="RECORD",
    help="Check such a record against the file: whether it is whole, and reading again gives the same.",
)
@click.option("--catalogue", metavar="NAME", default="", help="Card catalogue of the server, for decklists.")
@click.option("--profile", metavar="NAME", default="", help="How to read: fast, balanced or accurate.")
@click.option(
    "--library", "library_id", metavar="ID", default="", help="Put each document into this library."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Limit for each file; without it there is none.",
)
@click.pass_context
def extract(
    context: click.Context,
    /,
    *,
    files: tuple[str, ...],
    document_type: str,
    page: int,
    as_json: bool,
    draw: Path | None,
    record: Path | None,
    verify: Path | None,
    catalogue: str,
    profile: str,
    library_id: str,
    timeout: float | None,
    **_: object,
) -> None:
    """Read documents and tell each field as soon as it is read. `-` reads standard input."""
    for option, given in (("--draw", draw), ("--record", record), ("--verify", verify)):
        if given is not None and len(files) > 1:
            raise click.UsageError(f"{option} takes one file")
    choice = chosen_server(context)
    if verify is not None:
        told = as_json or not sys.stdout.isatty()
        holds = verify_and_tell(choice, verify, _source(files[0]).content, timeout, as_json=told)
        context.exit(ExitCode.FINE if holds else ExitCode.FAILED)
    order = Order(document_type, page, timeout, draw, record, catalogue, profile, library_id)
    report: Report
    if as_json or not sys.stdout.isatty():
        report = JsonReport(name_files=len(files) > 1)
    else:
        report = LiveReport(Console(), Console(stderr=True))
    failures = asyncio.run(_extract_all(choice, [_source(name) for name in files], order, report))
    context.exit(ExitCode.FAILED if failures else ExitCode.FINE)


def _source(name: str) -> Source:
    # standard input is read before the event loop runs: a thread that waits for it could not be interrupted
    if name == STDIN:
        return Source("stdin", sys.stdin.buffer.read())
    return Source(click.format_filename(name), Path(name))


async def _extract_all(choice: ServerChoice, sources: Sequence[Source], order: Order, report: Report) -> int:
    """Reads the files one after another and returns how many failed.

    Raises:
        ServerUnreachable: Nothing answers; the files that are left are not tried.
        BrokenPipeError: The reader of the output has left.
    """
    failures = 0
    async with connect(choice) as client:
        for source in sources:
            try:
                failures += not await _extract_one(client, source, order, report)
            except (ServerUnreachable, BrokenPipeError):
                raise  # nobody answers, or nobody listens: that is no fault of the file
            except VidenceError as error:
                report.failed(source.name, str(error))
                failures += 1
            except OSError as error:
                report.failed(source.name, error.strerror or type(error).__name__)
                failures += 1
            except DrawingError as error:
                report.failed(source.name, str(error))
                failures += 1
    return failures


async def _extract_one(client: Client, source: Source, order: Order, report: Report) -> bool:
    """Reads a file; False where it was read and is not in its library."""
    document, filing = document_pb2.Document(), filing_pb2.Filing()
    record = ""
    with report.reading(source.name) as write:
        async with client.extraction.extract(
            source.content,
            document_type=order.document_type,
            pdf_page=order.pdf_page,
            catalogue=order.catalogue,
            profile=order.profile,
            record=order.record is not None,
            library_id=order.library_id,
            timeout=order.timeout_s,
        ) as stream:
            async for message in stream:
                write(message)
                if message.HasField("extraction_complete"):
                    document = message.extraction_complete.document
                    filing = message.extraction_complete.filing
                    record = message.extraction_complete.provenance_record
    if order.record is not None:
        await asyncio.to_thread(order.record.write_text, record + "\n", "utf-8")
    if order.draw is not None:
        await asyncio.to_thread(draw_fields, source.content, document.fields, order.draw)
    if filing.HasField("error"):
        report.failed(source.name, f"not in the library {filing.library_id}: {filing.error.message}")
        return False
    return True
