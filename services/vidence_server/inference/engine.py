"""One engine for all models and all CPU work of the process: asyncio outside, worker threads inside."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self, TypeVar, cast

import numpy as np

from vidence_server.core.clock import Clock
from vidence_server.core.deadline import Deadline
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.spans import NoSpans, Spans
from vidence_server.inference.jobs import (
    Array,
    FunctionCall,
    Job,
    JobQueue,
    ModelStep,
    Outcome,
    Priority,
    Tensors,
)
from vidence_server.inference.scheduler import Lane, Scheduler, expired
from vidence_server.inference.session import ModelSession, on_accelerator
from vidence_server.inference.statistics import EngineStatistics, StepStatistics
from vidence_server.inference.worker import Worker

__all__ = ["Engine", "EngineSettings", "EngineStatistics", "Priority", "StepStatistics", "available_cores"]

T = TypeVar("T")
ACCELERATOR_WORKERS = 2
"""One step computes while the inputs of the next are copied."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Sizes of the engine."""

    workers: int | None = None
    """Threads that run one step each; unset: the cores of this process, or 2 with an accelerator."""
    queue_limit: int = 256
    """Waiting jobs per model; beyond it a job is refused with QUEUE_FULL."""
    call_queue_limit: int = 256
    """Waiting function calls, all steps together."""
    max_batch: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Rows per run by model. Unset: 1 on a CPU, else what the model allows, which is always the most."""

    def __post_init__(self) -> None:
        sizes = (self.queue_limit, self.call_queue_limit, *self.max_batch.values())
        if min(sizes) < 1 or (self.workers is not None and self.workers < 1):
            raise DomainError(
                Reason.CONFIGURATION_INVALID, "Workers, queue limits and batches must be at least 1."
            )


class Engine:
    """Runs model steps and functions in worker threads, by priority, with bounded queues.

    An async context manager: entering starts the workers; leaving fails what is open with DRAINING, stops the
    runs and waits for the threads. An engine is entered once.
    """

    def __init__(
        self,
        sessions: Mapping[str, ModelSession],
        settings: EngineSettings,
        clock: Clock,
        spans: Spans | None = None,
    ) -> None:
        self._sessions = dict(sessions)
        self._spans = spans or NoSpans()
        self._clock = clock
        count = settings.workers or _default_workers(self._sessions)
        lanes = {
            name: Lane(JobQueue(settings.queue_limit), session, _batch_limit(name, session, settings))
            for name, session in self._sessions.items()
        }
        calls = Lane(JobQueue(settings.call_queue_limit))
        self._scheduler = Scheduler(lanes, calls, workers=count, clock=clock)
        self._workers = [Worker(self._scheduler, f"inference-{number}") for number in range(count)]

    @property
    def workers(self) -> int:
        """Threads, and so steps that run at once."""
        return len(self._workers)

    async def __aenter__(self) -> Self:
        for worker in self._workers:
            worker.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scheduler.close()
        for worker in self._workers:
            await asyncio.to_thread(worker.join)

    async def run(
        self,
        model: str,
        inputs: Tensors,
        *,
        priority: Priority = Priority.INTERACTIVE,
        deadline: Deadline | None = None,
    ) -> tuple[Array, ...]:
        """Runs one step of a model; cancelling the awaiting task stops it, queued or running.

        Args:
            model: Its name in the registry.
            inputs: Arrays by input name; they must not change until the step has ended. Where steps are
                batched, axis 0 of every input is the batch.
            priority: Who waits.
            deadline: When the result is of no use any more.

        Returns:
            The outputs in the model's order. With batching they are views into one shared array.

        Raises:
            DomainError: MODEL_UNKNOWN, QUEUE_FULL (with a retry delay), DEADLINE_EXCEEDED, DRAINING, and
                INTERNAL when the model fails.
        """
        with self._spans.step(f"model {model}", kind="model", step=model, priority=priority.name.lower()):
            result = await self._wait_for(model, ModelStep(inputs), priority, deadline)
        return cast(tuple[Array, ...], result)

    async def call(
        self,
        function: Callable[[], T],
        *,
        step: str,
        priority: Priority = Priority.INTERACTIVE,
        deadline: Deadline | None = None,
    ) -> T:
        """Runs a function in a worker, so that CPU work and models share the cores fairly.

        A running function cannot be interrupted: after a cancellation its result is dropped.

        Args:
            function: What to run; its exceptions reach the caller as they are.
            step: What it is called in the statistics; a fixed name from the code.
            priority: Who waits.
            deadline: When the result is of no use any more.

        Raises:
            DomainError: QUEUE_FULL (with a retry delay), DEADLINE_EXCEEDED, DRAINING.
        """
        with self._spans.step(f"step {step}", kind="call", step=step, priority=priority.name.lower()):
            result = await self._wait_for(step, FunctionCall(function), priority, deadline)
        return cast(T, result)

    def statistics(self) -> EngineStatistics:
        """One consistent view of queues, runs and outcomes."""
        return self._scheduler.statistics()

    async def warm_up(self) -> None:
        """Runs every model once per declared warm-up shape with zeros: no caller pays for the first run.

        Raises:
            DomainError: as `run`.
        """
        for name, session in self._sessions.items():
            kinds = {tensor.name: tensor.dtype for tensor in session.inputs}
            for shapes in session.warm_up_shapes:
                inputs = {key: np.zeros(shape, kinds[key]) for key, shape in shapes.items()}
                await self.run(name, inputs, priority=Priority.LIVE)

    async def _wait_for(
        self, step: str, work: ModelStep | FunctionCall, priority: Priority, deadline: Deadline | None
    ) -> object:
        loop = asyncio.get_running_loop()
        job = Job(step=step, work=work, priority=priority, deadline=deadline, future=loop.create_future())
        self._scheduler.submit(job)
        timer = None
        if deadline is not None:
            timer = loop.call_later(max(0.0, deadline.remaining_s(self._clock)), self._expire, job)
        try:
            return await job.future
        finally:
            if timer is not None:
                timer.cancel()
            self._scheduler.give_up(job, Outcome.CANCELLED)
            del job  # it has the error that this is in the traceback of

    def _expire(self, job: Job) -> None:
        if self._scheduler.give_up(job, Outcome.EXPIRED):
            job.fail(expired(job.step))


def available_cores(cgroup: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Cores that this process may use: its affinity, and a container's CPU quota rounded up.

    Args:
        cgroup: The quota file of cgroup v2: microseconds per period, or `max`.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = cgroup.read_text(encoding="ascii").split()
        return min(cores, max(1, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return cores


def _default_workers(sessions: Mapping[str, ModelSession]) -> int:
    if any(on_accelerator(session.providers) for session in sessions.values()):
        return ACCELERATOR_WORKERS
    return available_cores()


def _batch_limit(name: str, session: ModelSession, settings: EngineSettings) -> int:
    unset = session.max_batch if on_accelerator(session.providers) else 1
    return min(session.max_batch, settings.max_batch.get(name, unset))
