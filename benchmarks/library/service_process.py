"""The library service behind its server, in a process of its own.

Started: ``{"address": "…"}``. Then for each ``{"query": 3, "k": 1000}`` the same search without a transport,
all hits taken: ``{"seconds": 0.01, "hits": 1000}``; and for ``{}`` the work of all its threads so far:
``{"cpu_seconds": 1.5, "memory_bytes": 90000000}``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import random
from typing import TextIO

import uvloop

from benchmarks.peers.vectors.data import query
from benchmarks.peers.vectors.serving import resident_bytes
from vidence_server.access.principal import DEFAULT_TENANT
from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.inference.engine import available_cores
from vidence_server.library import app
from vidence_server.library.domain.documents import Vector
from vidence_server.library.domain.searches import SearchRequest
from vidence_server.library.search.making import make_index
from vidence_server.library.search.scan import ScanThreads
from vidence_server.library.service import LibraryService
from vidence_server.library.settings import LibrarySettings
from vidence_server.runtime.heap import settled_heap
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.settings import LogSettings, ServerSettings
from vidence_server.storage.location import StateLocation
from vidence_server.storage.outbox import OutboxEvent

LIBRARY = "bench"
MODEL = "bench@1"


class _NoBus:
    """Takes every event and keeps none."""

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        """Nothing is done."""


async def _answer(service: LibraryService, asked: dict[str, int], dimensions: int) -> dict[str, float]:
    if not asked:
        return {"cpu_seconds": time.process_time(), "memory_bytes": resident_bytes()}
    vector = Vector(MODEL, query(asked["query"], dimensions).astype("<f4").tobytes())
    start = time.perf_counter()
    hits = 0
    found = await service.searching.find(DEFAULT_TENANT, LIBRARY, SearchRequest(vector=vector, k=asked["k"]))
    async for page in service.searching.pages(found):
        hits += len(page)
    return {"seconds": time.perf_counter() - start, "hits": hits}


async def _serve(folder: Path, dimensions: int, answers: TextIO, scan: ScanThreads) -> None:
    configure_logs(LogSettings(level="warning"), sys.stderr)
    clock = SystemClock()
    ids = IdFactory(clock)
    server = RpcServer(ServerSettings(port=0), metrics=Metrics(version="0"), clock=clock, ids=ids)
    opening = app.open_service(
        LibrarySettings(),
        StateLocation(folder),
        _NoBus(),
        embedders={},
        clock=clock,
        ids=ids,
        random=random,
        make=partial(make_index, scan=scan),
    )
    async with opening as opened:
        name = app.register(server, opened.service, clock)
        async with server:
            await server.mark_ready(name)
            print(json.dumps({"address": server.address}), file=answers)
            loop = asyncio.get_running_loop()
            requests = asyncio.StreamReader()
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
            with settled_heap():  # as a server that is ready
                while line := await requests.readline():
                    answer = await _answer(opened.service, json.loads(line), dimensions)
                    print(json.dumps(answer), file=answers)


def main() -> None:
    """Serves until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--dimensions", type=int, required=True)
    options = parser.parse_args()
    with (
        os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as answers,
        ScanThreads(available_cores()) as scan,
    ):
        os.dup2(2, 1)
        uvloop.run(_serve(options.folder, options.dimensions, answers, scan))


if __name__ == "__main__":
    main()
