"""A batch service on a free port, a reader with fault knobs, images that say what shall become of them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from fakes.shelf import FakeShelf
from fakes.storage import FakeBus
from vidence.batch.v1 import batch_pb2
from vidence.batch.v1 import batch_service_pb2 as pb
from vidence.batch.v1 import batch_service_pb2_grpc as batch_grpc
from vidence.extraction.v1 import document_pb2
from vidence.job.v1 import job_service_pb2_grpc as job_grpc
from vidence.job.v1 import worker_service_pb2_grpc as worker_grpc
from vidence_server.batch.app import OpenBatch, local_worker, open_service, register
from vidence_server.batch.service import BatchService
from vidence_server.batch.settings import BatchSettings
from vidence_server.batch.worker.worker import Worker
from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.access_guard import AccessGuard
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.settings import ServerSettings
from vidence_server.storage.blob_format import BlobFormat
from vidence_server.storage.location import StateLocation

JPEG = b"\xff\xd8\xff"
TENANT = "default"


def image(text: str, file_name: str = "") -> batch_pb2.BatchImage:
    """An image that reads as its text; `text` may be an order to the reader, see `FakeReader`."""
    return batch_pb2.BatchImage(content=JPEG + text.encode(), file_name=file_name or f"{text}.jpg")


def images(count: int, name: str = "page") -> list[batch_pb2.BatchImage]:
    """So many different ones."""
    return [image(f"{name} {number}") for number in range(count)]


def document(text: str) -> document_pb2.Document:
    """What the reader makes of a text."""
    return document_pb2.Document(
        document_type="text",
        type_confidence=1,
        fields=[
            document_pb2.ExtractedField(
                key="text.line",
                revision=1,
                raw_value=text,
                value=text,
                confidence=0.9,
                source=document_pb2.FIELD_SOURCE_VISUAL,
                validation=document_pb2.FieldValidation(verdict=document_pb2.VALIDATION_VERDICT_NOT_CHECKED),
            )
        ],
    )


def text_of(read: document_pb2.Document) -> str:
    """The text back."""
    return read.fields[0].value


@dataclass
class FakeReader:
    """A `DocumentReader`. Orders: `bad …` is corrupt, `flaky … n` fails n times, `crash …` is a defect."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: readings wait."""
    seconds: float = 0.0
    """How long a reading takes."""
    began: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    """Readings that were cancelled."""
    running: int = 0
    most: int = 0
    """Most readings at once."""

    def __post_init__(self) -> None:
        self.gate.set()

    async def read(self, content: bytes, *, document_type: str, pdf_page: int, ahead: bool) -> bytes:
        text = content.removeprefix(JPEG).decode()
        self.began[text] += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
            await asyncio.sleep(self.seconds)
            made = self._outcome(text)
        except asyncio.CancelledError:
            self.dropped[text] += 1
            raise
        finally:
            self.running -= 1
        self.ended[text] += 1
        return made

    def _outcome(self, text: str) -> bytes:
        order, *rest = text.split()
        if order == "bad":
            raise DomainError(Reason.IMAGE_CORRUPT, "The image is damaged.", metadata={"cause": "test"})
        if order == "crash":
            raise ValueError("a defect of the reader")
        if order == "flaky" and self.began[text] <= int(rest[-1]):
            raise DomainError(Reason.MODEL_CORRUPT if rest[0] == "model" else Reason.NOT_READY, "Not now.")
        return document(text).SerializeToString()


@dataclass
class BatchServer:
    """A service that listens."""

    opened: OpenBatch
    server: RpcServer
    channel: grpc.aio.Channel
    bus: FakeBus
    workers: list[Worker]
    shelf: FakeShelf

    @property
    def batches(self) -> batch_grpc.BatchServiceAsyncStub:
        return batch_grpc.BatchServiceStub(self.channel)

    @property
    def jobs(self) -> job_grpc.JobServiceAsyncStub:
        return job_grpc.JobServiceStub(self.channel)

    @property
    def desk(self) -> worker_grpc.WorkerServiceAsyncStub:
        return worker_grpc.WorkerServiceStub(self.channel)

    async def submit(
        self, *wanted: batch_pb2.BatchImage, start: bool = True, library_id: str = ""
    ) -> batch_pb2.Batch:
        """A batch of these images, by a client stream."""

        async def requests() -> AsyncIterator[pb.UploadBatchRequest]:
            yield pb.UploadBatchRequest(opening=pb.UploadOpening(start=start, library_id=library_id))
            for index, each in enumerate(wanted):
                yield pb.UploadBatchRequest(item=pb.UploadItem(index=index, image=each))

        return (await self.batches.UploadBatch(requests())).batch

    async def watch(self, batch_id: str, **fields: Any) -> list[pb.WatchBatchResponse]:
        """All messages of a watch that the server ends."""
        call = self.batches.WatchBatch(pb.WatchBatchRequest(batch_id=batch_id, **fields))
        return [message async for message in call]

    async def ended(self, batch_id: str) -> batch_pb2.Batch:
        """The batch when it has ended."""
        await self.watch(batch_id)
        return (await self.batches.GetBatch(pb.GetBatchRequest(batch_id=batch_id))).batch


def events_of(messages: Sequence[pb.WatchBatchResponse]) -> list[pb.BatchEvent]:
    """The events of a watch."""
    return [event for message in messages for event in message.events]


@asynccontextmanager
async def batch_server(
    where: Path | StateLocation,
    reader: FakeReader | None = None,
    *,
    workers: int = 1,
    concurrency: int = 2,
    clock: Clock | None = None,
    server: dict[str, Any] | None = None,
    shelf: FakeShelf | None = None,
    form: BlobFormat | None = None,
    guard: AccessGuard | None = None,
    **settings: Any,
) -> AsyncIterator[BatchServer]:
    """A real server with so many workers in its process; in SQLite where only a folder is given."""
    clock = clock or SystemClock()
    ids = IdFactory(clock)
    bus, shelf = FakeBus(), shelf or FakeShelf()
    quick: dict[str, Any] = {"first_retry_s": 0.01, "longest_retry_s": 0.05}
    rpc = _rpc_server(server or {}, clock, ids, guard)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(
            open_service(
                BatchSettings(**(quick | settings)),
                StateLocation(where) if isinstance(where, Path) else where,
                bus,
                shelf,
                clock=clock,
                ids=ids,
                random=random.Random(7).random,
                draining=rpc.result_streams.draining,
                form=form,
            )
        )
        names = register(rpc, opened.service)
        reads = reader or FakeReader()
        made = [_worker(opened.service, reads, concurrency, clock) for _ in range(workers)]
        await stack.enter_async_context(rpc)
        for name in names:
            await rpc.mark_ready(name)
        for worker in made:
            await stack.enter_async_context(worker)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(rpc.address))
        yield BatchServer(opened, rpc, channel, bus, made, shelf)


def _rpc_server(
    settings: Mapping[str, Any], clock: Clock, ids: IdFactory, guard: AccessGuard | None
) -> RpcServer:
    defaults: dict[str, Any] = {"port": 0, "validate_responses": True, "drain_accept_s": 0}
    return RpcServer(
        ServerSettings(**{**defaults, **settings}),
        metrics=Metrics(version="0"),
        clock=clock,
        ids=ids,
        guard=guard,
    )


def _worker(service: BatchService, reader: FakeReader, concurrency: int, clock: Clock) -> Worker:
    return local_worker(service, reader, concurrency=concurrency, clock=clock, random=random.Random(3).random)
