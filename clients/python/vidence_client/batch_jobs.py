"""Client of the job service: single operations that outlive their call, and the queue behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from vidence.job.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from vidence_client.channel import DEFAULT_TIMEOUT_S, Channel
from vidence_client.contents import bytes_of
from vidence_client.selection import WatchStart
from vidence_client.stream import StreamCall
from vidence_client.watch import Watch
from vidence_client.watch_shape import GapListener, ReconnectListener

JobWatch = Watch[job_service_pb2.WatchJobResponse, job_service_pb2.JobEvent]


class JobClient:
    """Submits jobs and shows queue and workers over one channel. `Client.jobs` is one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = job_service_pb2_grpc.JobServiceStub(channel.rpc)

    async def submit_reading(
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
        """Submits the reading of one image.

        Args:
            content: The file's bytes, or where it lies.
            document_type: Key of the type; empty: the service finds it out.
            pdf_page: Page of a PDF, from 1; 0: the first.
            library_id: The library that the result goes into before the job ends; empty: none.
            subject_id: Whose it is, so that `Client.erasure.purge` finds it; empty: it is not found.
            idempotency_key: The caller's name for the job: the same key gives the same job.
            max_attempts: How often it is tried at most; 0: the server's default.
            timeout: Seconds for all attempts of the call.

        Raises:
            VidenceError: It was refused.
            OSError: The file cannot be read.
        """
        (picture,) = await bytes_of(content)
        request = job_service_pb2.SubmitJobRequest(
            idempotency_key=idempotency_key,
            max_attempts=max_attempts,
            read_document=job_pb2.ReadDocumentOperation(
                content=picture,
                document_type=document_type,
                pdf_page=pdf_page,
                library_id=library_id,
                subject_id=subject_id,
            ),
        )
        return (await self._channel.call(self._stub.SubmitJob, request, timeout=timeout)).job

    async def get(self, job_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> job_pb2.Job:
        """Gives a job with its result; raises `VidenceError`, JOB_NOT_FOUND."""
        request = job_service_pb2.GetJobRequest(job_id=job_id)
        return (await self._channel.call(self._stub.GetJob, request, timeout=timeout)).job

    def watch(
        self,
        job_id: str,
        *,
        run: int = 0,
        after: str = "",
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
    ) -> JobWatch:
        """Tells what happens in a run of a job until it ends; arguments as in `BatchClient.watch`."""
        position = WatchStart(after=after, skip_expired=on_gap is not None)

        def begin(cursor: str) -> StreamCall:
            request = job_service_pb2.WatchJobRequest(job_id=job_id, run=run)
            position.apply(request, cursor)
            return self._stub.WatchJob(request)

        return Watch(begin, _events_of, self._channel, after=after, on_gap=on_gap, on_reconnect=on_reconnect)

    async def list(
        self, states: Sequence[job_pb2.JobState.ValueType] = (), *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> AsyncIterator[job_pb2.Job]:
        """Gives all jobs without their results, the newest first, page by page."""
        token = ""
        while True:
            request = job_service_pb2.ListJobsRequest(states=states, page_token=token)
            page = await self._channel.call(self._stub.ListJobs, request, timeout=timeout)
            for job in page.jobs:
                yield job
            token = page.next_page_token
            if not token:
                return

    async def cancel(self, job_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> job_pb2.Job:
        """Cancels a job; one that ended is given as it is."""
        request = job_service_pb2.CancelJobRequest(job_id=job_id)
        return (await self._channel.call(self._stub.CancelJob, request, timeout=timeout)).job

    async def workers(self, *, timeout: float = DEFAULT_TIMEOUT_S) -> Sequence[job_pb2.Worker]:
        """Lists the workers that are heard of."""
        request = job_service_pb2.ListWorkersRequest()
        return (await self._channel.call(self._stub.ListWorkers, request, timeout=timeout)).workers

    async def drain(
        self, worker_id: str, *, resume: bool = False, timeout: float = DEFAULT_TIMEOUT_S
    ) -> job_pb2.Worker:
        """Asks a worker to take nothing new, or with `resume` to work again."""
        request = job_service_pb2.DrainWorkerRequest(worker_id=worker_id, resume=resume)
        return (await self._channel.call(self._stub.DrainWorker, request, timeout=timeout)).worker

    async def set_concurrency(
        self, worker_id: str, concurrency: int, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> job_pb2.Worker:
        """Asks a worker to work at so many items at once."""
        request = job_service_pb2.SetWorkerConcurrencyRequest(worker_id=worker_id, concurrency=concurrency)
        return (await self._channel.call(self._stub.SetWorkerConcurrency, request, timeout=timeout)).worker

    async def statistics(self, *, timeout: float = DEFAULT_TIMEOUT_S) -> job_pb2.QueueStatistics:
        """Gives the numbers of the queue."""
        request = job_service_pb2.GetQueueStatisticsRequest()
        return (await self._channel.call(self._stub.GetQueueStatistics, request, timeout=timeout)).statistics

    async def dead_letters(self, *, timeout: float = DEFAULT_TIMEOUT_S) -> AsyncIterator[job_pb2.DeadLetter]:
        """Gives all items that failed after all their attempts, the newest first."""
        token = ""
        while True:
            request = job_service_pb2.ListDeadLettersRequest(page_token=token)
            page = await self._channel.call(self._stub.ListDeadLetters, request, timeout=timeout)
            for letter in page.dead_letters:
                yield letter
            token = page.next_page_token
            if not token:
                return

    async def requeue(self, item_ids: Sequence[str], *, timeout: float = DEFAULT_TIMEOUT_S) -> int:
        """Puts dead letters back into work; gives how many."""
        request = job_service_pb2.RequeueDeadLettersRequest(item_ids=item_ids)
        return (await self._channel.call(self._stub.RequeueDeadLetters, request, timeout=timeout)).item_count


def _events_of(response: job_service_pb2.WatchJobResponse) -> Sequence[job_service_pb2.JobEvent]:
    return response.events
