"""Batches over gRPC: translates requests, events and errors; decides nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any, TypeAlias

import grpc

from vidence.batch.v1 import batch_service_pb2 as pb
from vidence.batch.v1 import batch_service_pb2_grpc as pb_grpc
from vidence_server.batch import convert
from vidence_server.batch.domain.batch import Batch
from vidence_server.batch.ledger import batch_log
from vidence_server.batch.service import BatchService
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.erasure_client import to_kind_counts
from vidence_server.runtime.filed_document import check_may_file
from vidence_server.runtime.rpc import tenant_of
from vidence_server.runtime.stream_servicer import Envelope, ResultStreams
from vidence_server.runtime.watch_requests import to_watch_request
from vidence_server.runtime.watch_streams import WatchStreams
from vidence_server.streams.requests import Earliest

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["BatchService"].full_name
_TERMINAL = {"complete", "batch_failed"}

_ENVELOPE: Envelope[pb.ProcessBatchResponse] = Envelope(
    connected=lambda connected: pb.ProcessBatchResponse(connected=connected),
    heartbeat=lambda heartbeat: pb.ProcessBatchResponse(heartbeat=heartbeat),
    failed=lambda status: pb.ProcessBatchResponse(batch_failed=pb.BatchFailed(status=status)),
    is_terminal=lambda response: response.WhichOneof("payload") in _TERMINAL,
)

_IMAGE: Envelope[pb.GetBatchItemImageResponse] = Envelope(
    connected=lambda connected: pb.GetBatchItemImageResponse(connected=connected),
    heartbeat=lambda heartbeat: pb.GetBatchItemImageResponse(heartbeat=heartbeat),
    failed=lambda status: pb.GetBatchItemImageResponse(image_failed=pb.ItemImageFailed(status=status)),
    is_terminal=lambda response: response.WhichOneof("payload") in {"image_complete", "image_failed"},
)


class BatchServicer(pb_grpc.BatchServiceServicer):
    """`vidence.batch.v1.BatchService`; its proto states what each RPC promises."""

    def __init__(self, service: BatchService, results: ResultStreams, watches: WatchStreams) -> None:
        self._service = service
        self._results = results
        self._watches = watches

    def ProcessBatch(  # noqa: N802 - the name of the RPC
        self, request: pb.ProcessBatchRequest, context: Context
    ) -> AsyncIterator[pb.ProcessBatchResponse]:
        """Streams what becomes of the images."""
        period_s = None
        if request.HasField("heartbeat_period"):
            period_s = request.heartbeat_period.ToNanoseconds() / 1e9
        check_may_file(request.library_id)
        responses = self._responses(request, tenant_of(context))
        return self._results.serve(context, responses, envelope=_ENVELOPE, heartbeat_period_s=period_s)

    async def ReadBatch(  # noqa: N802 - the name of the RPC
        self, request: pb.ReadBatchRequest, context: Context
    ) -> pb.ReadBatchResponse:
        """Answers what became of the images at once."""
        check_may_file(request.library_id)
        images = list(map(convert.to_image, request.images))
        batch, items = await self._service.calls.read(
            tenant_of(context),
            images,
            document_type=request.document_type,
            library_id=request.library_id,
        )
        return convert.to_read_response(batch, items)

    async def UploadBatch(  # noqa: N802 - the name of the RPC
        self, request_iterator: AsyncIterator[pb.UploadBatchRequest], context: Context
    ) -> pb.UploadBatchResponse:
        """Takes images one after another."""
        tenant = tenant_of(context)
        first = await anext(request_iterator, None)
        if first is None or first.WhichOneof("payload") != "opening":
            raise DomainError(Reason.REQUEST_INVALID, "The first message of an upload is its opening.")
        batch = await self._opened(tenant, first.opening)
        async for request in request_iterator:
            if request.WhichOneof("payload") != "item":
                raise DomainError(Reason.REQUEST_INVALID, "After its opening an upload has items only.")
            image = convert.to_image(request.item.image)
            await self._service.batches.add(tenant, batch.id, request.item.index, image, keep_refused=True)
        if first.opening.start:
            batch = await self._service.runs.start(tenant, batch.id)
        else:
            batch = await self._service.batches.get(tenant, batch.id)
        return pb.UploadBatchResponse(batch=convert.to_batch(batch))

    async def CreateBatch(  # noqa: N802 - the name of the RPC
        self, request: pb.CreateBatchRequest, context: Context
    ) -> pb.CreateBatchResponse:
        """Creates a batch."""
        check_may_file(request.library_id)
        batch = await self._service.batches.create(
            tenant_of(context),
            idempotency_key=request.idempotency_key,
            document_type=request.document_type,
            library_id=request.library_id,
        )
        return pb.CreateBatchResponse(batch=convert.to_batch(batch))

    async def AddBatchItem(  # noqa: N802 - the name of the RPC
        self, request: pb.AddBatchItemRequest, context: Context
    ) -> pb.AddBatchItemResponse:
        """Adds an image."""
        item, repeated = await self._service.batches.add(
            tenant_of(context), request.batch_id, request.index, convert.to_image(request.image)
        )
        return pb.AddBatchItemResponse(item=convert.to_item(item), repeated=repeated)

    async def StartBatch(  # noqa: N802 - the name of the RPC
        self, request: pb.StartBatchRequest, context: Context
    ) -> pb.StartBatchResponse:
        """Starts a batch."""
        batch = await self._service.runs.start(tenant_of(context), request.batch_id)
        return pb.StartBatchResponse(batch=convert.to_batch(batch))

    async def WatchBatch(  # type: ignore[override]  # noqa: N802 - it writes by itself; see `WatchStreams.serve`
        self, request: pb.WatchBatchRequest, context: Context
    ) -> None:
        """Tells what happens in a run."""
        tenant = tenant_of(context)
        wanted = to_watch_request(request, default=Earliest())
        batch = await self._service.batches.get(tenant, request.batch_id)
        name_of = partial(batch_log, tenant, batch.id)
        source = self._service.watching.source(name_of, batch.run, request.run, wanted)
        await self._watches.serve(context, source, wanted)

    async def GetBatch(  # noqa: N802 - the name of the RPC
        self, request: pb.GetBatchRequest, context: Context
    ) -> pb.GetBatchResponse:
        """Gives a batch."""
        batch = await self._service.batches.get(tenant_of(context), request.batch_id)
        return pb.GetBatchResponse(batch=convert.to_batch(batch))

    async def ListBatches(  # noqa: N802 - the name of the RPC
        self, request: pb.ListBatchesRequest, context: Context
    ) -> pb.ListBatchesResponse:
        """Lists a page of batches."""
        states = set(map(convert.of_batch_state, request.states))
        page = await self._service.batches.page(
            tenant_of(context), states, page_size=request.page_size, page_token=request.page_token
        )
        return pb.ListBatchesResponse(
            batches=map(convert.to_batch, page.batches), next_page_token=page.next_page_token
        )

    async def ListBatchItems(  # noqa: N802 - the name of the RPC
        self, request: pb.ListBatchItemsRequest, context: Context
    ) -> pb.ListBatchItemsResponse:
        """Lists a page of items."""
        page = await self._service.batches.item_page(
            tenant_of(context),
            request.batch_id,
            set(map(convert.of_item_state, request.states)),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListBatchItemsResponse(
            items=map(convert.to_item, page.items), next_page_token=page.next_page_token
        )

    def GetBatchItemImage(  # noqa: N802 - the name of the RPC
        self, request: pb.GetBatchItemImageRequest, context: Context
    ) -> AsyncIterator[pb.GetBatchItemImageResponse]:
        """Gives the image of an item in pieces."""
        return self._results.serve(context, self._pieces(request, tenant_of(context)), envelope=_IMAGE)

    async def CancelBatch(  # noqa: N802 - the name of the RPC
        self, request: pb.CancelBatchRequest, context: Context
    ) -> pb.CancelBatchResponse:
        """Cancels a batch."""
        batch = await self._service.runs.cancel(tenant_of(context), request.batch_id)
        return pb.CancelBatchResponse(batch=convert.to_batch(batch))

    async def RetryItems(  # noqa: N802 - the name of the RPC
        self, request: pb.RetryItemsRequest, context: Context
    ) -> pb.RetryItemsResponse:
        """Puts items back into work."""
        batch, count = await self._service.runs.retry(
            tenant_of(context), request.batch_id, tuple(request.indexes)
        )
        return pb.RetryItemsResponse(batch=convert.to_batch(batch), item_count=count)

    async def DeleteBatch(  # noqa: N802 - the name of the RPC
        self, request: pb.DeleteBatchRequest, context: Context
    ) -> pb.DeleteBatchResponse:
        """Deletes a batch."""
        await self._service.batches.delete(tenant_of(context), request.batch_id)
        return pb.DeleteBatchResponse()

    async def EraseSubject(  # noqa: N802 - the name of the RPC
        self, request: pb.EraseSubjectRequest, context: Context
    ) -> pb.EraseSubjectResponse:
        """Erases a subject."""
        erased = await self._service.erasing.erase(
            tenant_of(context), request.subject_id, dry_run=request.dry_run
        )
        return pb.EraseSubjectResponse(kinds=to_kind_counts(erased), review_subjects=erased.review_subjects)

    async def _opened(self, tenant: str, opening: pb.UploadOpening) -> Batch:
        if opening.batch_id and opening.idempotency_key:
            raise DomainError(
                Reason.REQUEST_INVALID, "An upload names a batch, or the key of a new one, not both."
            )
        check_may_file(opening.library_id)
        if opening.batch_id:
            return await self._service.batches.get(tenant, opening.batch_id)
        return await self._service.batches.create(
            tenant,
            idempotency_key=opening.idempotency_key,
            document_type=opening.document_type,
            library_id=opening.library_id,
        )

    async def _pieces(
        self, request: pb.GetBatchItemImageRequest, tenant: str
    ) -> AsyncGenerator[pb.GetBatchItemImageResponse, None]:
        item, pieces = await self._service.batches.image(tenant, request.batch_id, request.index)
        offset = 0
        async for piece in pieces:
            if not offset:
                yield pb.GetBatchItemImageResponse(image_start=convert.to_image_start(item, piece))
            chunk = pb.ItemImageChunk(offset=offset, data=piece)
            yield pb.GetBatchItemImageResponse(image_chunk=chunk)
            offset += len(piece)
        yield pb.GetBatchItemImageResponse(image_complete=pb.ItemImageComplete())

    async def _responses(
        self, request: pb.ProcessBatchRequest, tenant: str
    ) -> AsyncGenerator[pb.ProcessBatchResponse, None]:
        images = list(map(convert.to_image, request.images))
        entries = self._service.calls.process(
            tenant, images, document_type=request.document_type, library_id=request.library_id
        )
        async with aclosing(entries):
            async for message in entries:
                for response in convert.to_process_responses(message):
                    yield response
