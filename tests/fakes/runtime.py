"""Real servers on free ports for tests, and an extraction service that answers with a scripted source."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from eventually import PATIENCE_S
from fakes.extraction_servicer import EXTRACTION_ID, NUMBER, Payload, complete, progress, responses, start
from vidence.extraction.v1 import document_pb2 as document
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence.extraction.v1 import extraction_service_pb2_grpc as pb_grpc
from vidence.type.v1 import geometry_pb2 as geometry
from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.access_guard import AccessGuard
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server import AddServicer, RpcServer
from vidence_server.runtime.settings import LogSettings, ServerSettings
from vidence_server.runtime.stream_servicer import Envelope, ResultStreams
from vidence_server.runtime.tracing import Tracing

SERVICE = "vidence.extraction.v1.ExtractionService"

Response = pb.ExtractDocumentResponse
M = TypeVar("M", bound=Message)
Source = Callable[[pb.ExtractDocumentRequest], AsyncIterator[Response]]
Read = Callable[[pb.ReadDocumentRequest], pb.ReadDocumentResponse]

ENVELOPE: Envelope[Response] = Envelope(
    connected=lambda connected: Response(connected=connected),
    heartbeat=lambda heartbeat: Response(heartbeat=heartbeat),
    failed=lambda status: Response(extraction_failed=pb.ExtractionFailed(status=status)),
    is_terminal=lambda response: (
        response.WhichOneof("payload") in {"extraction_complete", "extraction_failed"}
    ),
)


@dataclass(frozen=True)
class RunningServer:
    """A server that listens, and a channel to it."""

    server: RpcServer
    metrics: Metrics
    channel: grpc.aio.Channel

    @property
    def extraction(self) -> pb_grpc.ExtractionServiceAsyncStub:
        return pb_grpc.ExtractionServiceStub(self.channel)

    def metric(self, name: str, **labels: str) -> float:
        """The sample of that name and those labels; 0 before there is one."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def stream_metric(self, name: str, **labels: str) -> float:
        """The same for the metrics of `ExtractDocument`."""
        return self.metric(name, service=SERVICE, method="ExtractDocument", **labels)


@asynccontextmanager
async def running_server(
    services: Callable[[RpcServer], Mapping[str, AddServicer]],
    *,
    ready: bool = True,
    metrics: Metrics | None = None,
    clock: Clock | None = None,
    tracing: Tracing | None = None,
    guard: AccessGuard | None = None,
    **settings: Any,
) -> AsyncIterator[RunningServer]:
    """A real server on a free port of the loopback, its outgoing messages validated.

    Args:
        services: Gives the services by full name, from the server whose `result_streams` they use.
        ready: Whether they are ready at once.
        metrics: Where to count; None: new ones.
        clock: The server's time; None: the machine's.
        tracing: What spans are made with; None: there are none.
        guard: Checks who calls; None: nobody does.
        **settings: Of `ServerSettings`, over defaults that suit tests.
    """
    defaults: dict[str, Any] = {"port": 0, "validate_responses": True, "drain_accept_s": 0}
    clock = clock or SystemClock()
    metrics = metrics or Metrics(version="0.0.0")
    server = RpcServer(
        ServerSettings(**(defaults | settings)),
        metrics=metrics,
        clock=clock,
        ids=IdFactory(clock),
        tracing=tracing,
        guard=guard,
    )
    names = services(server)
    for name, add in names.items():
        server.register(name, add)
    async with server:
        for name in names if ready else ():
            await server.mark_ready(name)
        async with grpc.aio.insecure_channel(server.address) as channel:
            yield RunningServer(server, metrics, channel)


@asynccontextmanager
async def extraction_server(
    source: Source, *, read: Read | None = None, **options: Any
) -> AsyncIterator[RunningServer]:
    """`running_server` with an extraction service that answers every call with `source`."""

    def services(server: RpcServer) -> Mapping[str, AddServicer]:
        servicer = SourceServicer(server.result_streams, source, read)
        return {SERVICE: lambda target: pb_grpc.add_ExtractionServiceServicer_to_server(servicer, target)}

    async with running_server(services, **options) as running:
        yield running


class SourceServicer(pb_grpc.ExtractionServiceServicer):
    """`ExtractDocument` is whatever a test's source yields."""

    def __init__(self, streams: ResultStreams, source: Source, read: Read | None) -> None:
        self._streams = streams
        self._source = source
        self._read = read

    def ExtractDocument(  # noqa: N802  # gRPC's name
        self, request: pb.ExtractDocumentRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Response]:
        options = request.options
        period_s = (
            options.heartbeat_period.ToNanoseconds() / 1e9 if options.HasField("heartbeat_period") else None
        )
        return self._streams.serve(
            context, self._source(request), envelope=ENVELOPE, heartbeat_period_s=period_s
        )

    async def ReadDocument(  # noqa: N802  # gRPC's name
        self, request: pb.ReadDocumentRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.ReadDocumentResponse:
        if self._read is not None:
            return self._read(request)
        return pb.ReadDocumentResponse(
            extraction_id=EXTRACTION_ID,
            image_size=geometry.ImageSize(width_px=120, height_px=80),
            document=complete(NUMBER).document,
            latency=complete().latency,
        )

    async def ListDocumentTypes(  # noqa: N802  # gRPC's name
        self, request: pb.ListDocumentTypesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.ListDocumentTypesResponse:
        passport = document.DocumentType(key="passport", title="Passport")
        return pb.ListDocumentTypesResponse(document_types=[passport])


@dataclass
class Work:
    """A source under the control of a test: plays its script, waits at the gate, tells that it was closed."""

    payloads: tuple[Payload, ...] = ()
    """Written before the gate."""
    ending: tuple[Payload, ...] = (complete(),)
    """Written after it."""
    error: BaseException | None = None
    """Raised after the ending."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: pb.ExtractDocumentRequest) -> AsyncIterator[Response]:
        try:
            for response in responses(start(), *self.payloads):
                yield response
            self.started.set()
            await self.gate.wait()
            for response in responses(*self.ending):
                yield response
            if self.error is not None:
                raise self.error
        finally:
            self.closed.set()


def open_work(*payloads: Payload, **options: Any) -> Work:
    """A source that waits for nothing."""
    work = Work(payloads=payloads or (progress(0, 1), progress(1, 1)), **options)
    work.gate.set()
    return work


async def soon(event: asyncio.Event) -> None:
    """Waits for what must happen."""
    async with asyncio.timeout(PATIENCE_S):
        await event.wait()


@dataclass
class Record:
    """What a client saw of one stream."""

    messages: list[Response] = field(default_factory=list)
    status: Status = field(default_factory=Status)
    code: grpc.StatusCode = grpc.StatusCode.OK

    @property
    def kinds(self) -> list[str]:
        return [message.WhichOneof("payload") or "" for message in self.messages]


async def record(call: grpc.aio.UnaryStreamCall[Any, Response]) -> Record:
    """Reads a stream to its end."""
    seen = Record()
    try:
        # Not `async for`: it refuses calls of which the test has read a message already.
        while isinstance(message := await call.read(), Response):
            seen.messages.append(message)
    except grpc.aio.AioRpcError as error:
        seen.code = error.code()
        seen.status = status_of(error)
    return seen


def status_of(error: grpc.aio.AioRpcError) -> Status:
    """The rich status of a failed call; empty where it had none."""
    # An AioRpcError has the four methods of a call that this reads.
    found: Status | None = rpc_status.from_call(error)  # type: ignore[arg-type]  # see above
    return found if found is not None else Status()


def error_info(status: Status) -> ErrorInfo:
    return _detail(status, ErrorInfo())


def bad_request(status: Status) -> BadRequest:
    return _detail(status, BadRequest())


def retry_info(status: Status) -> RetryInfo:
    return _detail(status, RetryInfo())


def _detail(status: Status, wanted: M) -> M:
    packed: AnyMessage
    for packed in status.details:
        if packed.Unpack(wanted):
            return wanted
    raise AssertionError(f"no {wanted.DESCRIPTOR.name} among the details")


@contextmanager
def captured_logs(level: str = "debug") -> Iterator[Logs]:
    """Configures the logs as a process does, into memory, and puts everything back."""
    stream = io.StringIO()
    root = logging.getLogger()
    before, before_level = root.handlers[:], root.level
    configure_logs(LogSettings.model_validate({"level": level, "format": "json"}), stream)
    try:
        yield Logs(stream)
    finally:
        structlog.reset_defaults()
        root.handlers[:] = before
        root.setLevel(before_level)


@dataclass(frozen=True)
class Logs:
    """What was logged."""

    stream: io.StringIO

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]
