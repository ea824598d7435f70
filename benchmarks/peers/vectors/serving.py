"""What every process speaks that keeps vectors: it fills its index, then answers searches by JSON lines.

Filled: ``{"ready": "<name and version>", "ingest_s": 1.5, "memory_bytes": …, "disk_bytes": …}``; memory is
what the process has grown by. Then for each ``{"id": 7, "query": 3, "k": 10}`` one
``{"id": 7, "ids": […], "seconds": 0.01}`` or ``{"id": 7, "error": "…"}``; seconds are those between the query
in memory and the ids in Python.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.peers.vectors.data import Vectors, pieces, query


class Index(Protocol):
    """What is measured."""

    def add(self, first: int, vectors: Vectors) -> None:
        """Adds vectors; their ids rise by one from `first`."""

    def finish(self) -> None:
        """Called once after the last addition."""

    def search(self, query: Vectors, k: int) -> Sequence[int]:
        """Ids, the best first."""


def options() -> argparse.Namespace:
    """What a process is told: `count`, `dimensions`, an empty `folder`, `host` of a PostgreSQL."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--dimensions", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--host", default="")
    return parser.parse_args()


def serve(
    ready: str,
    chosen: argparse.Namespace,
    index: Index,
    disk_bytes: Callable[[], int] = lambda: 0,
) -> None:
    """Fills the index, then answers until stdin closes."""
    # Libraries print; only answers may reach the one who asked.
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as answers:
        os.dup2(2, 1)
        before = resident_bytes()
        seconds = 0.0
        for first, vectors in pieces(chosen.count, chosen.dimensions):
            start = time.perf_counter()
            index.add(first, vectors)
            seconds += time.perf_counter() - start
        start = time.perf_counter()
        index.finish()
        seconds += time.perf_counter() - start
        told = {
            "ready": ready,
            "ingest_s": seconds,
            "memory_bytes": resident_bytes() - before,
            "disk_bytes": disk_bytes(),
        }
        print(json.dumps(told), file=answers)
        for line in sys.stdin:
            asked = json.loads(line)
            print(json.dumps({"id": asked["id"], **_answer(index, chosen, asked)}), file=answers)


def _answer(index: Index, chosen: argparse.Namespace, asked: dict[str, Any]) -> dict[str, Any]:
    wanted = query(asked["query"], chosen.dimensions)
    start = time.perf_counter()
    try:
        ids = index.search(wanted, asked["k"])
    except Exception as error:  # noqa: BLE001 - a peer that fails stays in the comparison
        return {"error": f"{type(error).__name__}: {error}"}
    seconds = time.perf_counter() - start
    return {"ids": [int(one) for one in ids], "seconds": seconds}


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def resident_bytes() -> int:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
