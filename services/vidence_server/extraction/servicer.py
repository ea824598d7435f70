"""Extraction over gRPC: translates requests, events and errors; decides nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TypeAlias

import grpc

from vidence.extraction.v1 import document_pb2
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence.extraction.v1 import extraction_service_pb2_grpc as pb_grpc
from vidence.library.v1 import filing_pb2
from vidence_server.core.clock import Clock
from vidence_server.core.deadline import Deadline
from vidence_server.extraction import convert
from vidence_server.extraction.domain.events import ExtractionComplete, ExtractionStart
from vidence_server.extraction.filing import DocumentFiling
from vidence_server.extraction.service import ExtractionRequest, ExtractionService
from vidence_server.runtime.filed_document import check_may_file
from vidence_server.runtime.rpc import current_tenant
from vidence_server.runtime.stream_servicer import Envelope, ResultStreams

StreamContext: TypeAlias = grpc.aio.ServicerContext[pb.ExtractDocumentRequest, pb.ExtractDocumentResponse]
ReadContext: TypeAlias = grpc.aio.ServicerContext[pb.ReadDocumentRequest, pb.ReadDocumentResponse]
ListContext: TypeAlias = grpc.aio.ServicerContext[pb.ListDocumentTypesRequest, pb.ListDocumentTypesResponse]

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["ExtractionService"].full_name
_TERMINAL = {"extraction_complete", "extraction_failed"}

_ENVELOPE: Envelope[pb.ExtractDocumentResponse] = Envelope(
    connected=lambda connected: pb.ExtractDocumentResponse(connected=connected),
    heartbeat=lambda heartbeat: pb.ExtractDocumentResponse(heartbeat=heartbeat),
    failed=lambda status: pb.ExtractDocumentResponse(extraction_failed=pb.ExtractionFailed(status=status)),
    is_terminal=lambda response: response.WhichOneof("payload") in _TERMINAL,
)


class ExtractionServicer(pb_grpc.ExtractionServiceServicer):
    """`vidence.extraction.v1.ExtractionService`; its proto states what each RPC promises."""

    def __init__(
        self, service: ExtractionService, streams: ResultStreams, clock: Clock, filing: DocumentFiling
    ) -> None:
        self._service = service
        self._filing = filing
        self._streams = streams
        self._clock = clock

    def ExtractDocument(  # noqa: N802 - the name of the RPC
        self, request: pb.ExtractDocumentRequest, context: StreamContext
    ) -> AsyncIterator[pb.ExtractDocumentResponse]:
        """Streams a reading."""
        period_s = None
        if request.options.HasField("heartbeat_period"):
            period_s = request.options.heartbeat_period.ToNanoseconds() / 1e9
        check_may_file(request.options.library_id)
        reading = self._reading(request, context.time_remaining())
        responses = self._responses(reading, request.options)
        return self._streams.serve(context, responses, envelope=_ENVELOPE, heartbeat_period_s=period_s)

    async def ReadDocument(  # noqa: N802 - the name of the RPC
        self, request: pb.ReadDocumentRequest, context: ReadContext
    ) -> pb.ReadDocumentResponse:
        """Answers a reading at once."""
        check_may_file(request.options.library_id)
        start: ExtractionStart | None = None
        reading = self._reading(request, context.time_remaining())
        async with aclosing(self._service.extract(reading)) as events:
            async for event in events:
                if isinstance(event, ExtractionStart):
                    start = event
                elif isinstance(event, ExtractionComplete) and start is not None:
                    response = convert.to_read_response(start, event)
                    if request.options.library_id:
                        filed = await self._filed(reading, request.options, response.document)
                        response.filing.CopyFrom(filed)
                    return response
        raise AssertionError("a reading ended without a result")

    async def ListDocumentTypes(  # noqa: N802 - the name of the RPC
        self,
        request: pb.ListDocumentTypesRequest,  # noqa: ARG002 - the signature of the generated base
        context: ListContext,  # noqa: ARG002 - see above
    ) -> pb.ListDocumentTypesResponse:
        """Lists the types."""
        return pb.ListDocumentTypesResponse(
            document_types=map(convert.to_document_type, self._service.document_types())
        )

    def _reading(
        self, request: pb.ExtractDocumentRequest | pb.ReadDocumentRequest, remaining_s: float | None
    ) -> ExtractionRequest:
        return ExtractionRequest(
            content=request.content,
            document_type=request.document_type,
            pdf_page=request.options.pdf_page or 1,
            catalogue=request.options.catalogue,
            record=request.options.record,
            tenant=current_tenant(),
            profile=request.options.profile,
            deadline=None if remaining_s is None else Deadline.after(remaining_s, self._clock),
        )

    async def _responses(
        self, reading: ExtractionRequest, options: pb.ExtractionOptions
    ) -> AsyncGenerator[pb.ExtractDocumentResponse, None]:
        async with aclosing(self._service.extract(reading)) as events:
            async for event in events:
                response = convert.to_response(event)
                if options.library_id and response.HasField("extraction_complete"):
                    complete = response.extraction_complete
                    complete.filing.CopyFrom(await self._filed(reading, options, complete.document))
                yield response

    async def _filed(
        self, reading: ExtractionRequest, options: pb.ExtractionOptions, document: document_pb2.Document
    ) -> filing_pb2.Filing:
        return await self._filing.file(
            reading.tenant,
            options.library_id,
            reading.content,
            reading.pdf_page,
            document,
            subject_id=options.subject_id,
        )
