"""Spans by OpenTelemetry's SDK, sent by OTLP over gRPC."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from vidence_server.core.spans import SpanValue
from vidence_server.runtime.tracing import TracingSettings

_INSTRUMENTATION = "vidence_server"
_MAX_BATCH = 512


@dataclass(frozen=True, slots=True)
class TracingStatistics:
    """Spans since the start of the process."""

    ended: int
    """Sampled spans that ended. Those neither exported nor failed wait, or were dropped at the limit."""
    exported: int
    failed: int
    """Spans of exports that the collector did not take."""


class _Counted(SpanExporter):
    """An exporter whose outcomes are counted; called by the thread that exports."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.exported = 0
        self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.exported += len(spans)
        else:
            self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class ExportedSpans:
    """`CallSpans` that are sent to a collector by a thread of their own.

    What waits is bounded by `queue_limit`; overflow: the newest is dropped. The process never waits for the
    collector, but up to `timeout_s` at its end.

    Args:
        settings: Where to, how many.
        version: Of the suite.
    """

    def __init__(self, settings: TracingSettings, *, version: str) -> None:
        exporter = OTLPSpanExporter(
            endpoint=settings.endpoint,
            insecure=not settings.endpoint.startswith("https://"),
            timeout=settings.timeout_s,
        )
        self._exporter = _Counted(exporter)
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.sample_ratio)),
            resource=Resource.create({"service.name": settings.service_name, "service.version": version}),
            # It ends with its context, not with the interpreter.
            shutdown_on_exit=False,
        )
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=settings.queue_limit,
            max_export_batch_size=min(settings.queue_limit, _MAX_BATCH),
            schedule_delay_millis=settings.export_period_s * 1000,
            export_timeout_millis=settings.timeout_s * 1000,
        )
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer(_INSTRUMENTATION, version)
        self._propagator = TraceContextTextMapPropagator()
        self._counting = threading.Lock()
        self._ended = 0

    def call(self, name: str, carrier: Mapping[str, str], **attributes: SpanValue) -> _Call:
        """See `CallSpans.call`."""
        parent = self._propagator.extract(dict(carrier))
        span = self._tracer.start_span(
            name,
            parent,
            SpanKind.SERVER,
            {key.replace("__", "."): value for key, value in attributes.items()},
            record_exception=False,
            set_status_on_exception=False,
        )
        # A call has a context of its own: what is attached ends with it.
        otel_context.attach(trace.set_span_in_context(span, parent))
        return _Call(self, span)

    @contextmanager
    def step(self, name: str, **attributes: SpanValue) -> Iterator[None]:
        """See `Spans.step`."""
        if not trace.get_current_span().get_span_context().trace_flags.sampled:
            yield
            return
        span = self._tracer.start_span(
            name,
            attributes={f"vidence.{key}": value for key, value in attributes.items()},
            record_exception=False,
            set_status_on_exception=False,
        )
        failed = True
        try:
            yield
            failed = False
        except asyncio.CancelledError:
            failed = False
            span.set_attribute("vidence.cancelled", value=True)
            raise
        finally:
            self.end(span, failed=failed)

    def end(self, span: Span, *, failed: bool) -> None:
        """Ends a span. Why it failed is in the log, where nothing personal is; never in the span."""
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end()
        if span.get_span_context().trace_flags.sampled:
            with self._counting:
                self._ended += 1

    def statistics(self) -> TracingStatistics:
        """The counts; from any thread."""
        return TracingStatistics(self._ended, self._exporter.exported, self._exporter.failed)

    async def close(self) -> None:
        """Sends what waits and ends the thread."""
        await asyncio.to_thread(self._provider.shutdown)


class _Call:
    """See `CallSpan`."""

    def __init__(self, spans: ExportedSpans, span: Span) -> None:
        self._spans = spans
        self._span = span

    @property
    def names(self) -> Mapping[str, str]:
        context = self._span.get_span_context()
        return {
            "trace_id": trace.format_trace_id(context.trace_id),
            "span_id": trace.format_span_id(context.span_id),
        }

    @property
    def header(self) -> str:
        context = self._span.get_span_context()
        names = self.names
        return f"00-{names['trace_id']}-{names['span_id']}-{context.trace_flags:02x}"

    def end(self, *, failed: bool, **attributes: SpanValue) -> None:
        for key, value in attributes.items():
            self._span.set_attribute(key.replace("__", "."), value)
        self._spans.end(self._span, failed=failed)
