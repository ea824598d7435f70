"""A worker thread: takes a batch, runs it, hands the results to the tasks that wait for them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.spent_errors import free_locals
from vidence_server.inference.batching import split, stack
from vidence_server.inference.jobs import FunctionCall, Job, ModelStep
from vidence_server.inference.scheduler import Batch, Scheduler
from vidence_server.inference.session import ModelSession, RunOptions


class Worker:
    """One thread that runs one step at a time until the scheduler is closed."""

    def __init__(self, scheduler: Scheduler, name: str) -> None:
        self._scheduler = scheduler
        # A daemon: an engine that nobody closed must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def join(self) -> None:
        """Waits until the thread has ended; blocks, so not for the event loop."""
        self._thread.join()

    def _work(self) -> None:
        while self._run_one():
            pass

    def _run_one(self) -> bool:
        # A function of its own: its variables must not keep the last arrays alive while the thread waits.
        batch = self._scheduler.take()
        if batch is None:
            return False
        try:
            results = execute(batch)
        except BaseException as error:  # noqa: BLE001 whatever a step raises belongs to the task that waits for it
            free_locals(error)
            self._scheduler.finish(batch, failed=True)
            _fail(batch.jobs, error)
        else:
            self._scheduler.finish(batch, failed=False)
            for job, result in zip(batch.jobs, results, strict=True):
                job.succeed(result)
        finally:
            del batch  # its jobs have the error that this is in the traceback of
        return True


def _fail(jobs: Sequence[Job], error: BaseException) -> None:
    for job in jobs:
        job.fail(_presentable(job, error))


def execute(batch: Batch) -> list[Any]:
    """Runs a batch in the calling thread; one result per job, in their order."""
    steps: list[ModelStep] = []
    for job in batch.jobs:
        if isinstance(job.work, FunctionCall):
            return [job.work.function()]
        steps.append(job.work)
    if batch.lane.session is None:
        raise DomainError(Reason.INTERNAL, "A model step came to the queue of functions.")
    return list(_run_model(batch.lane.session, steps, batch.options))


def _run_model(session: ModelSession, steps: list[ModelStep], options: RunOptions) -> list[Any]:
    if len(steps) == 1:
        return [session.run(steps[0].inputs, options)]
    return split(session.run(stack(steps), options), len(steps))


def _presentable(job: Job, error: BaseException) -> Exception:
    """The error as the waiting task sees it: functions raise their own, a model's is internal."""
    if isinstance(error, DomainError):
        return error
    if (
        isinstance(job.work, FunctionCall)
        and isinstance(error, Exception)
        and not isinstance(error, StopIteration)
    ):
        return error
    # The runtime's own words may hold values; they stay in the cause.
    internal = DomainError(Reason.INTERNAL, f"The step {job.step!r} failed with {type(error).__name__}.")
    internal.__cause__ = error
    return internal
