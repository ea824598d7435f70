"""One trace from the client through Envoy and the bridge to the service and its engine."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from e2e.bridge_door import Door
from e2e_suite import START_LIMIT_S, start_suite, stop_suite
from fakes.collector import Collector, Span, collecting
from vidence_client import Client

READ = "vidence.extraction.v1.ExtractionService/ReadDocument"
EXTRACT = "vidence.extraction.v1.ExtractionService/ExtractDocument"
PARENT = 0x00F067AA0BA902B7
ALLOWED = {
    "rpc.system",
    "rpc.service",
    "rpc.method",
    "rpc.grpc.status_code",
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "vidence.request_id",
    "vidence.reason",
    "vidence.kind",
    "vidence.step",
    "vidence.priority",
}
"""All that a span may say."""


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as running:
        yield running


@pytest.fixture
async def door(collector: Collector, tmp_path: Path) -> AsyncIterator[Door]:
    """The extraction service, the bridge and a real Envoy; service and bridge send their spans."""
    tracing = {
        "VIDENCE_TRACING__ENABLED": "true",
        "VIDENCE_TRACING__ENDPOINT": collector.address,
        "VIDENCE_TRACING__EXPORT_PERIOD_S": "0.1",
        "VIDENCE_EXTRACTION__RECORD_RUNS": "false",
    }
    # The collector answers meanwhile.
    suite = await asyncio.to_thread(start_suite, "extraction", environ=tracing)
    sent = {key.removeprefix("VIDENCE_"): value for key, value in tracing.items() if "TRACING" in key}
    opened = Door(tmp_path, suite.address, **sent, TRACING__SERVICE_NAME="vidence-bridge")
    try:
        await asyncio.to_thread(opened.start, asks="/v1/documentTypes")
        yield opened
    finally:
        await asyncio.to_thread(opened.close)
        await asyncio.to_thread(stop_suite, suite)


def check_engine(collector: Collector, call: Span) -> None:
    """The engine's steps stand under the call, and no span says anything of the document."""
    steps = [span.name for span in collector.children(call)]
    assert "step decode" in steps
    assert any(name.startswith("model ocr") for name in steps)
    for span in collector.of_trace(call.trace):
        assert set(span.attributes) <= ALLOWED
        assert "X4093218K" not in str(span)
        assert span.events == 0


async def through_grpc(door: Door, collector: Collector, passport: bytes) -> None:
    """By the SDK, through Envoy: a unary call and a stream."""
    own = SpanContext(0xA1, PARENT, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    with trace.use_span(NonRecordingSpan(own)):
        async with Client(f"127.0.0.1:{door.port}", inject_trace=inject) as client:
            assert (await client.extraction.read(passport)).document.document_type == "passport"
            async with client.extraction.extract(passport) as stream:
                assert [event async for event in stream]
    for name in (READ, EXTRACT):
        call = await collector.named(f"{0xA1:032x}", name, within_s=START_LIMIT_S)
        assert (call.parent, call.service) == (f"{PARENT:016x}", "vidence")
        check_engine(collector, call)


async def through_http(door: Door, collector: Collector, passport: bytes) -> None:
    """As a form, which the bridge takes; its span stands between."""
    headers = {"traceparent": f"00-{0xA2:032x}-{PARENT:016x}-01"}
    files = {"file": ("anna-müller.jpg", passport)}
    async with httpx.AsyncClient(base_url=door.url, timeout=START_LIMIT_S) as client:
        answer = await client.post("/v1/documents:read?document_type=passport", files=files, headers=headers)
    assert answer.status_code == 200
    request = await collector.named(f"{0xA2:032x}", "POST /v1/documents:read", within_s=START_LIMIT_S)
    assert (request.parent, request.service) == (f"{PARENT:016x}", "vidence-bridge")
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/documents:read",
        "http.response.status_code": 200,
    }
    call = await collector.named(request.trace, READ, within_s=START_LIMIT_S)
    assert call.parent == request.id
    check_engine(collector, call)
    assert "anna" not in str(collector.spans)


async def through_json(door: Door, collector: Collector, passport: bytes) -> None:
    """As JSON, which Envoy makes a call of by itself: it passes the trace on, and makes no span."""
    headers = {"traceparent": f"00-{0xA3:032x}-{PARENT:016x}-01"}
    body = {"content": base64.b64encode(passport).decode()}
    async with httpx.AsyncClient(base_url=door.url, timeout=START_LIMIT_S) as client:
        answer = await client.post("/v1/documents:read", json=body, headers=headers)
    assert answer.status_code == 200
    call = await collector.named(f"{0xA3:032x}", READ, within_s=START_LIMIT_S)
    assert call.parent == f"{PARENT:016x}"
    check_engine(collector, call)


@pytest.mark.requirement("R-OP3")
async def test_a_trace_goes_from_the_client_through_envoy_and_bridge_to_the_engine(
    door: Door, collector: Collector, passport: bytes
) -> None:
    await through_grpc(door, collector, passport)
    await through_http(door, collector, passport)
    await through_json(door, collector, passport)
