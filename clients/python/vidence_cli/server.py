"""Which server a command talks to: one at an address, or one inside the command itself."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from vidence_cli.extras import missing_extra
from vidence_client import DEFAULT_ADDRESS, Client
from vidence_server.core.errors import DomainError

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ServerChoice:
    """Where the server is; `embedded`: started inside the command, then `address` has no meaning."""

    address: str = DEFAULT_ADDRESS
    embedded: bool = False


def server_options(command: F) -> F:
    """Adds `--server` and `--embedded`."""
    server = click.option(
        "--server",
        metavar="ADDR",
        default=DEFAULT_ADDRESS,
        show_default=True,
        envvar="VIDENCE_SERVER",
        show_envvar=True,
        help="Address of the server: host:port or unix:PATH.",
    )
    embedded = click.option(
        "--embedded", is_flag=True, help="Start the server inside this command; needs the extra `server`."
    )
    return server(embedded(command))


def chosen_server(context: click.Context) -> ServerChoice:
    """Reads the options of `server_options`.

    Raises:
        click.UsageError: Both were given.
    """
    if context.params["embedded"] and context.get_parameter_source("server") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--server and --embedded exclude each other", context)
    return ServerChoice(context.params["server"], context.params["embedded"])


@asynccontextmanager
async def connect(choice: ServerChoice) -> AsyncIterator[Client]:
    """Opens a client of the chosen server and, where it is embedded, that server around it."""
    async with AsyncExitStack() as stack:
        address = choice.address
        if choice.embedded:
            address = await _start_embedded(stack)
        yield await stack.enter_async_context(Client(address))


async def _start_embedded(stack: AsyncExitStack) -> str:
    """Starts the suite until `stack` closes and returns its address.

    Raises:
        click.UsageError: The server is not installed.
        click.ClickException: It cannot start: models or settings are missing or wrong.
    """
    try:
        # imported here and by name: a client needs no server
        suite: Any = import_module("vidence_server.suite.opening")
    except ImportError as error:
        raise click.UsageError(f"--embedded: {missing_extra(error)}") from error
    try:
        address: str = await stack.enter_async_context(suite.embedded_suite(os.environ))
    except DomainError as error:
        raise click.ClickException(f"{error.reason}: {error.message}") from error
    return address
