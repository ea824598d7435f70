"""What the commands about faces share: files in, one answer each, a table or JSON lines out."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from google.protobuf.message import Message
from rich.console import Console, RenderableType
from rich.text import Text

from vidence_cli.exit_codes import ExitCode
from vidence_cli.live import plain
from vidence_cli.output import write_line
from vidence_cli.server import ServerChoice, connect
from vidence_client import Client, ServerUnreachable, VidenceError

STDIN = "-"
M = TypeVar("M", bound=Message)
F = TypeVar("F", bound=Callable[..., Any])
Content = bytes | Path


def json_option(command: F) -> F:
    """Adds `--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="JSON lines; the default where stdout is no terminal."
    )(command)


def picture_argument(name: str, *, several: bool = False) -> Callable[[F], F]:
    """Adds an argument for one file, or for one and more; `-` is standard input."""
    metavar = f"{name.upper().removesuffix('S')}{'…' if several else ''}"
    path = click.Path(allow_dash=True)
    return click.argument(name, nargs=-1 if several else 1, required=True, metavar=metavar, type=path)


def content_of(name: str) -> Content:
    """A file as the client takes it; standard input is read now."""
    # before the event loop runs: a thread that waits for it could not be interrupted
    return sys.stdin.buffer.read() if name == STDIN else Path(name)


def wants_json(*, as_json: bool) -> bool:
    """Whether a program reads the output."""
    return as_json or not sys.stdout.isatty()


def ask_each(
    choice: ServerChoice,
    names: Sequence[str],
    ask: Callable[[Client, Content], Awaitable[M]],
    draw: Callable[[M], RenderableType],
    *,
    as_json: bool,
) -> ExitCode:
    """Asks about one file after another; what fails is told on stderr and does not stop the others.

    Args:
        choice: Where the server is.
        names: The files.
        ask: The call.
        draw: The answer for a person.
        as_json: Whether a program reads it.

    Raises:
        ServerUnreachable: Nothing answers; the files that are left are not tried.
    """
    contents = [(click.format_filename(name), content_of(name)) for name in names]

    async def run() -> bool:
        failed = False
        async with connect(choice) as client:
            for name, content in contents:
                try:
                    tell(await ask(client, content), draw, name=name, several=len(names) > 1, as_json=as_json)
                except ServerUnreachable:
                    raise
                except VidenceError as error:
                    failed = True
                    click.echo(f"{name}: {error}", err=True)
                except BrokenPipeError:
                    raise
                except OSError as error:
                    failed = True
                    click.echo(f"{name}: {error.strerror or type(error).__name__}", err=True)
        return failed

    return ExitCode.FAILED if asyncio.run(run()) else ExitCode.FINE


def ask_once(
    choice: ServerChoice,
    ask: Callable[[Client], Awaitable[M]],
    draw: Callable[[M], RenderableType],
    *,
    as_json: bool,
) -> None:
    """Asks one thing and tells the answer.

    Raises:
        VidenceError: The call failed.
        click.ClickException: A file cannot be read.
    """

    async def run() -> M:
        async with connect(choice) as client:
            return await ask(client)

    try:
        answer = asyncio.run(run())
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    tell(answer, draw, name="", several=False, as_json=as_json)


def tell(answer: M, draw: Callable[[M], RenderableType], *, name: str, several: bool, as_json: bool) -> None:
    """Writes an answer as a JSON line, with its file where there are several, or draws it."""
    if wants_json(as_json=as_json):
        write_line(answer, **({"file": name} if several else {}))
        return
    console = Console()
    if several:
        console.print(Text(plain(name), style="bold"))
    console.print(draw(answer))
