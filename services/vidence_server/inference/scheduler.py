"""Which job runs next: bounded queues behind one lock, shared by the event loop and the workers.

The lock is never held during a run, so the loop waits for nothing longer than some dictionary operations.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.batching import companions
from vidence_server.inference.jobs import Job, JobQueue, JobState, ModelStep, Outcome
from vidence_server.inference.session import ModelSession, RunOptions, new_run_options
from vidence_server.inference.statistics import EngineStatistics, StepCounters

SHORTEST_RETRY_S = 0.1


@dataclass(frozen=True, slots=True)
class Lane:
    """One queue and the session that works it off; the lane of plain functions has no session."""

    queue: JobQueue
    session: ModelSession | None = None
    max_batch: int = 1


@dataclass(slots=True, eq=False)
class Batch:
    """Jobs of one lane that run as one step, and the switch that stops them."""

    lane: Lane
    jobs: list[Job]
    options: RunOptions
    started_at_s: float


class Scheduler:
    """Accepts jobs, hands batches to workers, and knows how each job ended. Safe from any thread."""

    def __init__(self, models: Mapping[str, Lane], calls: Lane, *, workers: int, clock: Clock) -> None:
        self._models = dict(models)
        self._calls = calls
        self._lanes = (*self._models.values(), calls)
        self._workers = workers
        self._clock = clock
        self._model_counters = {name: StepCounters() for name in models}
        self._call_counters: dict[str, StepCounters] = {}
        self._running: dict[Job, Batch] = {}
        self._busy = 0
        self._sequence = 0
        self._closed = False
        self._changed = threading.Condition(threading.Lock())

    def submit(self, job: Job) -> None:
        """Puts a job behind those of its priority.

        Raises:
            DomainError: MODEL_UNKNOWN, QUEUE_FULL (with a retry delay), DRAINING.
        """
        lane = self._lane_of(job)
        with self._changed:
            if self._closed:
                raise draining()
            counters = self._counters_of(job)
            if lane.queue.full:
                counters.rejected += 1
                raise self._queue_full(lane, job.step)
            self._sequence += 1
            job.sequence = self._sequence
            job.queued_at_s = self._clock.monotonic()
            lane.queue.put(job)
            counters.queued += 1
            self._changed.notify()

    def take(self) -> Batch | None:
        """Waits for work: the highest priority first, then the oldest. None once the scheduler is closed."""
        with self._changed:
            while not self._closed:
                batch = self._next_batch()
                if batch is not None:
                    return batch
                self._changed.wait()
            return None

    def finish(self, batch: Batch, *, failed: bool) -> None:
        """Records the end of a run and frees its worker."""
        with self._changed:
            run_s = self._clock.monotonic() - batch.started_at_s
            self._busy -= 1
            self._counters_of(batch.jobs[0]).ran(run_s, len(batch.jobs))
            for job in batch.jobs:
                del self._running[job]
                self._counters_of(job).running -= 1
                self._end(job, job.given_up or (Outcome.FAILED if failed else Outcome.COMPLETED))

    def give_up(self, job: Job, outcome: Outcome) -> bool:
        """Nobody waits for this job any more.

        A queued one leaves the queue; a run stops once all its jobs are given up.

        Returns:
            Whether the job was still open.
        """
        with self._changed:
            return self._give_up(job, outcome)

    def close(self) -> None:
        """Fails every open job with DRAINING, stops the runs and sends the workers home."""
        with self._changed:
            self._closed = True
            for job in [job for lane in self._lanes for job in lane.queue] + list(self._running):
                if self._give_up(job, Outcome.CANCELLED):
                    job.fail(draining())
            self._changed.notify_all()

    def statistics(self) -> EngineStatistics:
        """One consistent view of all counters."""
        with self._changed:
            return EngineStatistics(
                workers=self._workers,
                busy_workers=self._busy,
                models={name: counters.snapshot() for name, counters in self._model_counters.items()},
                calls={name: counters.snapshot() for name, counters in self._call_counters.items()},
            )

    def _lane_of(self, job: Job) -> Lane:
        if not isinstance(job.work, ModelStep):
            return self._calls
        lane = self._models.get(job.step)
        if lane is None:
            known = ", ".join(sorted(self._models)) or "none"
            raise DomainError(Reason.MODEL_UNKNOWN, f"No model {job.step!r} is loaded (loaded: {known}).")
        return lane

    def _counters_of(self, job: Job) -> StepCounters:
        if isinstance(job.work, ModelStep):
            return self._model_counters[job.step]
        return self._call_counters.setdefault(job.step, StepCounters())

    def _next_batch(self) -> Batch | None:
        while True:
            waiting = [(job.priority, job.sequence, lane) for lane in self._lanes if (job := lane.queue.head)]
            if not waiting:
                return None
            lane = min(waiting, key=lambda item: item[:2])[2]
            jobs = self._pop(lane)
            if jobs:
                return self._start(lane, jobs)

    def _pop(self, lane: Lane) -> list[Job]:
        """The head of a lane with its companions; jobs past their deadline are failed instead."""
        head = next(iter(lane.queue))
        jobs = [head]
        if isinstance(head.work, ModelStep):
            jobs += companions(head.work, (job for job in lane.queue if job is not head), lane.max_batch)
        alive: list[Job] = []
        for job in jobs:
            lane.queue.remove(job)
            if job.deadline is not None and job.deadline.passed(self._clock):
                self._counters_of(job).queued -= 1
                self._end(job, Outcome.EXPIRED)
                job.fail(expired(job.step))
            else:
                alive.append(job)
        return alive

    def _start(self, lane: Lane, jobs: list[Job]) -> Batch:
        now_s = self._clock.monotonic()
        batch = Batch(lane, jobs, new_run_options(), now_s)
        self._busy += 1
        for job in jobs:
            job.state = JobState.RUNNING
            self._running[job] = batch
            self._counters_of(job).started(now_s - job.queued_at_s)
        return batch

    def _give_up(self, job: Job, outcome: Outcome) -> bool:
        if job.state is JobState.QUEUED:
            self._lane_of(job).queue.remove(job)
            self._counters_of(job).queued -= 1
            self._end(job, outcome)
            return True
        if job.state is JobState.RUNNING and job.given_up is None:
            job.given_up = outcome
            batch = self._running[job]
            if all(other.given_up for other in batch.jobs):
                batch.options.terminate = True
            return True
        return False

    def _end(self, job: Job, outcome: Outcome) -> None:
        job.state = JobState.FINISHED
        self._counters_of(job).ended[outcome] += 1

    def _queue_full(self, lane: Lane, step: str) -> DomainError:
        queued = len(lane.queue)
        retry_after_s = max(SHORTEST_RETRY_S, queued * self._run_s_per_job(lane, step) / self._workers)
        return DomainError(
            Reason.QUEUE_FULL,
            f"The queue of {step!r} is full ({queued} of {lane.queue.limit} jobs).",
            metadata={"step": step, "queued": str(queued), "limit": str(lane.queue.limit)},
            retry_after_s=retry_after_s,
        )

    def _run_s_per_job(self, lane: Lane, step: str) -> float:
        if lane is not self._calls:
            return self._model_counters[step].run_s_per_job
        # All functions share one queue: what counts is the mean over all of them.
        jobs = sum(counters.batch_size_sum for counters in self._call_counters.values())
        run_s = sum(counters.run_s_sum for counters in self._call_counters.values())
        return run_s / jobs if jobs else 0.0


def draining() -> DomainError:
    """The error of a job that the engine's end overtook."""
    return DomainError(Reason.DRAINING, "The inference engine is stopping.")


def expired(step: str) -> DomainError:
    """The error of a job whose deadline passed."""
    return DomainError(Reason.DEADLINE_EXCEEDED, f"The deadline passed before {step!r} was done.")
