"""What the engine counts: per model and per function step, as plain numbers for `runtime` to export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vidence_server.inference.jobs import Outcome


@dataclass(frozen=True, slots=True)
class StepStatistics:
    """Totals since the start and the present load of one model or function step. Durations in seconds.

    `submitted == queued + running + completed + failed + cancelled + expired` at any moment; `rejected` jobs
    were never accepted. A cancelled or expired job counts as `running` until its worker is really free.
    """

    queued: int
    running: int
    completed: int
    failed: int
    cancelled: int
    expired: int
    rejected: int
    queue_wait_s_sum: float
    """Over all jobs that were started."""
    queue_wait_s_max: float
    runs: int
    """Finished runs; a batch is one run."""
    run_s_sum: float
    run_s_max: float
    batch_size_sum: int
    """Jobs in finished runs."""

    @property
    def submitted(self) -> int:
        """Jobs accepted since the start."""
        return self.queued + self.running + self.completed + self.failed + self.cancelled + self.expired

    @property
    def batch_size_mean(self) -> float:
        """Jobs per finished run; 0 before the first."""
        return self.batch_size_sum / self.runs if self.runs else 0.0


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """One consistent view of the engine."""

    workers: int
    busy_workers: int
    models: Mapping[str, StepStatistics]
    calls: Mapping[str, StepStatistics]
    """By the `step` given to `Engine.call`."""


@dataclass(slots=True)
class StepCounters:
    """The mutable side of `StepStatistics`; its owner locks."""

    queued: int = 0
    running: int = 0
    rejected: int = 0
    ended: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    queue_wait_s_sum: float = 0.0
    queue_wait_s_max: float = 0.0
    runs: int = 0
    run_s_sum: float = 0.0
    run_s_max: float = 0.0
    batch_size_sum: int = 0

    def started(self, wait_s: float) -> None:
        """A job left the queue for a worker after `wait_s` seconds."""
        self.queued -= 1
        self.running += 1
        self.queue_wait_s_sum += wait_s
        self.queue_wait_s_max = max(self.queue_wait_s_max, wait_s)

    def ran(self, run_s: float, batch_size: int) -> None:
        """A run of `batch_size` jobs took `run_s` seconds, however it ended."""
        self.runs += 1
        self.run_s_sum += run_s
        self.run_s_max = max(self.run_s_max, run_s)
        self.batch_size_sum += batch_size

    @property
    def run_s_per_job(self) -> float:
        """Mean worker seconds per job; 0 before the first."""
        return self.run_s_sum / self.batch_size_sum if self.batch_size_sum else 0.0

    def snapshot(self) -> StepStatistics:
        """The numbers as they are now."""
        return StepStatistics(
            queued=self.queued,
            running=self.running,
            completed=self.ended[Outcome.COMPLETED],
            failed=self.ended[Outcome.FAILED],
            cancelled=self.ended[Outcome.CANCELLED],
            expired=self.ended[Outcome.EXPIRED],
            rejected=self.rejected,
            queue_wait_s_sum=self.queue_wait_s_sum,
            queue_wait_s_max=self.queue_wait_s_max,
            runs=self.runs,
            run_s_sum=self.run_s_sum,
            run_s_max=self.run_s_max,
            batch_size_sum=self.batch_size_sum,
        )
