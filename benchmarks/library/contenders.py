"""Who keeps vectors: each a process that fills its index and then answers JSON lines on pipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.real_data import ROOT

OURS = "vidence, exact"
GRAPH = "vidence, approximate"
NUMPY = "numpy, called directly"
USEARCH = "usearch exact, called directly"
PEER_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
_PEERS = ROOT / "benchmarks" / "peers" / "vectors"
_LOOK_S = 0.01
"""How long a process is looked at to tell whether it works; a server behind it tidies up meanwhile."""
_AT_REST = 0.05
"""The part of a core that a process at rest uses at most: a runtime's timers."""
_LONGEST_REST_S = 1.0


class ContenderFailedError(RuntimeError):
    """A process did not start, died, or could not search."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to keep vectors."""

    name: str
    command: tuple[str, ...]
    needs_postgres: bool = False
    largest: int = 1_000_000
    """Vectors that it can be filled with in a bearable time."""

    @property
    def may_fail(self) -> bool:
        """Whether the others can be compared without it."""
        return self.name not in (OURS, NUMPY)


def contenders() -> list[Contender]:
    """All, ours first."""
    own = (sys.executable, "-m", "benchmarks.library.ours_process")
    return [
        Contender(OURS, own),
        Contender(GRAPH, (*own, "--approximate"), largest=25_000),
        Contender(NUMPY, (str(PEER_PYTHON), str(_PEERS / "numpy_direct.py"))),
        Contender(USEARCH, (str(PEER_PYTHON), str(_PEERS / "usearch_exact.py"))),
        Contender("lancedb", (str(PEER_PYTHON), str(_PEERS / "lance_db.py"))),
        Contender("sqlite-vec", (str(PEER_PYTHON), str(_PEERS / "sqlite_vectors.py"))),
        Contender("pgvector", (str(PEER_PYTHON), str(_PEERS / "pg_vector.py")), needs_postgres=True),
    ]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and how long it took inside the process."""

    ids: Sequence[int]
    seconds: float


class Standing:
    """A filled index that answers."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self._process = process
        self._number = 0
        self.filled = self._next()
        """`ready`, `ingest_s`, `memory_bytes`, `disk_bytes`."""

    def search(self, query: int, k: int) -> Answer:
        """Asks for one of the queries.

        Raises:
            ContenderFailedError: In the process's own words.
        """
        self._number += 1
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": self._number, "query": query, "k": k}) + "\n")
        self._process.stdin.flush()
        answer = self._next()
        if "error" in answer:
            raise ContenderFailedError(f"{self.name}: {answer['error']}")
        return Answer(answer["ids"], answer["seconds"])

    def rest(self) -> None:
        """Waits until its process works no more, a second at most.

        Threads of BLAS look for the next call for a tenth of a second after each, without sleeping: a core
        that whoever comes next would have to do without.
        """
        end_s = time.monotonic() + _LONGEST_REST_S
        before_s, before_ns = time.monotonic(), self._worked_ns()
        while before_s < end_s:
            time.sleep(_LOOK_S)
            now_s, now_ns = time.monotonic(), self._worked_ns()
            if (now_ns - before_ns) / 1e9 < _AT_REST * (now_s - before_s):
                return
            before_s, before_ns = now_s, now_ns

    def _worked_ns(self) -> int:
        """Time that the process's threads have run."""
        worked = 0
        for thread in Path(f"/proc/{self._process.pid}/task").iterdir():
            with suppress(OSError):  # ended meanwhile
                worked += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
        return worked

    def _next(self) -> Mapping[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ContenderFailedError(f"{self.name} ended; its words are on stderr")
        answer: Mapping[str, Any] = json.loads(line)
        return answer


@contextmanager
def filled(
    contender: Contender, *, count: int, dimensions: int, folder: Path, host: str
) -> Iterator[Standing]:
    """Starts a contender, returns when it is filled, and ends it with the context.

    Args:
        contender: Whom.
        count: Vectors.
        dimensions: Of each.
        folder: Empty, on a disk.
        host: Folder of the PostgreSQL socket.
    """
    told = ("--count", str(count), "--dimensions", str(dimensions), "--folder", str(folder))
    process = subprocess.Popen(
        [*contender.command, *told, "--host", host],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield Standing(contender.name, process)
    finally:
        process.terminate()
        process.wait()
