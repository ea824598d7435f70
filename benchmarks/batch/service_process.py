"""Events, extraction and batches behind one server, in a process of its own, as `vidence serve` runs them.

Started: ``{"address": "…"}``. Then answers JSON lines:
``{"read": ["page.jpg", …], "at_once": 2}``: the same reader as the batch's workers, called without batch,
queue and transport, ``{"seconds": 1.5}``; ``{"steps": true}``: mean run of each model, s; ``{"idle": true}``:
answered when the engine has nothing to do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TextIO

import uvloop

from vidence_server.inference.engine import Engine
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.settings import LogSettings
from vidence_server.suite import batch, event, extraction
from vidence_server.suite.opening import open_process
from vidence_server.suite.process import Process
from vidence_server.suite.table import ServiceModule
from vidence_server.suite_settings import load_suite_settings

_IDLE_S = 0.02


async def _read(process: Process, paths: Sequence[str], at_once: int) -> Mapping[str, Any]:
    """Reads as a worker does: so many at once, the first of them before the others."""
    reader = batch.reader_of(process)
    contents = [await asyncio.to_thread(Path(path).read_bytes) for path in paths]
    turns = asyncio.Semaphore(at_once)
    running = 0

    async def one(content: bytes) -> None:
        nonlocal running
        async with turns:
            ahead = running == 0
            running += 1
            await reader.read(content, document_type="text", pdf_page=1, ahead=ahead)
            running -= 1

    start = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for content in contents:
            tasks.create_task(one(content))
    return {"seconds": time.perf_counter() - start}


def _steps(engine: Engine) -> Mapping[str, float]:
    models = engine.statistics().models
    return {name: step.run_s_sum / step.runs for name, step in models.items() if step.runs}


async def _idle(engine: Engine) -> Mapping[str, Any]:
    # Two looks: between two steps of a reading the engine rests for a moment.
    quiet = 0
    while quiet < 2:
        numbers = engine.statistics()
        waiting = sum(step.queued for step in (*numbers.models.values(), *numbers.calls.values()))
        quiet = 0 if waiting or numbers.busy_workers else quiet + 1
        await asyncio.sleep(_IDLE_S)
    return {}


async def _answer(process: Process, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    if "read" in asked:
        return await _read(process, asked["read"], asked["at_once"])
    return _steps(process.models) if "steps" in asked else await _idle(process.models)


async def _serve(folder: Path, address: str, *, workers: bool, answers: TextIO) -> None:
    overrides: dict[str, Any] = {
        "server": {"host": address},
        "storage": {"data_dir": folder},
        "batch": {} if workers else {"workers": 0},
    }
    settings = load_suite_settings(None, {}, overrides)
    configure_logs(LogSettings(level="warning"), sys.stderr)
    modules: list[ServiceModule] = [event, extraction, batch] if workers else [event, batch]
    async with AsyncExitStack() as stack:
        process = await open_process(stack, settings, modules)
        for module in modules:
            await module.open_service(process)
        await stack.enter_async_context(process.server)
        if process.engine is not None:
            await process.engine.warm_up()
        for name in (*process.light_services, *process.model_services):
            await process.server.mark_ready(name)
        print(json.dumps({"address": address}), file=answers)
        loop = asyncio.get_running_loop()
        requests = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
        while line := await requests.readline():
            print(json.dumps(await _answer(process, json.loads(line))), file=answers)


def main() -> None:
    """Serves until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--no-workers", action="store_true", help="`vidence worker` processes read")
    options = parser.parse_args()
    address = f"unix:{options.folder}/server.sock"
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as answers:
        os.dup2(2, 1)
        uvloop.run(_serve(options.folder, address, workers=not options.no_workers, answers=answers))


if __name__ == "__main__":
    main()
