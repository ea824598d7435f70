"""`vidence events verify` and `repair`: the database of a server that does not run."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vidence_cli.exit_codes import ExitCode
from vidence_cli.extras import missing_extra
from vidence_cli.live import plain
from vidence_server.core.errors import DomainError


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="JSON; the default where stdout is no terminal.")
@click.pass_context
def verify(context: click.Context, /, *, file: Path, as_json: bool) -> None:
    """Check every record of the database FILE while no server uses it; fails where one is damaged."""
    report = _offline(_verify, file)
    tell_report(report, as_json=as_json)
    context.exit(ExitCode.FINE if report.sound else ExitCode.FAILED)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="JSON; the default where stdout is no terminal.")
def repair(*, file: Path, as_json: bool) -> None:
    """Save every readable record of the database FILE into a sound one; the old file is kept beside it."""
    tell_report(_offline(_repair, file), as_json=as_json)


def _verify(file: Path) -> Any:
    return _server("streams.durable").verify(file)


def _repair(file: Path) -> Any:
    """Repairs the log, and makes the tables that the bus keeps beside it anew."""
    index = _server("event.store.index").EventIndex()
    return _server("streams.durable").repair(file, index=index, key_of=_server("event.convert").header_of)


def _server(name: str) -> Any:
    """A part of the server, imported here and by name: a client needs no server."""
    return import_module(f"vidence_server.{name}")


def _offline(work: Callable[[Path], Any], file: Path) -> Any:
    """Does the server's work on a file.

    Raises:
        click.UsageError: The server is not installed.
        click.ClickException: The file is in use, is none of ours, or cannot be read.
    """
    try:
        return work(file)
    except ImportError as error:
        raise click.UsageError(missing_extra(error)) from error
    except DomainError as error:
        raise click.ClickException(f"{error.reason}: {error.message}") from error
    except OSError as error:
        raise click.ClickException(f"{click.format_filename(file)}: {error.strerror}") from error


def tell_report(report: Any, *, as_json: bool) -> None:
    """Tells a report, any frozen dataclass: one JSON object for programs, its members for people."""
    members = dataclasses.asdict(report)
    if as_json or not sys.stdout.isatty():
        click.echo(json.dumps(members, default=str))
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column("what", style="cyan")
    table.add_column("value", overflow="fold")
    for name, value in _flat(members):
        table.add_row(name.replace("_", " "), Text(plain(str(value))))
    Console().print(table)


def _flat(members: dict[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    """Members of members with the names of both."""
    for name, value in members.items():
        match value:
            case dict():
                yield from _flat(value, f"{above}{name} ")
            case [dict(), *_]:
                for index, item in enumerate(value, start=1):
                    yield from _flat(item, f"{above}{name} {index} ")
            case [] | ():
                yield f"{above}{name}", "none"
            case list() | tuple():
                yield f"{above}{name}", ", ".join(map(str, value))
            case _:
                yield f"{above}{name}", value
