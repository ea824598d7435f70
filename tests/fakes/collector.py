"""A collector of OpenTelemetry traces: what OTLP exporters send to it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as pb_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from eventually import PATIENCE_S, eventually


@dataclass(frozen=True)
class Span:
    """One span as it was sent."""

    name: str
    trace: str
    id: str
    parent: str
    attributes: Mapping[str, Any]
    failed: bool
    service: str
    events: int

    @staticmethod
    def of(sent: SentSpan, service: str) -> Span:
        attributes = {
            item.key: getattr(item.value, str(item.value.WhichOneof("value"))) for item in sent.attributes
        }
        return Span(
            sent.name,
            sent.trace_id.hex(),
            sent.span_id.hex(),
            sent.parent_span_id.hex(),
            attributes,
            sent.status.code == Status.STATUS_CODE_ERROR,
            service,
            len(sent.events),
        )


@dataclass
class Collector(pb_grpc.TraceServiceServicer):
    """What came, in order."""

    spans: list[Span] = field(default_factory=list)
    address: str = ""
    takes: bool = True
    """Whether exports succeed."""

    async def Export(self, request: pb.ExportTraceServiceRequest, context: Any) -> Any:  # noqa: N802 - gRPC's name
        if not self.takes:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not today")
        for resource in request.resource_spans:
            names = {item.key: item.value.string_value for item in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [Span.of(span, names["service.name"]) for span in scope.spans]
        return pb.ExportTraceServiceResponse()

    def of_trace(self, trace: str) -> list[Span]:
        return [span for span in self.spans if span.trace == trace]

    async def named(self, trace: str, name: str, *, within_s: float = PATIENCE_S) -> Span:
        """The span of that name in that trace, once it came."""
        await eventually(lambda: any(span.name == name for span in self.of_trace(trace)), within_s=within_s)
        return next(span for span in self.of_trace(trace) if span.name == name)

    def children(self, parent: Span) -> list[Span]:
        return [span for span in self.of_trace(parent.trace) if span.parent == parent.id]


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on a free port."""
    collector = Collector()
    server = grpc.aio.server()
    pb_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]  # generated
    port = server.add_insecure_port("127.0.0.1:0")
    collector.address = f"http://127.0.0.1:{port}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(None)
