"""The capture service on some cores; tells its address, then its counters for each line of stdin."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any


async def _serve() -> None:
    # After the cores are chosen: libraries count them when they are imported.
    from vidence_server.capture.app import MODELS, build_helpers, open_service, register
    from vidence_server.capture.settings import CaptureSettings
    from vidence_server.core.clock import SystemClock
    from vidence_server.core.ids import IdFactory
    from vidence_server.inference.engine import Engine, EngineSettings
    from vidence_server.runtime.bus_client import BusClient
    from vidence_server.runtime.logs import configure_logs
    from vidence_server.runtime.metrics import Metrics
    from vidence_server.runtime.server import RpcServer
    from vidence_server.runtime.settings import LogSettings, ServerSettings
    from vidence_server.storage.blobs import FolderBlobs
    from vidence_server.suite.models import load_sessions
    from vidence_server.suite_settings import InferenceSettings

    configure_logs(LogSettings(level="error"), sys.stderr)
    clock = SystemClock()
    ids = IdFactory(clock)
    settings = CaptureSettings()
    sessions = await asyncio.to_thread(load_sessions, InferenceSettings(), MODELS)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vidence-bench-")))
        engine = await stack.enter_async_context(Engine(sessions, EngineSettings(), clock))
        await engine.warm_up()
        capture = await stack.enter_async_context(
            open_service(
                settings,
                folder,
                build_helpers(settings, engine=engine, sessions=sessions),
                await stack.enter_async_context(FolderBlobs(folder / "blobs", clock=clock, ids=ids)),
                await stack.enter_async_context(BusClient(f"unix:{folder}/nobody.sock")),
                clock=clock,
                ids=ids,
                random=random.Random(1).random,
            )
        )
        server = RpcServer(
            ServerSettings(host=f"unix:{folder}/capture.sock", drain_grace_s=0, drain_accept_s=0),
            metrics=Metrics(version="bench"),
            clock=clock,
            ids=ids,
        )
        name = register(server, capture, clock)
        await stack.enter_async_context(server)
        await server.mark_ready(name)
        print(json.dumps({"address": server.address, "workers": engine.workers}), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(_counters(engine)), flush=True)


def _counters(engine: Any) -> dict[str, float]:
    """Seconds so far: of models, of other steps in the workers, of the processor."""
    numbers = engine.statistics()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "model_s": sum(step.run_s_sum for step in numbers.models.values()),
        "call_s": sum(step.run_s_sum for step in numbers.calls.values()),
        "cpu_s": used.ru_utime + used.ru_stime,
    }


def main() -> None:
    """Serves until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cores", required=True, help="numbers of cores, joined by commas")
    os.sched_setaffinity(0, {int(core) for core in parser.parse_args().cores.split(",")})
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
