"""The workers' side over gRPC: translates; decides nothing."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc

from vidence.job.v1 import worker_service_pb2 as pb
from vidence.job.v1 import worker_service_pb2_grpc as pb_grpc
from vidence_server.batch import job_convert
from vidence_server.batch.desk import Desk

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["WorkerService"].full_name


class WorkerServicer(pb_grpc.WorkerServiceServicer):
    """`vidence.job.v1.WorkerService`; its proto states what each RPC promises."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def LeaseItems(  # noqa: N802 - the name of the RPC
        self,
        request: pb.LeaseItemsRequest,
        context: Context,  # noqa: ARG002 - the signature of the generated base
    ) -> pb.LeaseItemsResponse:
        """Leases items."""
        grant = await self._desk.lease(
            job_convert.of_presence(request.worker),
            request.count,
            wait_s=request.wait_duration.ToNanoseconds() / 1e9,
        )
        return pb.LeaseItemsResponse(
            items=map(job_convert.to_lease, grant.leases),
            directive=job_convert.to_directive(grant.directive),
        )

    async def GetItemContent(  # noqa: N802 - the name of the RPC
        self,
        request: pb.GetItemContentRequest,
        context: Context,  # noqa: ARG002 - the signature of the generated base
    ) -> pb.GetItemContentResponse:
        """Gives an image."""
        content = await self._desk.content(job_convert.of_ref(request.lease))
        return pb.GetItemContentResponse(content=content)

    async def ExtendLeases(  # noqa: N802 - the name of the RPC
        self,
        request: pb.ExtendLeasesRequest,
        context: Context,  # noqa: ARG002 - the signature of the generated base
    ) -> pb.ExtendLeasesResponse:
        """Prolongs leases."""
        refs = list(map(job_convert.of_ref, request.leases))
        extension = await self._desk.extend(job_convert.of_presence(request.worker), refs)
        return pb.ExtendLeasesResponse(
            lost_leases=map(job_convert.to_ref, extension.lost),
            directive=job_convert.to_directive(extension.directive),
        )

    async def CompleteItem(  # noqa: N802 - the name of the RPC
        self,
        request: pb.CompleteItemRequest,
        context: Context,  # noqa: ARG002 - the signature of the generated base
    ) -> pb.CompleteItemResponse:
        """Commits what came of an attempt."""
        repeated = await self._desk.complete(
            request.worker_id,
            job_convert.of_ref(request.lease),
            job_convert.of_outcome(request),
            request.duration.ToNanoseconds() / 1e9,
        )
        return pb.CompleteItemResponse(repeated=repeated)

    async def ReleaseItems(  # noqa: N802 - the name of the RPC
        self,
        request: pb.ReleaseItemsRequest,
        context: Context,  # noqa: ARG002 - the signature of the generated base
    ) -> pb.ReleaseItemsResponse:
        """Takes items back."""
        await self._desk.release(request.worker_id, list(map(job_convert.of_ref, request.leases)))
        return pb.ReleaseItemsResponse()
