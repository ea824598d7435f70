"""Purges over gRPC: translates requests and errors; decides nothing."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc

from vidence.erasure.v1 import erasure_service_pb2 as pb
from vidence.erasure.v1 import erasure_service_pb2_grpc as pb_grpc
from vidence_server.erasure import convert
from vidence_server.erasure.service import ErasureService
from vidence_server.runtime.rpc import tenant_of

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["ErasureService"].full_name


class ErasureServicer(pb_grpc.ErasureServiceServicer):
    """`vidence.erasure.v1.ErasureService`; its proto states what each RPC promises."""

    def __init__(self, service: ErasureService) -> None:
        self._service = service

    async def PurgeSubject(  # noqa: N802 - the name of the RPC
        self, request: pb.PurgeSubjectRequest, context: Context
    ) -> pb.PurgeSubjectResponse:
        """Erases a subject."""
        purge = await self._service.purge(
            tenant_of(context), request.subject_id, request_id=request.request_id, dry_run=request.dry_run
        )
        return pb.PurgeSubjectResponse(purge=convert.to_purge(purge))

    async def GetPurge(  # noqa: N802 - the name of the RPC
        self, request: pb.GetPurgeRequest, context: Context
    ) -> pb.GetPurgeResponse:
        """Gives a purge."""
        purge = await self._service.get(
            tenant_of(context), purge_id=request.purge_id, subject_id=request.subject_id
        )
        return pb.GetPurgeResponse(purge=convert.to_purge(purge))
