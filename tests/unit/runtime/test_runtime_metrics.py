from __future__ import annotations

import asyncio
import http.client
import socket
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fakes.runtime import extraction_server, open_work, record
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.metrics_server import MetricsServer
from vidence_server.runtime.settings import MetricsSettings


@dataclass(frozen=True)
class Step:
    queued: int
    run_s_sum: float
    completed: int
    kind: str = "text is no number"


@dataclass(frozen=True)
class Engine:
    workers: int
    busy: bool
    total: Step
    models: Mapping[str, Step]


def scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text: str = answer.read().decode()
    return text


@pytest.mark.requirement("R-OP3", "R-ST11")
async def test_metrics_are_scraped_over_http_with_build_info_and_streams() -> None:
    metrics = Metrics(version="1.2.3", revision="abc")
    async with (
        MetricsServer(MetricsSettings(port=0), metrics) as exporter,
        extraction_server(open_work(), metrics=metrics) as running,
    ):
        await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest()))
        assert exporter.port
        text = await asyncio.to_thread(scraped, exporter.port)
    families = text_string_to_metric_families(text)
    samples = {sample.name: sample for family in families for sample in family.samples}
    build = samples["vidence_build_info"]
    assert (build.labels["version"], build.labels["revision"], build.value) == ("1.2.3", "abc", 1)
    assert samples["vidence_streams_opened_total"].labels["method"] == "ExtractDocument"
    assert "vidence_result_streams_open" in samples
    assert "vidence_rpcs_total" in samples


def test_statistics_become_metrics() -> None:
    metrics = Metrics(version="1")
    engine = Engine(
        2, True, Step(1, 0.5, 7), {"ocr-detector": Step(3, 1.5, 8), "ocr-recogniser": Step(4, 2.5, 9)}
    )
    metrics.export("engine", lambda: engine, counters={"completed"})
    value = metrics.registry.get_sample_value
    assert value("vidence_engine_workers") == 2
    assert value("vidence_engine_busy") == 1
    assert value("vidence_engine_total_queued") == 1
    assert value("vidence_engine_model_run_seconds_sum", {"model": "ocr-detector"}) == 1.5
    assert value("vidence_engine_model_completed_total", {"model": "ocr-recogniser"}) == 9


def test_statistics_are_asked_for_at_each_scrape() -> None:
    metrics = Metrics(version="1")
    numbers = iter([Step(1, 0, 0), Step(2, 0, 0)])
    metrics.export("queue", lambda: next(numbers))
    assert metrics.registry.get_sample_value("vidence_queue_queued") == 1
    assert metrics.registry.get_sample_value("vidence_queue_queued") == 2


async def test_the_exporter_frees_its_port_at_the_end() -> None:
    async with MetricsServer(MetricsSettings(port=0), Metrics(version="1")) as exporter:
        port = exporter.port
        assert port
    assert exporter.port is None
    async with MetricsServer(MetricsSettings(port=port), Metrics(version="1")) as again:
        assert again.port == port


@pytest.mark.requirement("R-OP3", "R-OP4")
async def test_probes_are_told_whether_it_is_ready_and_whether_its_event_loop_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = False
    async with MetricsServer(MetricsSettings(port=0), Metrics(version="1"), lambda: ready) as exporter:
        assert exporter.port
        assert await asyncio.to_thread(status_of, exporter.port, "/readyz") == 503
        assert await asyncio.to_thread(status_of, exporter.port, "/livez") == 200
        ready = True
        assert await asyncio.to_thread(status_of, exporter.port, "/readyz") == 200
        # A loop that hangs, as seen from the thread: this test does not give it back meanwhile.
        monkeypatch.setattr("vidence_server.runtime.metrics_server._LOOP_S", 0.01)
        assert status_of(exporter.port, "/livez") == 503
        assert status_of(exporter.port, "/metrics") == 200


def status_of(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


async def test_a_port_in_use_is_a_wrong_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = MetricsSettings(port=taken.getsockname()[1])
        with pytest.raises(DomainError) as error:
            async with MetricsServer(settings, Metrics(version="1")):
                pass
    assert error.value.reason is Reason.CONFIGURATION_INVALID


async def test_disabled_metrics_open_no_port() -> None:
    async with MetricsServer(MetricsSettings(enabled=False), Metrics(version="1")) as exporter:
        assert exporter.port is None
