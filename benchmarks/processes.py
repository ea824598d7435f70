"""Engines in processes of their own, asked by JSON lines (`peers/protocol.py`)."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ocr.metrics import Box, Line
from benchmarks.real_data import ROOT
from vidence_server.vision.geometry import Point, Quad

_LONGEST_ANSWER = 64 * 2**20
_SLOWEST_START_S = 120.0

PEER_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
NO_PEERS = "No .venv-bench here: `benchmarks/bench-ocr` (or `make bench-ocr`) makes it."


class EngineFailedError(RuntimeError):
    """A process did not start, died, or could not read a picture."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read on one picture."""

    lines: tuple[Line, ...]
    quads: tuple[Quad, ...]
    """Where the lines stand; upright boxes from engines that tell no more."""
    seconds: float
    """Inside the process, from bytes to lines."""
    extra: Mapping[str, float]
    """What only some engines tell."""


def _box(quad: Quad) -> Box:
    xs, ys = [point.x for point in quad.corners], [point.y for point in quad.corners]
    return min(xs), min(ys), max(xs), max(ys)


class EngineProcess:
    """A running process; answers may overlap where it can work on several pictures."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self.name = name
        self.version = ""
        self._process = process
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ids = itertools.count(1)

    async def read(self, path: Path) -> Answer:
        """Reads one picture; raises `EngineFailedError` with the engine's own words."""
        number = next(self._ids)
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "path": str(path)}).encode() + b"\n")
        await self._process.stdin.drain()
        answer = await future
        if "error" in answer:
            raise EngineFailedError(f"{self.name} on {path.name}: {answer['error']}")
        found = answer["lines"]
        quads = tuple(Quad(*(Point(x, y) for x, y in line["corners"])) for line in found)
        lines = tuple(Line(line["text"], _box(quad)) for line, quad in zip(found, quads, strict=True))
        return Answer(lines, quads, answer["seconds"], answer.get("extra", {}))

    async def receive_ready(self) -> None:
        """Waits for the first line, which tells the version."""
        async with asyncio.timeout(_SLOWEST_START_S):
            self.version = str((await self._next_line())["ready"])

    async def receive(self) -> None:
        """Hands out answers until the process ends."""
        try:
            while True:
                answer = await self._next_line()
                self._waiting.pop(answer["id"]).set_result(answer)
        except EngineFailedError as error:
            for future in self._waiting.values():
                future.set_exception(error)

    async def _next_line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise EngineFailedError(f"{self.name} ended; its words are on stderr")
        answer: dict[str, Any] = json.loads(line)
        return answer


@asynccontextmanager
async def engine_process(
    name: str, command: Sequence[str | Path], *, log: Path, environ: Mapping[str, str] | None = None
) -> AsyncIterator[EngineProcess]:
    """Starts an engine and ends it with the context.

    Args:
        name: For people.
        command: Program and arguments.
        log: Where its stderr goes.
        environ: Variables on top of this process's own.
    """
    with log.open("ab") as words:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=words,
            cwd=ROOT,
            env={**os.environ, **(environ or {})},
            limit=_LONGEST_ANSWER,
        )
    engine = EngineProcess(process, name)
    try:
        await engine.receive_ready()
        # no TaskGroup: a dozen of these are nested, one failure would come as a group in a group in a group
        receiving = asyncio.create_task(engine.receive())
        try:
            yield engine
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()


@dataclass(frozen=True, slots=True)
class Peer:
    """Another engine: how to start it with its defaults, and with one thread."""

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    one_thread: tuple[str, ...] = ("--threads", "1")
    environ: tuple[tuple[str, str], ...] = ()
    """Variables on top of this process's own, in every mode."""
    program: str = ""
    """What must be installed on the machine."""

    def command(self, *, one_thread: bool = False) -> list[str | Path]:
        """Program and arguments."""
        limit = self.one_thread if one_thread else ()
        return [PEER_PYTHON, ROOT / "benchmarks" / "peers" / self.script, *self.arguments, *limit]

    @property
    def missing(self) -> str:
        """Why it cannot run here; empty where it can."""
        if not PEER_PYTHON.exists():
            return NO_PEERS
        if self.program and shutil.which(self.program) is None:
            return f"`{self.program}` is not installed (Debian: tesseract-ocr)"
        return ""


PEERS = (
    Peer("rapidocr", "rapid_ocr.py"),
    Peer("faster-paddle tiny", "faster_paddle_ocr.py", ("--size", "tiny")),
    Peer("faster-paddle small", "faster_paddle_ocr.py", ("--size", "small")),
    # Its threads wait for each other so busily that one is several times as fast as its default of all cores.
    Peer("tesseract", "tesseract_ocr.py", (), (), (("OMP_THREAD_LIMIT", "1"),), "tesseract"),
)
