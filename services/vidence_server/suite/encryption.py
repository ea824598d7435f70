"""`vidence encryption`: makes keys, and brings what is kept under them."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.file_lock import FileLock
from vidence_server.encryption.key_counts import KeyCounts
from vidence_server.encryption.key_file import FileKey, new_file_key, read_ring, write_ring
from vidence_server.encryption.ports import DATA_KEY_BYTES
from vidence_server.encryption.sealing import Sealing
from vidence_server.runtime.encryption_opening import make_sealing
from vidence_server.suite_settings import SuiteSettings, load_suite_settings

F = TypeVar("F", bound=Callable[..., Any])
_TOLD_EVERY = 1000


def _config_option(command: F) -> F:
    return click.option(
        "--config",
        "path",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="VIDENCE_CONFIG",
        help="TOML file with one table per section.",
    )(command)


def _file_option(command: F) -> F:
    return click.option(
        "--file",
        "file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File of the keys; unset: the setting `encryption.key_file`.",
    )(command)


@click.group()
def encryption() -> None:
    """Encryption at rest of images and face templates.

    Who loses the keys loses the data: keep a copy of the file elsewhere.
    """


@encryption.command("new-key")
@_config_option
@_file_option
@click.option("--standby", is_flag=True, help="It unwraps only, until `activate`: for several servers.")
def new_key(path: Path | None, file: Path | None, *, standby: bool) -> None:
    """Adds a key to the file, which is made where it is missing; what is kept from now on is under it.

    Servers look at the file at every use: no restart is needed. Older keys stay, for what is under them.
    """
    key = new_file_key(secrets.token_bytes(DATA_KEY_BYTES), datetime.now(UTC))

    def add(keys: list[FileKey], active: str) -> str:
        keys.append(key)
        return active if standby and active else key.key_id

    _change(_key_file(path, file), add)
    click.echo(key.key_id)


@encryption.command()
@_config_option
@_file_option
@click.argument("key_id")
def activate(path: Path | None, file: Path | None, key_id: str) -> None:
    """Lets a key of the file wrap from now on."""

    def choose(keys: list[FileKey], active: str) -> str:
        del active
        if all(key.key_id != key_id for key in keys):
            raise DomainError(Reason.CONFIGURATION_INVALID, f"The file has no key {key_id}.")
        return key_id

    _change(_key_file(path, file), choose)
    click.echo(f"{key_id} is active")


@encryption.command()
@_config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def rotate(path: Path | None, *, as_json: bool) -> None:
    """Brings all images and face templates of the data folder under the current key, and encrypts plain ones.

    Beside running services, and as often as you like: what is done stays done. Ends with 1 where something
    could not be read; afterwards, with 0, older keys may leave the file.
    """
    settings, sealing = _opened(path)
    if not sealing.on:
        raise click.UsageError("encryption.mode is off")
    try:
        refused = asyncio.run(_rotate(settings, sealing, as_json=as_json))
    except DomainError as error:
        raise click.ClickException(error.message) from None
    raise SystemExit(1 if refused else 0)


@encryption.command()
@_config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def status(path: Path | None, *, as_json: bool) -> None:
    """Counts images and face templates by the key that they are under.

    What is damaged is named, and the rest counted; it ends with 1 then.
    """
    from vidence_server.suite.rotation import count_all  # noqa: PLC0415  # it needs all services

    settings, sealing = _opened(path)
    try:
        current = sealing.current_key_id() if sealing.on else ""
        counts = asyncio.run(count_all(settings.storage.location, sealing, settings.access.tenants))
    except DomainError as error:
        raise click.ClickException(error.message) from None
    if not as_json:
        click.echo(f"current key: {current or 'none, encryption is off'}")
    for place, found in counts.items():
        _tell_counts(place, found, current, as_json=as_json)
    raise SystemExit(1 if any(found.damaged for found in counts.values()) else 0)


def _tell_counts(place: str, found: KeyCounts, current: str, *, as_json: bool) -> None:
    for key_id, count in sorted(found.by_key.items()):
        line = {"place": place, "key_id": key_id, "count": count, "current": bool(key_id == current)}
        told = f"{place}: {count} under {key_id or 'no key (plain)'}"
        click.echo(json.dumps(line) if as_json else told)
    for name in found.damaged:
        reason = str(Reason.CIPHERTEXT_INVALID)
        line = {"place": place, "damaged": name, "reason": reason}
        click.echo(json.dumps(line) if as_json else f"{place}: {name} cannot be read ({reason})")


async def _rotate(settings: SuiteSettings, sealing: Sealing, *, as_json: bool) -> int:
    """Rotates and tells; gives how many could not be read."""
    from vidence_server.suite.rotation import rotate_all  # noqa: PLC0415  # it needs all services

    def told(place: str, count: int) -> None:
        if count % _TOLD_EVERY == 0:
            click.echo(f"{place}: {count}", err=True)

    refused = 0
    async for done in rotate_all(settings.storage.location, sealing, settings.access.tenants, told):
        refused += done.refused
        click.echo(
            json.dumps(asdict(done))
            if as_json
            else f"{done.place}: {done.rotated} rotated, {done.current} were current, {done.gone} gone, "
            f"{done.refused} refused"
        )
    return refused


def _change(file: Path, change: Callable[[list[FileKey], str], str]) -> None:
    """Changes the file while nobody else does; `change` gives the id of the active key."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(file):
            ring = read_ring(file) if file.exists() else None
            keys = list(ring.keys) if ring else []
            active = change(keys, ring.active.key_id if ring else "")
            write_ring(file, keys, active)
    except DomainError as error:
        raise click.UsageError(error.message) from None


def _key_file(path: Path | None, file: Path | None) -> Path:
    found = file or _settings(path).encryption.key_file
    if found is None:
        raise click.UsageError("name the file: --file, or the setting encryption.key_file")
    return found


def _opened(path: Path | None) -> tuple[SuiteSettings, Sealing]:
    settings = _settings(path)
    try:
        return settings, make_sealing(settings.encryption, SystemClock())
    except DomainError as error:
        raise click.UsageError(error.message) from None


def _settings(path: Path | None) -> SuiteSettings:
    try:
        return load_suite_settings(path, os.environ)
    except DomainError as error:
        raise click.UsageError(error.message) from None
