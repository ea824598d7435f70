"""Batches, for plain code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from vidence.batch.v1 import batch_pb2, batch_service_pb2
from vidence_client.batch import BatchClient as AsyncBatchClient
from vidence_client.batch import FileLike, ProcessResponse
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.sync.loop_thread import LoopThread
from vidence_client.sync.stream import Stream, Watch, next_of
from vidence_client.watch_shape import GapListener, ReconnectListener

BatchWatch = Watch[batch_service_pb2.WatchBatchResponse, batch_service_pb2.BatchEvent]


class BatchClient:
    """Reads many images, for plain code; see `vidence_client.batch.BatchClient`.

    All arguments and errors are those of the asynchronous client.
    """

    def __init__(self, client: AsyncBatchClient, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread

    def process(
        self,
        files: Sequence[FileLike],
        *,
        document_type: str = "",
        library_id: str = "",
        heartbeat_period_s: float | None = None,
        timeout: float | None = None,
    ) -> Stream[ProcessResponse]:
        """Reads images in one call and streams each result as soon as it is there."""
        stream = self._client.process(
            files,
            document_type=document_type,
            library_id=library_id,
            heartbeat_period_s=heartbeat_period_s,
            timeout=timeout,
        )
        return Stream(stream, self._thread)

    def read(
        self,
        files: Sequence[FileLike],
        *,
        document_type: str = "",
        library_id: str = "",
        timeout: float = 600.0,
    ) -> batch_service_pb2.ReadBatchResponse:
        """Reads images in one call and answers once, in their order."""
        read = self._client.read(files, document_type=document_type, library_id=library_id, timeout=timeout)
        return self._thread.run(read)

    def upload(
        self,
        files: Iterable[FileLike],
        *,
        batch_id: str = "",
        idempotency_key: str = "",
        document_type: str = "",
        library_id: str = "",
        start: bool = True,
        timeout: float | None = None,
    ) -> batch_pb2.Batch:
        """Sends a whole batch over one call, image by image, and starts it."""
        upload = self._client.upload(
            files,
            batch_id=batch_id,
            idempotency_key=idempotency_key,
            document_type=document_type,
            library_id=library_id,
            start=start,
            timeout=timeout,
        )
        return self._thread.run(upload)

    def create(
        self,
        *,
        idempotency_key: str = "",
        document_type: str = "",
        library_id: str = "",
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> batch_pb2.Batch:
        """Creates an open batch, or gives that of the key."""
        create = self._client.create(
            idempotency_key=idempotency_key,
            document_type=document_type,
            library_id=library_id,
            timeout=timeout,
        )
        return self._thread.run(create)

    def add(
        self, batch_id: str, index: int, file: FileLike, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> batch_pb2.BatchItem:
        """Adds one image to an open batch; repeating it changes nothing."""
        return self._thread.run(self._client.add(batch_id, index, file, timeout=timeout))

    def start(self, batch_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> batch_pb2.Batch:
        """Starts an open batch."""
        return self._thread.run(self._client.start(batch_id, timeout=timeout))

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
        """Tells what happens in a run of a batch, from its beginning, until it ends."""
        watch = self._client.watch(
            batch_id,
            run=run,
            after=after,
            on_gap=on_gap,
            on_reconnect=on_reconnect,
            heartbeat_period_s=heartbeat_period_s,
        )
        return Watch(watch, self._thread)

    def get(self, batch_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> batch_pb2.Batch:
        """Gives a batch."""
        return self._thread.run(self._client.get(batch_id, timeout=timeout))

    def list(self, states: Sequence[batch_pb2.BatchState.ValueType] = ()) -> Iterator[batch_pb2.Batch]:
        """Gives all batches, the newest first, page by page."""
        batches = self._client.list(states)
        while (batch := self._thread.run(next_of(batches))) is not None:
            yield batch

    def items(
        self, batch_id: str, states: Sequence[batch_pb2.ItemState.ValueType] = ()
    ) -> Iterator[batch_pb2.BatchItem]:
        """Gives a batch's items by index, with what was read."""
        items = self._client.items(batch_id, states)
        while (item := self._thread.run(next_of(items))) is not None:
            yield item

    def image(self, batch_id: str, index: int, *, timeout: float = DEFAULT_TIMEOUT_S) -> bytes:
        """Gives the image of an item, as it was submitted."""
        return self._thread.run(self._client.image(batch_id, index, timeout=timeout))

    def cancel(self, batch_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> batch_pb2.Batch:
        """Cancels a batch; what was read is kept."""
        return self._thread.run(self._client.cancel(batch_id, timeout=timeout))

    def retry(
        self, batch_id: str, indexes: Sequence[int] = (), *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> batch_pb2.Batch:
        """Puts failed and cancelled items back into work."""
        return self._thread.run(self._client.retry(batch_id, indexes, timeout=timeout))

    def delete(self, batch_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> None:
        """Deletes a batch that does not run, with images and results."""
        self._thread.run(self._client.delete(batch_id, timeout=timeout))
