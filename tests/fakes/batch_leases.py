"""Both ends of a queue played by a test: a job that is submitted, a worker that leases items and tells."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime, timedelta

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import status_pb2

from fakes.batch import JPEG, BatchServer, document
from fakes.runtime import error_info, status_of
from vidence.job.v1 import job_pb2, worker_service_pb2
from vidence.job.v1 import job_service_pb2 as jobs
from vidence_server.core.clock import SystemClock

ME = worker_service_pb2.WorkerPresence(
    worker_id="wrk_me", name="me", concurrency=4, operations=["read_document"]
)


LEASE_S = 60.0
"""Far longer than any test takes: a lease ends where its clock is moved, however slow the machine is."""


class MovedClock(SystemClock):
    """The time, and how far it was moved."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.by

    def end_leases(self) -> None:
        self.by += timedelta(seconds=LEASE_S + 1)


def reading(content: str, idempotency_key: str = "") -> jobs.SubmitJobRequest:
    operation = job_pb2.ReadDocumentOperation(content=JPEG + content.encode())
    return jobs.SubmitJobRequest(read_document=operation, idempotency_key=idempotency_key)


async def leased(server: BatchServer, count: int = 1) -> list[worker_service_pb2.LeasedItem]:
    request = worker_service_pb2.LeaseItemsRequest(worker=ME, count=count, wait_duration=Duration(seconds=20))
    return list((await server.desk.LeaseItems(request)).items)


def read_as(item: worker_service_pb2.LeasedItem, words: str) -> worker_service_pb2.CompleteItemRequest:
    return worker_service_pb2.CompleteItemRequest(
        worker_id=ME.worker_id,
        lease=item.lease,
        duration=Duration(seconds=1),
        result=job_pb2.JobResult(document=document(words)),
    )


def failed(item: worker_service_pb2.LeasedItem) -> worker_service_pb2.CompleteItemRequest:
    return worker_service_pb2.CompleteItemRequest(
        worker_id=ME.worker_id,
        lease=item.lease,
        duration=Duration(seconds=1),
        error=status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message="away"),
    )


async def reason_of(call: Awaitable[object]) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return str(error_info(status_of(raised.value)).reason)
