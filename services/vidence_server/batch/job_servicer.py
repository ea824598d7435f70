"""Jobs, queue and workers over gRPC: translates requests, events and errors; decides nothing."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

import grpc

from vidence.job.v1 import job_service_pb2 as pb
from vidence.job.v1 import job_service_pb2_grpc as pb_grpc
from vidence_server.batch import job_convert
from vidence_server.batch.ledger import job_log
from vidence_server.batch.service import BatchService
from vidence_server.runtime.filed_document import check_may_file
from vidence_server.runtime.rpc import tenant_of
from vidence_server.runtime.watch_requests import to_watch_request
from vidence_server.runtime.watch_streams import WatchStreams
from vidence_server.streams.requests import Earliest

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["JobService"].full_name


class JobServicer(pb_grpc.JobServiceServicer):
    """`vidence.job.v1.JobService`; its proto states what each RPC promises."""

    def __init__(self, service: BatchService, watches: WatchStreams) -> None:
        self._service = service
        self._watches = watches

    async def SubmitJob(  # noqa: N802 - the name of the RPC
        self, request: pb.SubmitJobRequest, context: Context
    ) -> pb.SubmitJobResponse:
        """Takes a job."""
        check_may_file(request.read_document.library_id)
        job = await self._service.jobs.submit(
            tenant_of(context),
            job_convert.to_image(request.read_document),
            idempotency_key=request.idempotency_key,
            max_attempts=request.max_attempts,
            library_id=request.read_document.library_id,
        )
        return pb.SubmitJobResponse(job=job_convert.to_job(job))

    async def GetJob(  # noqa: N802 - the name of the RPC
        self, request: pb.GetJobRequest, context: Context
    ) -> pb.GetJobResponse:
        """Gives a job."""
        job = await self._service.jobs.get(tenant_of(context), request.job_id)
        return pb.GetJobResponse(job=job_convert.to_job(job))

    async def WatchJob(  # type: ignore[override]  # noqa: N802 - it writes by itself; see `WatchStreams.serve`
        self, request: pb.WatchJobRequest, context: Context
    ) -> None:
        """Tells what happens in a run."""
        tenant = tenant_of(context)
        wanted = to_watch_request(request, default=Earliest())
        job = await self._service.jobs.get(tenant, request.job_id)
        name_of = partial(job_log, tenant, job.id)
        source = self._service.watching.source(name_of, job.run, request.run, wanted)
        await self._watches.serve(context, source, wanted)

    async def ListJobs(  # noqa: N802 - the name of the RPC
        self, request: pb.ListJobsRequest, context: Context
    ) -> pb.ListJobsResponse:
        """Lists a page of jobs."""
        states = set(map(job_convert.of_job_state, request.states))
        page = await self._service.jobs.page(
            tenant_of(context), states, page_size=request.page_size, page_token=request.page_token
        )
        jobs = map(job_convert.to_job, page.jobs)
        return pb.ListJobsResponse(jobs=jobs, next_page_token=page.next_page_token)

    async def CancelJob(  # noqa: N802 - the name of the RPC
        self, request: pb.CancelJobRequest, context: Context
    ) -> pb.CancelJobResponse:
        """Cancels a job."""
        job = await self._service.jobs.cancel(tenant_of(context), request.job_id)
        return pb.CancelJobResponse(job=job_convert.to_job(job))

    async def ListWorkers(  # noqa: N802 - the name of the RPC
        self,
        request: pb.ListWorkersRequest,  # noqa: ARG002 - the signature of the generated base
        context: Context,  # noqa: ARG002 - see above
    ) -> pb.ListWorkersResponse:
        """Lists the workers."""
        return pb.ListWorkersResponse(workers=map(job_convert.to_worker, self._service.workers.views()))

    async def DrainWorker(  # noqa: N802 - the name of the RPC
        self,
        request: pb.DrainWorkerRequest,
        context: Context,  # noqa: ARG002 - the signature of the generated base
    ) -> pb.DrainWorkerResponse:
        """Asks a worker to take nothing new."""
        worker = self._service.workers.drain(request.worker_id, resume=request.resume)
        return pb.DrainWorkerResponse(worker=job_convert.to_worker(worker))

    async def SetWorkerConcurrency(  # noqa: N802 - the name of the RPC
        self,
        request: pb.SetWorkerConcurrencyRequest,
        context: Context,  # noqa: ARG002 - the signature of the generated base
    ) -> pb.SetWorkerConcurrencyResponse:
        """Asks a worker to work at so many items at once."""
        worker = self._service.workers.set_concurrency(request.worker_id, request.concurrency)
        return pb.SetWorkerConcurrencyResponse(worker=job_convert.to_worker(worker))

    async def GetQueueStatistics(  # noqa: N802 - the name of the RPC
        self,
        request: pb.GetQueueStatisticsRequest,  # noqa: ARG002 - the signature of the generated base
        context: Context,
    ) -> pb.GetQueueStatisticsResponse:
        """Gives the numbers of the queue."""
        report = await self._service.jobs.report(tenant_of(context))
        statistics = job_convert.to_queue_statistics(report, self._service.workers.views())
        return pb.GetQueueStatisticsResponse(statistics=statistics)

    async def ListDeadLetters(  # noqa: N802 - the name of the RPC
        self, request: pb.ListDeadLettersRequest, context: Context
    ) -> pb.ListDeadLettersResponse:
        """Lists a page of dead letters."""
        page = await self._service.jobs.dead_letters(
            tenant_of(context), page_size=request.page_size, page_token=request.page_token
        )
        letters = map(job_convert.to_dead_letter, page.jobs)
        return pb.ListDeadLettersResponse(dead_letters=letters, next_page_token=page.next_page_token)

    async def RequeueDeadLetters(  # noqa: N802 - the name of the RPC
        self, request: pb.RequeueDeadLettersRequest, context: Context
    ) -> pb.RequeueDeadLettersResponse:
        """Puts dead letters back into work."""
        count = await self._service.jobs.requeue(tenant_of(context), request.item_ids)
        return pb.RequeueDeadLettersResponse(item_count=count)
