"""Client of the batch service: many images in one call, or as a batch that outlives it."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from datetime import timedelta

import grpc

from vidence.batch.v1 import batch_pb2, batch_service_pb2, batch_service_pb2_grpc
from vidence_client.batch_files import BatchFile, FileLike, each_of, image_of, images_of
from vidence_client.channel import DEFAULT_TIMEOUT_S, Channel
from vidence_client.errors import VidenceError
from vidence_client.selection import WatchStart
from vidence_client.stream import Envelope, Stream, StreamCall, envelope_of
from vidence_client.watch import Watch
from vidence_client.watch_shape import GapListener, ReconnectListener

__all__ = ["BatchClient", "BatchFile", "BatchWatch", "FileLike", "ProcessResponse"]

ProcessResponse = batch_service_pb2.ProcessBatchResponse
BatchWatch = Watch[batch_service_pb2.WatchBatchResponse, batch_service_pb2.BatchEvent]

_ENVELOPE: Envelope[ProcessResponse] = envelope_of("complete", "batch_failed")
_IMAGE: Envelope[batch_service_pb2.GetBatchItemImageResponse] = envelope_of("image_complete", "image_failed")


class BatchClient:
    """Reads many images over one channel. `Client.batches` is one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = batch_service_pb2_grpc.BatchServiceStub(channel.rpc)

    def process(
        self,
        files: Sequence[FileLike],
        *,
        document_type: str = "",
        library_id: str = "",
        heartbeat_period_s: float | None = None,
        timeout: float | None = None,
    ) -> Stream[ProcessResponse]:
        """Reads images in one call and streams each result as soon as it is there.

        All images together must fit into one message, 24 MiB; more go by `upload`. Nothing happens until the
        first message is asked for. Leaving the stream cancels the work.

        Args:
            files: The images; a result's `index` is the place here.
            document_type: Key of the type of those that name none; empty: the service finds it out.
            library_id: The library that each result goes into, told by `filing`; empty: none.
            heartbeat_period_s: How often the server shows that it is alive, 1–300 s; None: its default.
            timeout: Seconds for all images; None: no limit.

        Returns:
            The stream; iterating raises `VidenceError`, and `OSError` where a file cannot be read.
        """

        async def start(remaining_s: float | None) -> StreamCall:
            request = batch_service_pb2.ProcessBatchRequest(
                images=await images_of(files), document_type=document_type, library_id=library_id
            )
            if heartbeat_period_s is not None:
                request.heartbeat_period.FromTimedelta(timedelta(seconds=heartbeat_period_s))
            return self._stub.ProcessBatch(request, timeout=remaining_s)

        return Stream(start, _ENVELOPE, self._channel, timeout=timeout)

    async def read(
        self,
        files: Sequence[FileLike],
        *,
        document_type: str = "",
        library_id: str = "",
        timeout: float = 600.0,
    ) -> batch_service_pb2.ReadBatchResponse:
        """Reads images in one call and answers once, in their order; arguments as in `process`.

        Raises:
            VidenceError: The call failed; a single image's failure is its outcome.
            OSError: A file cannot be read.
        """
        request = batch_service_pb2.ReadBatchRequest(
            images=await images_of(files), document_type=document_type, library_id=library_id
        )
        return await self._channel.call(self._stub.ReadBatch, request, timeout=timeout)

    async def upload(
        self,
        files: Iterable[FileLike] | AsyncIterable[FileLike],
        *,
        batch_id: str = "",
        idempotency_key: str = "",
        document_type: str = "",
        library_id: str = "",
        start: bool = True,
        timeout: float | None = None,
    ) -> batch_pb2.Batch:
        """Sends a whole batch over one call, image by image, and starts it.

        Args:
            files: The images, numbered from 0; each is loaded when it is sent.
            batch_id: An open batch; empty: a new one, or that of the key.
            idempotency_key: The caller's name for the batch: the same key gives the same batch.
            document_type: Of a new batch: key of the type of images that name none.
            library_id: Of a new batch: the library that each result goes into; empty: none.
            start: Whether it begins to be read.
            timeout: Seconds for everything; None: no limit.

        Raises:
            VidenceError: It was refused. What had arrived stays in the batch.
            OSError: A file cannot be read.
        """
        opening = batch_service_pb2.UploadOpening(
            batch_id=batch_id,
            idempotency_key=idempotency_key,
            document_type=document_type,
            library_id=library_id,
            start=start,
        )

        async def requests() -> AsyncIterator[batch_service_pb2.UploadBatchRequest]:
            yield batch_service_pb2.UploadBatchRequest(opening=opening)
            index = 0
            async for each in each_of(files):
                item = batch_service_pb2.UploadItem(index=index, image=await image_of(each))
                yield batch_service_pb2.UploadBatchRequest(item=item)
                index += 1

        # Not tried again by itself: what was sent may not be there to be sent again.
        try:
            return (await self._stub.UploadBatch(requests(), timeout=timeout)).batch
        except grpc.aio.AioRpcError as error:
            raise VidenceError.from_rpc_error(error) from None

    async def create(
        self,
        *,
        idempotency_key: str = "",
        document_type: str = "",
        library_id: str = "",
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> batch_pb2.Batch:
        """Creates an open batch, or gives that of the key; arguments as in `upload`."""
        request = batch_service_pb2.CreateBatchRequest(
            idempotency_key=idempotency_key, document_type=document_type, library_id=library_id
        )
        return (await self._channel.call(self._stub.CreateBatch, request, timeout=timeout)).batch

    async def add(
        self, batch_id: str, index: int, file: FileLike, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> batch_pb2.BatchItem:
        """Adds one image to an open batch; repeating it changes nothing.

        Raises:
            VidenceError: BATCH_WRONG_STATE, BATCH_ITEM_CONFLICT, BATCH_TOO_LARGE, the IMAGE_… reasons.
            OSError: The file cannot be read.
        """
        request = batch_service_pb2.AddBatchItemRequest(
            batch_id=batch_id, index=index, image=await image_of(file)
        )
        return (await self._channel.call(self._stub.AddBatchItem, request, timeout=timeout)).item

    async def start(self, batch_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> batch_pb2.Batch:
        """Starts an open batch; another is given as it is."""
        request = batch_service_pb2.StartBatchRequest(batch_id=batch_id)
        return (await self._channel.call(self._stub.StartBatch, request, timeout=timeout)).batch

    def watch(
        self,
        batch_id: str,
        *,
        run: int = 0,
        after: str = "",
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
        heartbeat_period_s: float | None = None,
    ) -> BatchWatch:
        """Tells what happens in a run of a batch, from its beginning, until it ends.

        Args:
            batch_id: The batch.
            run: Which run, from 1; 0: that of the cursor, else the newest.
            after: Cursor of an earlier watch; empty: from the beginning.
            on_gap: As in `EventsClient.subscribe`.
            on_reconnect: Hears why a connection was replaced.
            heartbeat_period_s: How often the stream shows that it is alive, 1–300 s; None: the default.
        """
        position = WatchStart(
            after=after, skip_expired=on_gap is not None, heartbeat_period_s=heartbeat_period_s
        )

        def begin(cursor: str) -> StreamCall:
            request = batch_service_pb2.WatchBatchRequest(batch_id=batch_id, run=run)
            position.apply(request, cursor)
            return self._stub.WatchBatch(request)

        return Watch(begin, _events_of, self._channel, after=after, on_gap=on_gap, on_reconnect=on_reconnect)

    async def get(self, batch_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> batch_pb2.Batch:
        """Gives a batch; raises `VidenceError`, BATCH_NOT_FOUND."""
        request = batch_service_pb2.GetBatchRequest(batch_id=batch_id)
        return (await self._channel.call(self._stub.GetBatch, request, timeout=timeout)).batch

    async def list(
        self,
        states: Sequence[batch_pb2.BatchState.ValueType] = (),
        *,
        page_size: int = 0,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> AsyncIterator[batch_pb2.Batch]:
        """Gives all batches, the newest first, page by page; `states` empty: whatever their state."""
        token = ""
        while True:
            request = batch_service_pb2.ListBatchesRequest(
                states=states, page_size=page_size, page_token=token
            )
            page = await self._channel.call(self._stub.ListBatches, request, timeout=timeout)
            for batch in page.batches:
                yield batch
            token = page.next_page_token
            if not token:
                return

    async def items(
        self,
        batch_id: str,
        states: Sequence[batch_pb2.ItemState.ValueType] = (),
        *,
        page_size: int = 0,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> AsyncIterator[batch_pb2.BatchItem]:
        """Gives a batch's items by index, with what was read; `states` empty: whatever their state."""
        token = ""
        while True:
            request = batch_service_pb2.ListBatchItemsRequest(
                batch_id=batch_id, states=states, page_size=page_size, page_token=token
            )
            page = await self._channel.call(self._stub.ListBatchItems, request, timeout=timeout)
            for item in page.items:
                yield item
            token = page.next_page_token
            if not token:
                return

    async def image(self, batch_id: str, index: int, *, timeout: float = DEFAULT_TIMEOUT_S) -> bytes:
        """Gives the image of an item, as it was submitted.

        Raises:
            VidenceError: BATCH_NOT_FOUND, BATCH_ITEM_NOT_FOUND, BLOB_NOT_FOUND where it is kept no more.
        """
        request = batch_service_pb2.GetBatchItemImageRequest(batch_id=batch_id, index=index)

        async def start(remaining_s: float | None) -> StreamCall:
            return self._stub.GetBatchItemImage(request, timeout=remaining_s)

        async with Stream(start, _IMAGE, self._channel, timeout=timeout) as stream:
            return b"".join([message.image_chunk.data async for message in stream])

    async def cancel(self, batch_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> batch_pb2.Batch:
        """Cancels a batch; what was read is kept."""
        request = batch_service_pb2.CancelBatchRequest(batch_id=batch_id)
        return (await self._channel.call(self._stub.CancelBatch, request, timeout=timeout)).batch

    async def retry(
        self, batch_id: str, indexes: Sequence[int] = (), *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> batch_pb2.Batch:
        """Puts failed and cancelled items back into work, and offers again what the library has not taken.

        Gives the batch in its next run.

        Args:
            batch_id: A batch that ended.
            indexes: Which items; empty: all that can be read again.
            timeout: Seconds for all attempts.

        Raises:
            VidenceError: BATCH_WRONG_STATE, BATCH_EMPTY, BATCH_ITEM_NOT_FOUND.
        """
        request = batch_service_pb2.RetryItemsRequest(batch_id=batch_id, indexes=indexes)
        return (await self._channel.call(self._stub.RetryItems, request, timeout=timeout)).batch

    async def delete(self, batch_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> None:
        """Deletes a batch that does not run, with images and results."""
        request = batch_service_pb2.DeleteBatchRequest(batch_id=batch_id)
        await self._channel.call(self._stub.DeleteBatch, request, timeout=timeout)


def _events_of(response: batch_service_pb2.WatchBatchResponse) -> Sequence[batch_service_pb2.BatchEvent]:
    return response.events
