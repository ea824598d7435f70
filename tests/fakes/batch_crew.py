"""A service and its workers as processes that are killed and started again while a batch is worked at."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from vidence.batch.v1 import batch_service_pb2 as pb
from vidence.batch.v1 import batch_service_pb2_grpc as pb_grpc

_TESTS = Path(__file__).resolve().parents[1]
_SCRIPT = _TESTS / "e2e" / "batch_process.py"


@dataclass
class Crew:
    """One service and some workers, on one folder and port."""

    folder: Path
    workers: int
    """Processes; 0: the service's own."""
    seconds: float = 0.01
    """How long a reading takes."""
    port: int = 0
    server: subprocess.Popen[str] | None = None
    crew: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    def start(self) -> None:
        role = "serve" if self.workers else "serve-and-work"
        self.server = self._process(role, str(self.folder), str(self.port))
        assert self.server.stdout is not None
        self.port = int(self.server.stdout.readline())
        while len(self.crew) < self.workers:
            self.hire()

    def hire(self) -> None:
        worker = self._process("work", self.address, "0")
        assert worker.stdout is not None
        worker.stdout.readline()
        self.crew.append(worker)

    def kill_server(self) -> None:
        assert self.server is not None
        _kill(self.server)
        self.server = None

    def kill_worker(self) -> None:
        _kill(self.crew.pop(0))

    def stop(self) -> None:
        for process in (*self.crew, *([self.server] if self.server else [])):
            _kill(process)
        self.crew.clear()
        self.server = None

    def begun(self) -> list[tuple[int, str]]:
        """When which image was begun, Unix ns."""
        lines = self.ledger.read_text().splitlines()
        return [(int(when), text) for when, _, text in (line.partition(" ") for line in lines)]

    def _process(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(_SCRIPT), *arguments, str(self.ledger), str(self.seconds)]
        environ = {**os.environ, "PYTHONPATH": str(_TESTS)}
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)


@dataclass
class Follower:
    """A watcher that comes back by its last cursor however often it is cut."""

    events: list[pb.BatchEvent] = field(default_factory=list)
    cuts: int = 0

    async def follow(self, crew: Crew, batch_id: str) -> None:
        """Reads the log of a batch to its end."""
        while not (self.events and self.events[-1].HasField("complete")):
            async with grpc.aio.insecure_channel(crew.address) as channel:
                request = pb.WatchBatchRequest(batch_id=batch_id)
                if self.events:
                    request.after_cursor = self.events[-1].cursor
                try:
                    async for message in pb_grpc.BatchServiceStub(channel).WatchBatch(request):
                        self.events += message.events
                except grpc.aio.AioRpcError as error:
                    if error.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN}:
                        raise
                    self.cuts += 1
                    await asyncio.sleep(0.02)

    async def reach(self, count: int) -> None:
        """Waits until so many events came."""
        while len(self.events) < count:  # noqa: ASYNC110  # what another process does sets no event here
            await asyncio.sleep(0.002)


def judge(events: list[pb.BatchEvent], crew: Crew, texts: list[str]) -> None:
    """Every item once in the log, none lost, none begun again after its end was committed."""
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    ends = [event for event in events if event.HasField("result") or event.HasField("error")]
    index = Counter((event.result if event.HasField("result") else event.error).index for event in ends)
    assert index == dict.fromkeys(range(len(texts)), 1)
    current = [event.progress.current for event in events if event.HasField("progress")]
    assert current == sorted(current)
    assert current[-1] == len(texts)
    complete = events[-1].complete
    assert complete.statistics.total == complete.statistics.succeeded + complete.statistics.failed
    committed = {
        texts[(event.result if event.HasField("result") else event.error).index]: (
            event.emit_time.ToNanoseconds()
        )
        for event in ends
    }
    again = [text for when, text in crew.begun() if when > committed[text]]
    assert not again, "items were begun after their end was committed"


def _kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
