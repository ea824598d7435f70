"""An extraction service that plays scripts: what a client must cope with, without any reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from vidence.extraction.v1 import document_pb2 as document
from vidence.extraction.v1 import extraction_service_pb2 as service
from vidence.extraction.v1 import extraction_service_pb2_grpc as service_grpc
from vidence.stream.v1 import stream_control_pb2 as control
from vidence.type.v1 import geometry_pb2 as geometry
from vidence_client.sync import LoopThread

EXTRACTION_ID = "ext_0199c1f0-0000-7000-8000-000000000000"
REQUEST_ID = "req-7"


@dataclass(frozen=True, slots=True)
class Abort:
    """Ends the call with this status and its details."""

    status: Status


@dataclass(frozen=True, slots=True)
class Hang:
    """Writes nothing any more, until the client goes away."""


Step = service.ExtractDocumentResponse | Abort | Hang
Payload = (
    control.Connected
    | control.Heartbeat
    | service.ExtractionStart
    | service.DocumentTypeDetected
    | service.ExtractionField
    | service.ExtractionProgress
    | service.ExtractionComplete
    | service.ExtractionFailed
)
_MEMBER_OF = {
    member.message_type.full_name: member.name
    for member in service.ExtractDocumentResponse.DESCRIPTOR.oneofs_by_name["payload"].fields
    if member.message_type is not None
}


def responses(*payloads: Payload) -> list[service.ExtractDocumentResponse]:
    """Numbers the payloads 1, 2, 3, … and stamps them one millisecond apart."""
    made = []
    for sequence, payload in enumerate(payloads, start=1):
        response = service.ExtractDocumentResponse(
            sequence=sequence, emit_time=Timestamp(seconds=1_760_000_000, nanos=sequence * 1_000_000)
        )
        getattr(response, _MEMBER_OF[payload.DESCRIPTOR.full_name]).CopyFrom(payload)
        made.append(response)
    return made


def duration(seconds: float) -> Duration:
    made = Duration()
    made.FromNanoseconds(round(seconds * 1e9))
    return made


def connected(heartbeat_period_s: float = 30.0) -> control.Connected:
    return control.Connected(
        connection_id="con_0199c1f0-0000-7000-8000-000000000000",
        heartbeat_period=duration(heartbeat_period_s),
        retry_delay=duration(3),
    )


def start() -> service.ExtractionStart:
    size = geometry.ImageSize(width_px=120, height_px=80)
    return service.ExtractionStart(extraction_id=EXTRACTION_ID, image_size=size)


def detected(key: str = "passport") -> service.DocumentTypeDetected:
    return service.DocumentTypeDetected(document_type=key, confidence=0.99)


def box(x: float, y: float, width: float = 40, height: float = 10) -> geometry.Quad:
    return geometry.Quad(
        top_left=geometry.Point(x=x, y=y),
        top_right=geometry.Point(x=x + width, y=y),
        bottom_right=geometry.Point(x=x + width, y=y + height),
        bottom_left=geometry.Point(x=x, y=y + height),
    )


def read_field(
    key: str,
    value: str,
    *,
    index: int = 0,
    revision: int = 1,
    confidence: float = 0.98,
    verdict: document.ValidationVerdict.ValueType = document.VALIDATION_VERDICT_NOT_CHECKED,
    message: str = "",
    corrections: Sequence[document.FieldCorrection] = (),
) -> document.ExtractedField:
    return document.ExtractedField(
        key=key,
        index=index,
        revision=revision,
        raw_value=value,
        value=value,
        confidence=confidence,
        box=box(10, 10 + 15 * index),
        source=document.FIELD_SOURCE_MRZ,
        validation=document.FieldValidation(verdict=verdict, message=message),
        corrections=corrections,
    )


def progress(done: int, total: int) -> service.ExtractionProgress:
    return service.ExtractionProgress(done=done, total=total, fraction=done / total if total else 1)


def complete(*fields: document.ExtractedField, document_type: str = "passport") -> service.ExtractionComplete:
    return service.ExtractionComplete(
        document=document.Document(document_type=document_type, type_confidence=0.99, fields=fields),
        latency=service.LatencyBudget(total_duration=duration(0.005)),
    )


def failed(status: Status) -> service.ExtractionFailed:
    return service.ExtractionFailed(status=status)


def status(
    code: grpc.StatusCode,
    reason: str,
    message: str,
    *,
    metadata: Mapping[str, str] | None = None,
    violations: Mapping[str, str] | None = None,
    retry_after_s: float | None = None,
) -> Status:
    made = Status(code=code.value[0], message=message)
    made.details.add().Pack(ErrorInfo(reason=reason, domain="vidence", metadata=metadata or {}))
    if violations:
        listed = [
            BadRequest.FieldViolation(field=path, description=text) for path, text in violations.items()
        ]
        made.details.add().Pack(BadRequest(field_violations=listed))
    if retry_after_s is not None:
        made.details.add().Pack(RetryInfo(retry_delay=duration(retry_after_s)))
    return made


NUMBER = read_field("document.number", "L898902C3", verdict=document.VALIDATION_VERDICT_VALID)
SURNAME = read_field("holder.surname", "ERIKSSON", index=0)
PASSPORT = responses(
    connected(),
    start(),
    detected(),
    service.ExtractionField(field=NUMBER),
    progress(1, 2),
    service.ExtractionField(field=SURNAME),
    progress(2, 2),
    complete(NUMBER, SURNAME),
)
CORRUPT = status(
    grpc.StatusCode.INVALID_ARGUMENT,
    "IMAGE_CORRUPT",
    "The image is truncated.",
    metadata={"media_type": "image/jpeg"},
)
CORRUPT_SCRIPT: list[Step] = [*responses(connected(), failed(CORRUPT)), Abort(CORRUPT)]


@dataclass
class ScriptedExtraction(service_grpc.ExtractionServiceServicer):
    """Plays a script for every call: the one of the call's content, else `script`.

    `unary_failures` are the statuses with which the next unary calls end, before one succeeds;
    `opening_failures` the same for streams.
    """

    script: Sequence[Step] = field(default_factory=lambda: list(PASSPORT))
    scripts: Mapping[bytes, Sequence[Step]] = field(default_factory=dict)
    unary_failures: list[Status] = field(default_factory=list)
    opening_failures: list[Status] = field(default_factory=list)
    requests: list[service.ExtractDocumentRequest | service.ReadDocumentRequest] = field(default_factory=list)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def ExtractDocument(  # noqa: N802 - gRPC's name
        self,
        request: service.ExtractDocumentRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[service.ExtractDocumentResponse]:
        self.requests.append(request)
        if self.opening_failures:
            await _abort(context, self.opening_failures.pop(0))
        for step in self.scripts.get(request.content, self.script):
            match step:
                case Abort(status=ending):
                    await _abort(context, ending)
                case Hang():
                    await self._hang()
                case message:
                    yield message

    async def ReadDocument(  # noqa: N802 - gRPC's name
        self,
        request: service.ReadDocumentRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> service.ReadDocumentResponse:
        self.requests.append(request)
        if self.unary_failures:
            await _abort(context, self.unary_failures.pop(0))
        if request.content == b"hang":
            await self._hang()
        return service.ReadDocumentResponse(
            extraction_id=EXTRACTION_ID, document=complete(NUMBER, SURNAME).document
        )

    async def ListDocumentTypes(  # noqa: N802 - gRPC's name
        self,
        request: service.ListDocumentTypesRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> service.ListDocumentTypesResponse:
        plan = [document.PlannedField(key="document.number", title="Document number", required=True)]
        passport = document.DocumentType(key="passport", title="Passport", planned_fields=plan)
        return service.ListDocumentTypesResponse(
            document_types=[passport, document.DocumentType(key="text", title="Page of text")]
        )

    async def _hang(self) -> None:
        self.hanging.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


async def _abort(context: grpc.aio.ServicerContext[Any, Any], ending: Status) -> None:
    code = next(known for known in grpc.StatusCode if known.value[0] == ending.code)
    trailers = (("grpc-status-details-bin", ending.SerializeToString()), ("x-request-id", REQUEST_ID))
    await context.abort(code, ending.message, trailing_metadata=trailers if ending.details else ())


@asynccontextmanager
async def serving(servicer: ScriptedExtraction) -> AsyncIterator[str]:
    """Serves on a free port of the loopback and yields the address."""
    server = grpc.aio.server()
    service_grpc.add_ExtractionServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@dataclass(frozen=True, slots=True)
class Served:
    """A server in a thread of its own."""

    address: str
    servicer: ScriptedExtraction
    thread: LoopThread

    def wait_for(self, event: asyncio.Event) -> None:
        """Waits for an event of the servicer."""
        self.thread.run(_wait(event))


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


@contextmanager
def serving_in_thread(servicer: ScriptedExtraction) -> Iterator[Served]:
    """The same for plain tests: the server has a loop of its own in another thread."""
    thread = LoopThread()
    stack = AsyncExitStack()

    async def enter() -> str:
        return await stack.enter_async_context(serving(servicer))

    thread.before_end(stack.aclose)
    try:
        yield Served(thread.run(enter()), servicer, thread)
    finally:
        thread.close()
