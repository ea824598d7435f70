"""OpenTelemetry traces: one span per call, one per step of the engine. Off: nothing is loaded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from pydantic import Field

from vidence_server.core.spans import NoSpans, Spans, SpanValue
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.settings import Section

SPAN_COUNTERS = ("ended", "exported", "failed")
"""Statistics of spans that only ever grow."""


class TracingSettings(Section):
    """OpenTelemetry traces, sent by OTLP over gRPC."""

    enabled: bool = Field(default=False, description="Whether spans are made and sent.")
    endpoint: str = Field(
        "http://127.0.0.1:4317", description="The collector; `https://` for TLS with the system's roots."
    )
    sample_ratio: float = Field(
        1.0, ge=0, le=1, description="Share of traces that begin here; others follow their caller."
    )
    service_name: str = Field("vidence", description="`service.name` of the spans.")
    queue_limit: int = Field(2048, ge=1, description="Spans that may wait; further ones are dropped.")
    export_period_s: float = Field(2.0, gt=0, description="How long a span waits for others at most.")
    timeout_s: float = Field(5.0, gt=0, description="Longest time of one export, also at the end.")


class CallSpan(Protocol):
    """The span of one call."""

    @property
    def names(self) -> Mapping[str, str]:
        """`trace_id` and `span_id`, for the log."""
        ...

    @property
    def header(self) -> str:
        """Its `traceparent`, for calls that are made on its behalf."""
        ...

    def end(self, *, failed: bool, **attributes: SpanValue) -> None:
        """Ends it; `failed`: the server is to blame."""
        ...


class CallSpans(Spans, Protocol):
    """Makes spans of calls, and of the steps within them."""

    def call(self, name: str, carrier: Mapping[str, str], **attributes: SpanValue) -> CallSpan:
        """Begins the span of a call, and makes it the current one of this task.

        Args:
            name: What is called; a fixed name.
            carrier: `traceparent` and `tracestate` as they came; the span is their child.
            attributes: Fixed names.
        """
        ...


class Tracing:
    """What a process traces with: the spans, and whether there are any.

    Attributes:
        steps: For whoever does the work.
        calls: For whoever answers calls; None where tracing is off.
    """

    def __init__(self, calls: CallSpans | None = None) -> None:
        self.calls = calls
        self.steps: Spans = calls if calls is not None else NoSpans()


@asynccontextmanager
async def open_tracing(
    settings: TracingSettings, metrics: Metrics, *, version: str
) -> AsyncIterator[Tracing]:
    """Sends spans while its context is open; those that wait are sent at its end.

    Args:
        settings: Whether, where to, how many.
        metrics: Takes the counts of spans.
        version: Of the suite.
    """
    if not settings.enabled:
        yield Tracing()
        return
    # The SDK and the exporter are loaded by those who asked for them.
    from vidence_server.runtime.tracing_export import ExportedSpans  # noqa: PLC0415  # see above

    spans = ExportedSpans(settings, version=version)
    metrics.export("tracing", spans.statistics, counters=SPAN_COUNTERS)
    try:
        yield Tracing(spans)
    finally:
        await spans.close()
