"""Batches and jobs, for plain code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vidence.batch.v1 import batch_pb2, batch_service_pb2
from vidence.job.v1 import job_pb2, job_service_pb2
from vidence_client.batch import BatchClient as AsyncBatchClient
from vidence_client.batch import FileLike, ProcessResponse
from vidence_client.batch_jobs import JobClient as AsyncJobClient
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.sync.loop_thread import LoopThread
from vidence_client.sync.stream import Stream, Watch, next_of
from vidence_client.watch_shape import GapListener, ReconnectListener

BatchWatch = Watch[batch_service_pb2.WatchBatchResponse, batch_service_pb2.BatchEvent]
JobWatch = Watch[job_service_pb2.WatchJobResponse, job_service_pb2.JobEvent]


class BatchClient:
    """Reads many images, for plain code; see `vidence_client.batch.BatchClient`.

    All arguments and errors are those of the asynchronous client.
    """

    def __init__(self, client: AsyncBatchClient, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread

    def process(
        self,
        files: Sequence[FileLike],
        *,
        document_type: str = "",
        heartbeat_period_s: float | None = None,
        timeout: float | None = None,
    ) -> Stream[ProcessResponse]:
        """Reads images in one call and streams each result as soon as it is there."""
        stream = self._client.process(
            files, document_type=document_type, heartbeat_period_s=heartbeat_period_s, timeout=timeout
        )
        return Stream(stream, self._thread)

    def read(
        self, files: Sequence[FileLike], *, document_type: str = "", timeout: float = 600.0
    ) -> batch_service_pb2.ReadBatchResponse:
        """Reads images in one call and answers once, in their order."""
        return self._thread.run(self._client.read(files, document_type=document_type, timeout=timeout))

    def upload(
        self,
        files: Iterable[FileLike],
        *,
        batch_id: str = "",
        idempotency_key: str = "",
        document_type: str = "",
        start: bool = True,
        timeout: float | None = None,
    ) -> batch_pb2.Batch:
        """Sends a whole batch over one call, image by image, and starts it."""
        upload = self._client.upload(
            files,
            batch_id=batch_id,
            idempotency_key=idempotency_key,
            document_type=document_type,
            start=start,
            timeout=timeout,
        )
        return self._thread.run(upload)

    def create(
        self, *, idempotency_key: str = "", document_type: str = "", timeout: float = DEFAULT_TIMEOUT_S
    ) -> batch_pb2.Batch:
        """Creates an open batch, or gives that of the key."""
        create = self._client.create(
            idempotency_key=idempotency_key, document_type=document_type, timeout=timeout
        )
        return self._thread.run(create)

    def add(
        self, batch_id: str, index: int, file: FileLike, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> batch_pb2.BatchItem:
        """Adds one image to an open batch; repeating it changes nothing."""
        return self._thread.run(self._client.add(batch_id, index, file, timeout=timeout))

    def start(self, batch_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> batch_pb2.Batch:
        """Starts an open batch."""
        return self._thread.run(self._client.start(batch_id, timeout=timeout))

    def watch(
        self,
        batch_id: str,
        *,
        run: int = 0,
        after: str = "",
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
        heartbeat_period_s: float | None = None,
    ) -> BatchWatch:
        """Tells what happens in a run of a batch, from its beginning, until it ends."""
        watch = self._client.watch(
            batch_id,
            run=run,
            after=after,
            on_gap=on_gap,
            on_reconnect=on_reconnect,
            heartbeat_period_s=heartbeat_period_s,
        )
        return Watch(watch, self._thread)

    def get(self, batch_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> batch_pb2.Batch:
        """Gives a batch."""
        return self._thread.run(self._client.get(batch_id, timeout=timeout))

    def list(self, states: Sequence[batch_pb2.BatchState.ValueType] = ()) -> Iterator[batch_pb2.Batch]:
        """Gives all batches, the newest first, page by page."""
        batches = self._client.list(states)
        while (batch := self._thread.run(next_of(batches))) is not None:
            yield batch

    def items(
        self, batch_id: str, states: Sequence[batch_pb2.ItemState.ValueType] = ()
    ) -> Iterator[batch_pb2.BatchItem]:
        """Gives a batch's items by index, with what was read."""
        items = self._client.items(batch_id, states)
        while (item := self._thread.run(next_of(items))) is not None:
            yield item

    def cancel(self, batch_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> batch_pb2.Batch:
        """Cancels a batch; what was read is kept."""
        return self._thread.run(self._client.cancel(batch_id, timeout=timeout))

    def retry(
        self, batch_id: str, indexes: Sequence[int] = (), *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> batch_pb2.Batch:
        """Puts failed and cancelled items back into work."""
        return self._thread.run(self._client.retry(batch_id, indexes, timeout=timeout))

    def delete(self, batch_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> None:
        """Deletes a batch that does not run, with images and results."""
        self._thread.run(self._client.delete(batch_id, timeout=timeout))


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
        idempotency_key: str = "",
        max_attempts: int = 0,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> job_pb2.Job:
        """Submits the reading of one image."""
        submit = self._client.submit_reading(
            content,
            document_type=document_type,
            pdf_page=pdf_page,
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
