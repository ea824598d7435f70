"""Puts the batch service together, and workers beside it or in processes of their own."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from vidence.batch.v1 import batch_service_pb2_grpc as batch_grpc
from vidence.job.v1 import job_service_pb2_grpc as job_grpc
from vidence.job.v1 import worker_service_pb2_grpc as worker_grpc
from vidence_server.batch import job_servicer, servicer, worker_servicer
from vidence_server.batch.batches import Batches
from vidence_server.batch.calls import Calls
from vidence_server.batch.codec import Codec
from vidence_server.batch.desk import Desk
from vidence_server.batch.domain.failure import BackOff
from vidence_server.batch.domain.filing import Libraries
from vidence_server.batch.domain.work import DocumentReader
from vidence_server.batch.erasing import SubjectErasing
from vidence_server.batch.filer import Filer
from vidence_server.batch.foundation import Foundation, Policy
from vidence_server.batch.housekeeping import Housekeeping
from vidence_server.batch.intake import Intake
from vidence_server.batch.jobs import Jobs
from vidence_server.batch.ledger import Ledger
from vidence_server.batch.queue.sql_queue import SqlQueue
from vidence_server.batch.runs import Runs
from vidence_server.batch.service import BatchService
from vidence_server.batch.settings import BatchSettings
from vidence_server.batch.settlement import Settlement
from vidence_server.batch.watching import Watching
from vidence_server.batch.worker.client import WorkClient
from vidence_server.batch.worker.worker import Worker, WorkerSettings
from vidence_server.batch.workers import Workers
from vidence_server.core.clock import Clock
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.own_calls import OwnCalls
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.service_logs import ServiceLogs
from vidence_server.storage.blob_format import BlobFormat
from vidence_server.storage.blobs import FolderBlobs
from vidence_server.storage.location import StateLocation
from vidence_server.storage.outbox import Outbox
from vidence_server.storage.relay import EventSink, Relay

IMAGES = "batch-images"
"""Folder of the images that are read."""
MIGRATIONS = Path(__file__).parent / "migrations"
_SILENT_LEASES = 3
_RELAY_COUNTERS = ("relayed", "refused", "failures")
_FILER_COUNTERS = ("filed", "refused", "failures")
_WORKER_COUNTERS = ("completed", "failed", "lost", "unreachable")


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """An open service, and what tells its events."""

    service: BatchService
    relay: Relay
    logs: ServiceLogs
    filer: Filer


@asynccontextmanager
async def open_service(
    settings: BatchSettings,
    location: StateLocation,
    bus: EventSink,
    libraries: Libraries,
    *,
    clock: Clock,
    ids: IdFactory,
    random: Callable[[], float],
    draining: asyncio.Event,
    form: BlobFormat | None = None,
) -> AsyncIterator[OpenBatch]:
    """The service's database, images and housekeeping; open it before the server: it outlives all calls.

    Args:
        settings: The section `batch`.
        location: Of the database, and of the folder `batch-images`, which all servers of one database share.
        bus: Where events go; it may be away at any time.
        libraries: Where results go that are to be found again; they may be away at any time.
        clock: The service's time.
        ids: Names batches, items, jobs.
        random: Numbers in [0, 1), for jitter.
        draining: Set when the server takes no more requests: `RpcServer.result_streams.draining`.
        form: How images stand in files; None: as they are.

    Raises:
        DomainError: DATABASE_IN_USE, DATABASE_INCOMPATIBLE, STORAGE_FULL, STORAGE_FAILED.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(location.database("batch", migrations=MIGRATIONS))
        outbox = Outbox(database)
        relay = await stack.enter_async_context(Relay(outbox, bus, clock=clock, random=random))
        logs = await stack.enter_async_context(ServiceLogs(database, clock=clock))
        blobs = FolderBlobs(location.folder / IMAGES, clock=clock, ids=ids, form=form)
        await stack.enter_async_context(blobs)
        foundation = Foundation(
            database=database,
            blobs=blobs,
            queue=SqlQueue(),
            ledger=Ledger(logs, outbox, Codec()),
            clock=clock,
            ids=ids,
            random=random,
            policy=_policy(settings),
            libraries=libraries,
        )
        stack.enter_context(foundation.ringing_for_others())
        settlement = Settlement(foundation)
        service, housekeeping = assemble(foundation, settlement, logs, draining, settings.sweep_period_s)
        await stack.enter_async_context(housekeeping.at_work())
        filer = await stack.enter_async_context(Filer(foundation, settlement))
        yield OpenBatch(service, relay, logs, filer)


def assemble(
    foundation: Foundation,
    settlement: Settlement,
    logs: ServiceLogs,
    draining: asyncio.Event,
    sweep_period_s: float,
) -> tuple[BatchService, Housekeeping]:
    """The parts on a foundation."""
    intake = Intake(foundation)
    workers = Workers(foundation.clock, silence_s=_SILENT_LEASES * foundation.policy.lease_s)
    batches, runs = Batches(foundation, intake), Runs(foundation, settlement)
    jobs = Jobs(foundation, intake, runs)
    desk = Desk(foundation, settlement, workers, stop=draining)
    service = BatchService(
        batches=batches,
        runs=runs,
        calls=Calls(batches, runs, logs),
        jobs=jobs,
        erasing=SubjectErasing(foundation, batches, runs, jobs),
        desk=desk,
        workers=workers,
        watching=Watching(logs),
    )
    housekeeping = Housekeeping(foundation, batches, runs, jobs, desk, sweep_period_s=sweep_period_s)
    return service, housekeeping


def register(server: RpcServer, service: BatchService) -> tuple[str, ...]:
    """Offers the services on a server; gives their full names, for `RpcServer.mark_ready`."""
    batch = servicer.BatchServicer(service, server.result_streams, server.watch_streams)
    job = job_servicer.JobServicer(service, server.watch_streams)
    worker = worker_servicer.WorkerServicer(service.desk)
    server.register(
        servicer.SERVICE_NAME, lambda target: batch_grpc.add_BatchServiceServicer_to_server(batch, target)
    )
    server.register(
        job_servicer.SERVICE_NAME, lambda target: job_grpc.add_JobServiceServicer_to_server(job, target)
    )
    server.register(
        worker_servicer.SERVICE_NAME,
        lambda target: worker_grpc.add_WorkerServiceServicer_to_server(worker, target),
    )
    return servicer.SERVICE_NAME, job_servicer.SERVICE_NAME, worker_servicer.SERVICE_NAME


def local_worker(
    service: BatchService,
    reader: DocumentReader,
    *,
    concurrency: int,
    clock: Clock,
    random: Callable[[], float],
) -> Worker:
    """A worker in the server's own process; works within its context."""
    return Worker(
        service.desk,
        reader,
        worker_id=service.desk.new_local_worker(),
        name=f"{socket.gethostname()}/{os.getpid()}",
        concurrency=concurrency,
        clock=clock,
        random=random,
    )


@asynccontextmanager
async def remote_worker(
    address: str,
    reader: DocumentReader,
    *,
    concurrency: int,
    clock: Clock,
    ids: IdFactory,
    random: Callable[[], float],
    settings: WorkerSettings | None = None,
    own_calls: OwnCalls | None = None,
) -> AsyncIterator[Worker]:
    """A worker of the service at an address; works within the context, also before the service is there.

    Args:
        address: What a gRPC client dials.
        reader: What reads images.
        concurrency: Items at once.
        clock: For durations.
        ids: Names the worker.
        random: Numbers in [0, 1), for jitter.
        settings: How it behaves; None: the defaults.
        own_calls: What its calls carry; None: nothing, in plaintext.
    """
    async with WorkClient(address, own_calls) as source:
        worker = Worker(
            source,
            reader,
            worker_id=ids.new("wrk"),
            name=f"{socket.gethostname()}/{os.getpid()}",
            concurrency=concurrency,
            clock=clock,
            random=random,
            settings=settings,
        )
        async with worker:
            yield worker


def export(metrics: Metrics, opened: OpenBatch) -> None:
    """Shows the numbers of a service as metrics."""
    metrics.export("batch_relay", opened.relay.statistics, counters=_RELAY_COUNTERS)
    metrics.export("batch_logs", opened.logs.statistics)
    metrics.export("batch_filer", opened.filer.statistics, counters=_FILER_COUNTERS)


def export_worker(metrics: Metrics, worker: Worker) -> None:
    """Shows the numbers of a worker as metrics."""
    metrics.export("worker", worker.statistics, counters=_WORKER_COUNTERS)


def _policy(settings: BatchSettings) -> Policy:
    return Policy(
        limits=settings.limits,
        max_attempts=settings.max_attempts,
        back_off=BackOff(settings.first_retry_s, settings.longest_retry_s),
        lease_s=settings.lease_s,
        retention=timedelta(seconds=settings.retention_s),
        open_time=timedelta(seconds=settings.open_s),
        read_image_time=timedelta(seconds=settings.image_retention_s),
        filing_time=timedelta(seconds=settings.filing_patience_s),
        call_filing_time=timedelta(seconds=settings.call_filing_patience_s),
        filing_back_off=BackOff(settings.first_retry_s, settings.longest_retry_s),
    )
