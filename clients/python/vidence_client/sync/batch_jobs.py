"""Jobs, queue and workers, for plain code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vidence.job.v1 import job_pb2, job_service_pb2
from vidence_client.batch_jobs import JobClient as AsyncJobClient
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.sync.loop_thread import LoopThread
from vidence_client.sync.stream import Watch, next_of

JobWatch = Watch[job_service_pb2.WatchJobResponse, job_service_pb2.JobEvent]


class JobClient:
    """Jobs, queue and workers, for plain code; see `vidence_client.batch_jobs.JobClient`.

    All arguments and errors are those of the asynchronous client.
    """

    def __init__(self, client: AsyncJobClient, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread

    def submit_reading(
        self,
        content: bytes | Path,
        *,
        document_type: str = "",
        pdf_page: int = 0,
        library_id: str = "",
        subject_id: str = "",
        idempotency_key: str = "",
        max_attempts: int = 0,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> job_pb2.Job:
        """Submits the reading of one image."""
        submit = self._client.submit_reading(
            content,
            document_type=document_type,
            pdf_page=pdf_page,
            library_id=library_id,
            subject_id=subject_id,
            idempotency_key=idempotency_key,
            max_attempts=max_attempts,
            timeout=timeout,
        )
        return self._thread.run(submit)

    def get(self, job_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> job_pb2.Job:
        """Gives a job with its result."""
        return self._thread.run(self._client.get(job_id, timeout=timeout))

    def watch(self, job_id: str, *, run: int = 0, after: str = "") -> JobWatch:
        """Tells what happens in a run of a job until it ends."""
        return Watch(self._client.watch(job_id, run=run, after=after), self._thread)

    def list(self, states: Sequence[job_pb2.JobState.ValueType] = ()) -> Iterator[job_pb2.Job]:
        """Gives all jobs without their results, the newest first."""
        jobs = self._client.list(states)
        while (job := self._thread.run(next_of(jobs))) is not None:
            yield job

    def cancel(self, job_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> job_pb2.Job:
        """Cancels a job."""
        return self._thread.run(self._client.cancel(job_id, timeout=timeout))

    def workers(self, *, timeout: float = DEFAULT_TIMEOUT_S) -> Sequence[job_pb2.Worker]:
        """Lists the workers that are heard of."""
        return self._thread.run(self._client.workers(timeout=timeout))

    def drain(
        self, worker_id: str, *, resume: bool = False, timeout: float = DEFAULT_TIMEOUT_S
    ) -> job_pb2.Worker:
        """Asks a worker to take nothing new, or to work again."""
        return self._thread.run(self._client.drain(worker_id, resume=resume, timeout=timeout))

    def set_concurrency(
        self, worker_id: str, concurrency: int, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> job_pb2.Worker:
        """Asks a worker to work at so many items at once."""
        return self._thread.run(self._client.set_concurrency(worker_id, concurrency, timeout=timeout))

    def statistics(self, *, timeout: float = DEFAULT_TIMEOUT_S) -> job_pb2.QueueStatistics:
        """Gives the numbers of the queue."""
        return self._thread.run(self._client.statistics(timeout=timeout))

    def dead_letters(self) -> Iterator[job_pb2.DeadLetter]:
        """Gives all items that failed after all their attempts, the newest first."""
        letters = self._client.dead_letters()
        while (letter := self._thread.run(next_of(letters))) is not None:
            yield letter

    def requeue(self, item_ids: Sequence[str], *, timeout: float = DEFAULT_TIMEOUT_S) -> int:
        """Puts dead letters back into work; gives how many."""
        return self._thread.run(self._client.requeue(item_ids, timeout=timeout))
