"""`vidence keys`: makes, lists and revokes API keys."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from vidence_server.access.api_keys import ApiKey, new_key, random_bytes, read_keys, revoked, write_keys
from vidence_server.core.errors import DomainError
from vidence_server.core.file_lock import FileLock
from vidence_server.suite_settings import load_suite_settings

F = TypeVar("F", bound=Callable[..., Any])
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def _file_option(command: F) -> F:
    return click.option(
        "--file",
        "path",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File of the keys; unset: the setting `access.keys_file`.",
    )(command)


@click.group()
def keys() -> None:
    """Makes, lists and revokes API keys.

    Servers look at the file every second: no restart is needed.
    """


@keys.command()
@_file_option
@click.option("--tenant", default="default", show_default=True, help="Whose data; `*`: anybody's.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="`events.read`, `events.*`, `*`; again for more."
)
@click.option(
    "--expires-in",
    "life",
    metavar="90d",
    help="Life: hours, days or weeks, as 12h, 90d, 4w; unset: for ever.",
)
@click.option("--note", default="", help="What it is for; in the file, in plain text.")
def create(path: Path | None, tenant: str, scopes: tuple[str, ...], life: str | None, note: str) -> None:
    """Makes a key and prints it: this is the only time that anybody sees it."""
    now = datetime.now(UTC)
    expire_time = None if life is None else now + _duration(life)

    def add(known: list[ApiKey]) -> str:
        key, text = new_key(
            secrets.token_bytes(random_bytes()),
            tenant=tenant,
            scopes=scopes,
            now=now,
            expire_time=expire_time,
            note=note,
        )
        known.append(key)
        return text

    click.echo(_change(path, add))


@keys.command("list")
@_file_option
def list_keys(path: Path | None) -> None:
    """Lists the keys, without anything that could be used."""
    now = datetime.now(UTC)
    try:
        found = read_keys(_path(path))
    except DomainError as error:
        raise _refused(error) from None
    for key in found:
        state = "revoked" if key.revoke_time else "expired" if key.ended(now) else "valid"
        until = key.expire_time.date().isoformat() if key.expire_time else "-"
        click.echo("\t".join([key.key_id, key.tenant, ",".join(key.scopes), state, until, key.note]))


@keys.command()
@_file_option
@click.argument("key_id")
def revoke(path: Path | None, key_id: str) -> None:
    """Takes a key back: servers refuse it, and end its streams, within seconds."""

    def take(known: list[ApiKey]) -> str:
        known[:] = revoked(known, key_id, datetime.now(UTC))
        return f"{key_id} is revoked"

    click.echo(_change(path, take))


def _change(path: Path | None, change: Callable[[list[ApiKey]], str]) -> str:
    """Changes the file while nobody else does; what the change says."""
    file = _path(path)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(file):
            known = list(read_keys(file)) if file.exists() else []
            said = change(known)
            write_keys(file, known)
    except DomainError as error:
        raise _refused(error) from None
    return said


def _path(path: Path | None) -> Path:
    try:
        found = path or load_suite_settings(None, os.environ).access.keys_file
    except DomainError as error:
        raise _refused(error) from None
    if found is None:
        raise click.UsageError("name the file: --file, or the setting access.keys_file")
    return found


def _duration(text: str) -> timedelta:
    unit, count = _UNITS.get(text[-1:]), text[:-1]
    if unit is None or not count.isdecimal() or int(count) == 0:
        raise click.BadParameter("as 12h, 90d or 4w", param_hint="--expires-in")
    return unit * int(count)


def _refused(error: DomainError) -> click.ClickException:
    return click.UsageError(error.message)
