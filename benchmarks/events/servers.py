"""The servers that are measured, each a process of its own on one core."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.real_data import ROOT

OURS, NAIVE, NATS, REDIS = "vidence", "naive grpc.aio", "NATS core", "Redis pub/sub"
SERVER_CORE = "0"
ALL_CORES = "0,1"
_START_S = 60.0
_STOP_S = 20.0
_MANY_STREAMS = "5000"


class ServerFailedError(RuntimeError):
    """A server did not start."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    name: str
    protocol: str
    """`grpc`, `nats` or `redis`."""
    pid: int
    port: int
    log: Path
    """What it says."""


@dataclass(frozen=True, slots=True)
class Contender:
    """How to start a server: `start(folder, cores)` with an empty folder for its data."""

    name: str
    version: str
    start: Callable[[Path, str], AbstractContextManager[Server]]


@contextmanager
def ours(folder: Path, cores: str = SERVER_CORE) -> Iterator[Server]:
    """`vidence serve event` with its defaults, but more streams than the default allows."""
    environ = {
        "VIDENCE_DATA_DIR": str(folder),
        "VIDENCE_SERVER__PORT": "0",
        "VIDENCE_SERVER__MAX_STREAMS": _MANY_STREAMS,
        "VIDENCE_METRICS__PORT": "0",
        "VIDENCE_LOG__FORMAT": "json",
        "VIDENCE_LOG__LEVEL": "info",
    }
    log = folder / "server.log"
    command = [sys.executable, "-m", "vidence_server", "serve", "event"]
    with _process(command, cores, log, environ) as process:
        _wait(process, log, lambda: "ready" in events_logged(log.read_text()))
        address = str(events_logged(log.read_text())["listening"]["address"])
        yield Server(OURS, "grpc", process.pid, int(address.rpartition(":")[2]), log)


@contextmanager
def naive(folder: Path, cores: str = SERVER_CORE) -> Iterator[Server]:
    """`peers/naive_grpc.py`."""
    log = folder / "server.log"
    command = [sys.executable, str(ROOT / "benchmarks" / "peers" / "naive_grpc.py")]
    with _process(command, cores, log) as process:
        _wait(process, log, lambda: log.read_text().strip().isdigit())
        yield Server(NAIVE, "grpc", process.pid, int(log.read_text()), log)


@contextmanager
def nats(folder: Path, cores: str = SERVER_CORE) -> Iterator[Server]:
    """NATS with its defaults."""
    port = _free_port()
    command = ["nats-server", "--addr", "127.0.0.1", "--port", str(port)]
    log = folder / "server.log"
    with _process(command, cores, log) as process:
        _wait(process, log, lambda: _accepts(port))
        yield Server(NATS, "nats", process.pid, port, log)


@contextmanager
def redis(folder: Path, cores: str = SERVER_CORE) -> Iterator[Server]:
    """Redis without persistence, which pub/sub does not use, and without its limit for slow subscribers."""
    port = _free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no", "--client-output-buffer-limit", "pubsub 0 0 0"]
    log = folder / "server.log"
    with _process(command, cores, log) as process:
        _wait(process, log, lambda: _accepts(port))
        yield Server(REDIS, "redis", process.pid, port, log)


def contenders() -> tuple[list[Contender], list[str]]:
    """Those that can run here, ours first, and why others cannot."""
    present = [
        Contender(OURS, version("vidence"), ours),
        Contender(NAIVE, f"grpcio {version('grpcio')}", naive),
    ]
    absent = []
    for name, program, start in ((NATS, "nats-server", nats), (REDIS, "redis-server", redis)):
        if shutil.which(program) is None:
            absent.append(f"{name}: `{program}` is not installed")
        else:
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
            present.append(Contender(name, said.stdout.strip().splitlines()[0], start))
    return present, absent


def events_logged(text: str) -> dict[str, dict[str, object]]:
    """The last JSON line of each event in a log, by the event; a line that is not whole yet is left out."""
    entries = [
        json.loads(line) for line in text.splitlines(keepends=True) if line[0] == "{" and line[-1] == "\n"
    ]
    return {str(entry["event"]): entry for entry in entries}


@contextmanager
def _process(
    command: Sequence[str], cores: str, log: Path, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as words:
        process = subprocess.Popen(
            ["taskset", "-c", cores, *command],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, **(environ or {})},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool]) -> None:
    until = time.monotonic() + _START_S
    while not ready():
        if process.poll() is not None or time.monotonic() > until:
            raise ServerFailedError(f"{process.args!r} did not start: {log.read_text()[-2000:]}")
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    with socket.socket() as door:
        return door.connect_ex(("127.0.0.1", port)) == 0
