"""Which server a command talks to: one at an address, or one inside the command itself."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from vidence_cli.extras import missing_extra
from vidence_client import DEFAULT_ADDRESS, Client, Credentials
from vidence_server.core.errors import DomainError

F = TypeVar("F", bound=Callable[..., Any])
_META = "vidence_cli.credentials"
_CREDENTIALS = (
    (
        "--api-key",
        "VIDENCE_API_KEY",
        "API key; in the environment no list of processes shows it.",
    ),
    ("--token", "VIDENCE_TOKEN", "JSON Web Token."),
    ("--tenant", "VIDENCE_TENANT", "Whose data, for credentials of all tenants."),
)
_FILES = (
    ("--ca", "VIDENCE_CA", "PEM certificates that sign the server's: turns TLS on."),
    ("--cert", "VIDENCE_CERT", "PEM certificate of the client, for mutual TLS."),
    ("--cert-key", "VIDENCE_CERT_KEY", "PEM key of --cert."),
)
_MEMBERS = {"cert": "certificate", "cert_key": "key"}
"""Members of `Credentials` that are called otherwise here."""


@dataclass(frozen=True, slots=True)
class ServerChoice:
    """Where the server is; `embedded`: started inside the command, then the others have no meaning."""

    address: str = DEFAULT_ADDRESS
    embedded: bool = False
    credentials: Credentials | None = None


def server_options(command: F) -> F:
    """Adds `--server`, `--embedded`, and those of credentials."""
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
    return credential_options(server(embedded(command)))


def credential_options(command: F) -> F:
    """Adds `--api-key`, `--token`, `--tenant`, `--ca`, `--cert` and `--cert-key`; see `given_credentials`."""
    for name, variable, words in reversed(_CREDENTIALS):
        command = click.option(
            name,
            metavar="TEXT",
            envvar=variable,
            show_envvar=True,
            help=words,
            expose_value=False,
            callback=_note,
        )(command)
    for name, variable, words in reversed(_FILES):
        command = click.option(
            name,
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            envvar=variable,
            show_envvar=True,
            help=words,
            expose_value=False,
            callback=_note,
        )(command)
    return command


def given_credentials(context: click.Context) -> Credentials | None:
    """Reads the options of `credential_options`; None where there are none."""
    given = context.meta.get(_META, {})
    return Credentials(**given) if given else None


def _note(context: click.Context, option: click.Parameter, value: Any) -> None:
    if value:
        context.meta.setdefault(_META, {})[_MEMBERS.get(option.name or "", option.name)] = value


def chosen_server(context: click.Context) -> ServerChoice:
    """Reads the options of `server_options`.

    Raises:
        click.UsageError: Both were given.
    """
    if context.params["embedded"] and context.get_parameter_source("server") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--server and --embedded exclude each other", context)
    return ServerChoice(context.params["server"], context.params["embedded"], given_credentials(context))


@asynccontextmanager
async def connect(choice: ServerChoice) -> AsyncIterator[Client]:
    """Opens a client of the chosen server and, where it is embedded, that server around it."""
    async with AsyncExitStack() as stack:
        address, credentials = choice.address, choice.credentials
        if choice.embedded:
            address, credentials = await _start_embedded(stack), None
        yield await stack.enter_async_context(Client(address, credentials=credentials))


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
