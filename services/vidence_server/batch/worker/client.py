"""The service over gRPC, as workers see it that run in processes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeVar

from vidence.job.v1 import job_pb2
from vidence.job.v1 import worker_service_pb2 as pb
from vidence.job.v1 import worker_service_pb2_grpc as pb_grpc
from vidence_server.batch import job_convert
from vidence_server.batch.domain.failure import Failure
from vidence_server.batch.domain.work import Extension, Grant, LeaseRef, Outcome, Presence
from vidence_server.batch.status_convert import to_failure_status
from vidence_server.runtime.call_errors import answer_of
from vidence_server.runtime.dialled import Dialled
from vidence_server.runtime.own_calls import OwnCalls
from vidence_server.runtime.status import to_duration

_MESSAGE_BYTES = 24 * 2**20
_OPTIONS = (
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)
R = TypeVar("R")


class WorkClient:
    """A `WorkSource` over gRPC; one address from the beginning of its context to the end."""

    def __init__(self, address: str, own_calls: OwnCalls | None = None, *, deadline_s: float = 30.0) -> None:
        """A client at rest.

        Args:
            address: What a gRPC client dials: `127.0.0.1:50054`, `unix:/run/vidence.sock`.
            own_calls: What each call carries; None: nothing, in plaintext.
            deadline_s: Longest time of one call, beside the time for which it waits for items, s.
        """
        self._own_calls = own_calls or OwnCalls()
        self._deadline_s = deadline_s
        self._dialled = Dialled(address, self._own_calls, _OPTIONS)

    async def __aenter__(self) -> Self:
        """Makes the channel; does not wait for the service."""
        await self._dialled.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the channel."""
        await self._dialled.__aexit__(kind, error, traceback)

    async def lease(self, worker: Presence, count: int, *, wait_s: float) -> Grant:
        """Leases items; see `WorkSource.lease`."""
        request = pb.LeaseItemsRequest(
            worker=job_convert.to_presence(worker), count=count, wait_duration=to_duration(wait_s)
        )
        timeout_s = self._deadline_s + wait_s
        response = await answer_of(
            self._stub.LeaseItems(request, timeout=timeout_s, metadata=self._own_calls.metadata())
        )
        leases = tuple(map(job_convert.of_lease, response.items))
        return Grant(leases, job_convert.of_directive(response.directive))

    async def content(self, ref: LeaseRef) -> bytes:
        """The image of a leased item; see `WorkSource.content`."""
        request = pb.GetItemContentRequest(lease=job_convert.to_ref(ref))
        response = await answer_of(
            self._stub.GetItemContent(request, timeout=self._deadline_s, metadata=self._own_calls.metadata())
        )
        return response.content

    async def extend(self, worker: Presence, refs: Sequence[LeaseRef]) -> Extension:
        """Prolongs leases; see `WorkSource.extend`."""
        request = pb.ExtendLeasesRequest(
            worker=job_convert.to_presence(worker), leases=map(job_convert.to_ref, refs)
        )
        response = await answer_of(
            self._stub.ExtendLeases(request, timeout=self._deadline_s, metadata=self._own_calls.metadata())
        )
        lost = tuple(map(job_convert.of_ref, response.lost_leases))
        return Extension(lost, job_convert.of_directive(response.directive))

    async def complete(self, worker_id: str, ref: LeaseRef, outcome: Outcome, duration_s: float) -> bool:
        """Commits what came of an attempt; see `WorkSource.complete`."""
        request = pb.CompleteItemRequest(
            worker_id=worker_id, lease=job_convert.to_ref(ref), duration=to_duration(duration_s)
        )
        if isinstance(outcome, Failure):
            request.error.CopyFrom(to_failure_status(outcome))
        else:
            result: job_pb2.JobResult = job_convert.to_result(outcome.result)
            request.result.CopyFrom(result)
        response = await answer_of(
            self._stub.CompleteItem(request, timeout=self._deadline_s, metadata=self._own_calls.metadata())
        )
        return response.repeated

    async def release(self, worker_id: str, refs: Sequence[LeaseRef]) -> None:
        """Gives items back; see `WorkSource.release`."""
        leases = map(job_convert.to_ref, refs)
        request = pb.ReleaseItemsRequest(worker_id=worker_id, leases=leases)
        await answer_of(
            self._stub.ReleaseItems(request, timeout=self._deadline_s, metadata=self._own_calls.metadata())
        )

    @property
    def _stub(self) -> pb_grpc.WorkerServiceAsyncStub:
        return pb_grpc.WorkerServiceStub(self._dialled.channel())
