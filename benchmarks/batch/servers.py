"""Who is measured: a service with its own workers, and one whose workers are processes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc

from benchmarks.real_data import ROOT
from vidence.job.v1 import job_pb2, job_service_pb2_grpc
from vidence.job.v1 import job_service_pb2 as jobs
from vidence_client import Client

_START_S = 120.0
_HEARTBEAT_S = 2.5
"""A little more than a worker's heartbeat, by which it learns that it shall work again."""


class Service:
    """A service process, its client, and what else it answers."""

    def __init__(self, process: Process, client: Client) -> None:
        self.client = client
        self._process = process

    async def read(self, paths: Sequence[Path], at_once: int) -> float:
        """Seconds for the same reader called directly."""
        answer = await self.ask({"read": [str(path) for path in paths], "at_once": at_once})
        return float(answer["seconds"])

    async def steps(self) -> Mapping[str, float]:
        """Mean run of each model so far, s."""
        return await self.ask({"steps": True})

    async def idle(self) -> None:
        """Returns when the engine has nothing to do."""
        await self.ask({"idle": True})

    async def ask(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """Asks the process beside its server."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        await self._process.stdin.drain()
        return await _line(self._process)


@dataclass(frozen=True, slots=True)
class Crew:
    """A service whose workers are processes."""

    client: Client
    jobs: job_service_pb2_grpc.JobServiceAsyncStub

    async def let_work(self, count: int) -> None:
        """Lets so many of the workers take items; returns when they know."""
        resumed = False
        for number, worker in enumerate(await self.workers()):
            resume = number < count
            resumed |= resume and worker.state == job_pb2.WORKER_STATE_DRAINING
            await self.jobs.DrainWorker(jobs.DrainWorkerRequest(worker_id=worker.worker_id, resume=resume))
        if resumed:  # one that is drained gets nothing more from this moment on, whatever it knows
            await asyncio.sleep(_HEARTBEAT_S)

    async def workers(self) -> list[job_pb2.Worker]:
        """Those that are heard of, in the order of their start."""
        found = (await self.jobs.ListWorkers(jobs.ListWorkersRequest())).workers
        return sorted(found, key=lambda worker: worker.worker_id)

    async def await_workers(self, count: int) -> None:
        """Returns when so many have asked for work."""
        async with asyncio.timeout(_START_S):
            while len(await self.workers()) < count:  # noqa: ASYNC110  # what other processes do sets no event
                await asyncio.sleep(0.1)


@asynccontextmanager
async def open_service(log: Path) -> AsyncIterator[Service]:
    """A service that reads what it is given with its own engine."""
    async with _service(log) as (process, address), Client(address) as client:
        yield Service(process, client)


@asynccontextmanager
async def open_crew(log: Path, *, workers: int) -> AsyncIterator[Crew]:
    """A service without workers of its own, and `vidence worker` processes.

    Each runs one model step at a time and works at two items at once: the next is at hand when one is done.
    """
    async with AsyncExitStack() as stack:
        _, address = await stack.enter_async_context(_service(log, "--no-workers"))
        client = await stack.enter_async_context(Client(address))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        environ = {"VIDENCE_INFERENCE__WORKERS": "1", "VIDENCE_METRICS__ENABLED": "false"}
        for _ in range(workers):
            await stack.enter_async_context(
                _started(
                    [str(Path(sys.executable).with_name("vidence")), "worker", address, "--concurrency", "2"],
                    log,
                    environ,
                )
            )
        crew = Crew(client, job_service_pb2_grpc.JobServiceStub(channel))
        await crew.await_workers(workers)
        yield crew


@asynccontextmanager
async def _service(log: Path, *arguments: str) -> AsyncIterator[tuple[Process, str]]:
    # On the disk of the project: /tmp may be memory.
    with TemporaryDirectory(prefix="batch-", dir=ROOT / ".venv-bench") as folder:
        command = [sys.executable, "-m", "benchmarks.batch.service_process", "--folder", folder, *arguments]
        async with _started(command, log, {}) as process:
            async with asyncio.timeout(_START_S):
                address = (await _line(process))["address"]
            yield process, address


@asynccontextmanager
async def _started(command: Sequence[str], log: Path, environ: Mapping[str, str]) -> AsyncIterator[Process]:
    with log.open("ab") as words:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=words, cwd=ROOT, env={**os.environ, **environ}
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _line(process: Process) -> Mapping[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("a process of the benchmark ended")
    answer: Mapping[str, Any] = json.loads(line)
    return answer
