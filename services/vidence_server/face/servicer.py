"""Faces over gRPC: translates requests, answers and errors; decides nothing."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc

from vidence.face.v1 import face_service_pb2 as pb
from vidence.face.v1 import face_service_pb2_grpc as pb_grpc
from vidence_server.core.clock import Clock
from vidence_server.core.deadline import Deadline
from vidence_server.face import convert
from vidence_server.face.service import FaceService

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["FaceService"].full_name


class FaceServicer(pb_grpc.FaceServiceServicer):
    """`vidence.face.v1.FaceService`; its proto states what each RPC promises."""

    def __init__(self, service: FaceService, clock: Clock) -> None:
        self._service = service
        self._clock = clock

    async def DetectFaces(  # noqa: N802 - the name of the RPC
        self, request: pb.DetectFacesRequest, context: Context
    ) -> pb.DetectFacesResponse:
        """Finds faces."""
        found = await self._service.detect(
            request.content,
            with_pose=request.with_pose,
            with_contour=request.with_contour,
            deadline=self._deadline(context.time_remaining()),
        )
        return convert.to_detection(found)

    async def AssessQuality(  # noqa: N802 - the name of the RPC
        self, request: pb.AssessQualityRequest, context: Context
    ) -> pb.AssessQualityResponse:
        """Measures the quality of a face."""
        assessed = await self._service.assess(
            request.content, deadline=self._deadline(context.time_remaining())
        )
        return convert.to_assessment(assessed)

    async def CompareFaces(  # noqa: N802 - the name of the RPC
        self, request: pb.CompareFacesRequest, context: Context
    ) -> pb.CompareFacesResponse:
        """Compares two faces."""
        compared = await self._service.compare(
            request.reference,
            request.probe,
            reference_choice=convert.choice_of(request.reference_choice),
            probe_choice=convert.choice_of(request.probe_choice),
            threshold=request.threshold if request.HasField("threshold") else None,
            deadline=self._deadline(context.time_remaining()),
        )
        return convert.to_comparison(compared)

    async def CheckLiveness(  # noqa: N802 - the name of the RPC
        self, request: pb.CheckLivenessRequest, context: Context
    ) -> pb.CheckLivenessResponse:
        """Judges frames."""
        check = await self._service.check_liveness(
            request.frames,
            threshold=request.threshold if request.HasField("threshold") else None,
            min_frames=request.min_frames if request.HasField("min_frames") else None,
            deadline=self._deadline(context.time_remaining()),
        )
        return convert.to_liveness(check, self._service.liveness_version)

    async def EmbedFaces(  # noqa: N802 - the name of the RPC
        self, request: pb.EmbedFacesRequest, context: Context
    ) -> pb.EmbedFacesResponse:
        """Makes templates."""
        embedding = await self._service.embed(
            request.content,
            choice=convert.choice_or_all(request.choice),
            deadline=self._deadline(context.time_remaining()),
        )
        return convert.to_embedding(embedding)

    async def ListThresholds(  # noqa: N802 - the name of the RPC
        self,
        request: pb.ListThresholdsRequest,  # noqa: ARG002 - the signature of the generated base
        context: Context,  # noqa: ARG002 - see above
    ) -> pb.ListThresholdsResponse:
        """Tells the thresholds."""
        return convert.to_thresholds(self._service)

    def _deadline(self, remaining_s: float | None) -> Deadline | None:
        return None if remaining_s is None else Deadline.after(remaining_s, self._clock)
