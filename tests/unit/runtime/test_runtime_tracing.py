"""Spans of calls and steps, as a collector receives them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from e2e.bus_process import free_port
from fakes.collector import Collector, collecting
from fakes.extraction_servicer import EXTRACTION_ID, NUMBER, complete
from fakes.runtime import SERVICE, RunningServer, captured_logs, extraction_server, open_work
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence.type.v1 import geometry_pb2 as geometry
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.spans import NoSpans
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.tracing import Tracing, TracingSettings, open_tracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = (("traceparent", f"00-{TRACE}-{PARENT}-01"),)
UNSAMPLED = (("traceparent", f"00-{TRACE}-{PARENT}-00"),)
READ = f"{SERVICE}/ReadDocument"


@asynccontextmanager
async def traced(
    collector: Collector, metrics: Metrics | None = None, **settings: float
) -> AsyncIterator[Tracing]:
    wanted = {"endpoint": collector.address, "export_period_s": 0.01, **settings}
    chosen = TracingSettings.model_validate({"enabled": True, **wanted})
    async with open_tracing(chosen, metrics or Metrics(version="0"), version="1.2.3") as tracing:
        yield tracing


@asynccontextmanager
async def server(tracing: Tracing, **options: Any) -> AsyncIterator[RunningServer]:
    def read(request: pb.ReadDocumentRequest) -> pb.ReadDocumentResponse:
        if request.content == b"refuse":
            raise DomainError(Reason.IMAGE_UNSUPPORTED, "No image.")
        if request.content == b"break":
            raise ValueError("secret of a person")
        return pb.ReadDocumentResponse(
            extraction_id=EXTRACTION_ID,
            image_size=geometry.ImageSize(width_px=120, height_px=80),
            document=complete(NUMBER).document,
            latency=complete().latency,
        )

    async with extraction_server(open_work(), read=read, tracing=tracing, **options) as running:
        yield running


async def ask(running: RunningServer, content: bytes, metadata: tuple[tuple[str, str], ...] = SAMPLED) -> str:
    try:
        await running.extraction.ReadDocument(pb.ReadDocumentRequest(content=content), metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


@pytest.mark.requirement("R-OP3")
async def test_a_call_is_a_child_of_its_callers_span_and_says_method_status_and_request() -> None:
    async with (
        collecting() as collector,
        traced(collector) as tracing,
        server(tracing) as running,
    ):
        assert await ask(running, b"fine", (*SAMPLED, ("x-request-id", "req-7"))) == "OK"
        span = await collector.named(TRACE, READ)
    assert (span.parent, span.service, span.failed) == (PARENT, "vidence", False)
    assert span.attributes == {
        "rpc.system": "grpc",
        "rpc.service": SERVICE,
        "rpc.method": "ReadDocument",
        "rpc.grpc.status_code": 0,
        "vidence.request_id": "req-7",
        "vidence.reason": "",
    }


@pytest.mark.requirement("R-OP3")
async def test_a_refusal_is_no_fault_of_the_server_and_a_defect_is_and_tells_nothing_of_the_request() -> None:
    async with (
        collecting() as collector,
        traced(collector) as tracing,
        server(tracing) as running,
    ):
        assert await ask(running, b"refuse") == "INVALID_ARGUMENT"
        refused = await collector.named(TRACE, READ)
        collector.spans.clear()
        assert await ask(running, b"break") == "INTERNAL"
        broken = await collector.named(TRACE, READ)
    assert (refused.failed, refused.attributes["vidence.reason"]) == (False, "IMAGE_UNSUPPORTED")
    assert (refused.attributes["rpc.grpc.status_code"], broken.attributes["rpc.grpc.status_code"]) == (3, 13)
    assert broken.failed
    assert "secret" not in str(broken)
    assert (refused.events, broken.events) == (0, 0)


@pytest.mark.requirement("R-OP3")
async def test_a_trace_that_its_caller_does_not_sample_has_no_spans_and_one_of_our_own_begins_here() -> None:
    metrics = Metrics(version="0")
    async with (
        collecting() as collector,
        traced(collector, metrics) as tracing,
        server(tracing) as running,
    ):
        await ask(running, b"fine", UNSAMPLED)
        await ask(running, b"fine", ())
    # What waited was sent when the tracing ended.
    [span] = collector.spans
    assert (span.parent, span.trace != TRACE) == ("", True)
    names = ("ended", "exported", "failed")
    counted = [metrics.registry.get_sample_value(f"vidence_tracing_{name}_total") for name in names]
    assert counted == [1, 1, 0]


@pytest.mark.requirement("R-OP3")
async def test_the_log_names_the_span_of_the_call_and_health_has_none() -> None:
    with captured_logs() as logs:
        async with (
            collecting() as collector,
            traced(collector) as tracing,
            server(tracing) as running,
        ):
            stub: Any = health_pb2_grpc.HealthStub(running.channel)
            await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE), metadata=SAMPLED)
            await ask(running, b"fine")
            span = await collector.named(TRACE, READ)
    assert [one.name for one in collector.spans] == [READ]
    [line] = [entry for entry in logs.lines if entry.get("method") == "ReadDocument"]
    assert (line["trace_id"], line["span_id"]) == (TRACE, span.id)


@pytest.mark.requirement("R-OP3")
async def test_steps_of_the_engine_are_children_of_the_call_and_are_not_measured_outside_of_one() -> None:
    async with collecting() as collector, traced(collector) as tracing:
        engine = Engine({}, EngineSettings(workers=1), SystemClock(), tracing.steps)

        async def a_call() -> None:
            assert tracing.calls is not None
            span = tracing.calls.call("a call", dict(SAMPLED))
            assert await engine.call(lambda: 7, step="decode") == 7
            with pytest.raises(ZeroDivisionError):
                await engine.call(lambda: 1 // 0, step="divide")
            span.end(failed=False)

        async with engine:
            await engine.call(lambda: 1, step="alone")
            await asyncio.create_task(a_call())
    call = next(span for span in collector.spans if span.name == "a call")
    steps = {span.name: span for span in collector.children(call)}
    assert {span.name for span in collector.spans} == {"a call", "step decode", "step divide"}
    assert steps["step decode"].attributes == {
        "vidence.kind": "call",
        "vidence.step": "decode",
        "vidence.priority": "interactive",
    }
    assert (steps["step decode"].failed, steps["step divide"].failed) == (False, True)


@pytest.mark.requirement("R-OP3")
async def test_a_step_whose_caller_went_away_is_cancelled_and_not_failed() -> None:
    async with collecting() as collector, traced(collector) as tracing:
        begun = asyncio.Event()

        async def a_call() -> None:
            assert tracing.calls is not None
            tracing.calls.call("a call", dict(SAMPLED))
            with tracing.steps.step("waiting"):
                begun.set()
                await asyncio.Event().wait()

        working = asyncio.create_task(a_call())
        await begun.wait()
        working.cancel()
        await asyncio.wait([working])
    [span] = collector.spans
    assert (span.name, span.failed, span.attributes) == ("waiting", False, {"vidence.cancelled": True})


@pytest.mark.requirement("R-OP3", "R-EV6")
async def test_calls_go_on_where_the_collector_is_away_or_refuses() -> None:
    for collector in (Collector(address=f"http://127.0.0.1:{free_port()}"), None):
        metrics = Metrics(version="0")
        async with collecting() as refusing:
            refusing.takes = False
            async with (
                traced(collector or refusing, metrics, timeout_s=0.2) as tracing,
                server(tracing) as running,
            ):
                assert await ask(running, b"fine") == "OK"
        assert metrics.registry.get_sample_value("vidence_tracing_ended_total") == 1
        assert metrics.registry.get_sample_value("vidence_tracing_exported_total") == 0


@pytest.mark.requirement("R-OP3")
async def test_where_it_is_off_there_are_no_spans_no_metrics_and_nothing_is_loaded() -> None:
    metrics = Metrics(version="0")
    async with open_tracing(TracingSettings(), metrics, version="0") as tracing:
        assert tracing.calls is None
        assert isinstance(tracing.steps, NoSpans)
        with tracing.steps.step("anything"):
            pass
    assert metrics.registry.get_sample_value("vidence_tracing_ended_total") is None
    code = """if True:
        OURS = ("opentelemetry.sdk", "opentelemetry.exporter")
        import asyncio, sys
        import vidence_server.suite.opening, vidence_server.bridge.app, vidence_client
        from vidence_server.runtime.metrics import Metrics
        from vidence_server.runtime.tracing import TracingSettings, open_tracing
        async def off():
            async with open_tracing(TracingSettings(), Metrics(version="0"), version="0"):
                pass
        asyncio.run(off())
        print([name for name in sys.modules if name.startswith(OURS)])
    """
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
