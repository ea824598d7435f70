"""`vidence load`: what it finds, and what it measures."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from fakes import extraction_servicer, scripted_bus
from fakes.scripted_bus import connected, events, gap, heartbeat
from vidence.event.v1 import event_pb2, event_service_pb2
from vidence_cli.exit_codes import ExitCode
from vidence_cli.load.command import load
from vidence_cli.load.latency import LatencyHistogram
from vidence_cli.load.report import findings, measures, table_of_measures
from vidence_cli.load.run import LoadOutcome, LoadPlan, LoadRun
from vidence_cli.load.subscriber import Seen
from vidence_cli.load.usage import (
    UsageSample,
    UsageUnknown,
    usage_between,
    usage_of_metrics,
    usage_of_process,
)
from vidence_cli.wire import WireStatus
from vidence_client import ServerUnreachable

pytestmark = pytest.mark.requirement("R-ST7", "R-ST11")

HANG = extraction_servicer.Hang()
MANY = 10**6
REFUSED = extraction_servicer.Abort(
    extraction_servicer.status(grpc.StatusCode.RESOURCE_EXHAUSTED, "STREAM_LIMIT", "Too many streams.")
)


@dataclass
class EchoBus(scripted_bus.ScriptedBus):
    """Delivers what is published to who subscribes; loses or repeats an event where it is told to."""

    lose: int = 0
    repeat: int = 0
    listening: list[asyncio.Queue[scripted_bus.Step]] = field(default_factory=list)
    offset: int = 0

    async def Subscribe(  # noqa: N802 - gRPC's name
        self, request: Any, context: Any
    ) -> AsyncIterator[event_service_pb2.SubscribeResponse]:
        incoming: asyncio.Queue[Any] = asyncio.Queue()
        self.listening.append(incoming)
        yield connected(self.offset)
        yield heartbeat(self.offset)
        while True:
            yield await incoming.get()

    async def Publish(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        for published in request.events:
            for _ in range(2 if published.sequence == self.repeat else 1):
                self._deliver(published)
        results = [event_service_pb2.PublishResult(id=one.id) for one in request.events]
        return event_service_pb2.PublishResponse(results=results)

    def _deliver(self, published: event_pb2.Event) -> None:
        message = events(self.offset, self.offset)
        self.offset += 1
        message.cursor = scripted_bus.cursor(self.offset)
        if published.sequence != self.lose:
            message.events.append(published)
        for incoming in self.listening:
            incoming.put_nowait(message)


def counting(bus: scripted_bus.ScriptedBus) -> scripted_bus.ScriptedBus:
    """Lets the bus answer numbers that agree with anything."""
    answers = iter([scripted_bus.numbers()])
    plenty = scripted_bus.numbers(
        subscriber_count=1000, total_heartbeats=MANY, total_delivered=MANY, total_published=MANY
    )
    bus.answers["GetStatistics"] = lambda _: next(answers, plenty)
    return bus


def half_milliseconds() -> Callable[[], float]:
    """A clock that goes on by as much whenever it is read: how fast the machine is makes no difference."""
    reads = itertools.count()
    return lambda: next(reads) * 0.0005


async def outcome_of(
    bus: scripted_bus.ScriptedBus, *, monotonic: Callable[[], float] = time.monotonic, **plan: Any
) -> LoadOutcome:
    async with scripted_bus.serving_bus(bus) as address:
        chosen = LoadPlan(address, **{"subscribers": 5, "duration_s": 0.2, **plan})
        return await LoadRun(chosen, randomness=random.Random(7), monotonic=monotonic).run()


async def test_a_load_that_misses_nothing_measures_latencies() -> None:
    outcome = await outcome_of(counting(EchoBus()), publish_rate=200, monotonic=half_milliseconds())
    assert findings(outcome) == []
    figures = measures(outcome)
    assert figures["connected"] == 5
    published = figures["published"]
    assert isinstance(published, int)
    assert published > 0
    assert figures["delivered"] == 5 * published
    assert figures["latency_p50_ms"] is not None
    assert figures["heartbeats"] == 5
    assert figures["server_cpu_percent"] is None


async def test_lost_and_doubled_events_are_found() -> None:
    lossy = await outcome_of(counting(EchoBus(lose=2)), publish_rate=200, monotonic=half_milliseconds())
    assert findings(lossy) == ["5 of 5 subscribers missed events"]
    doubling = await outcome_of(counting(EchoBus(repeat=2)), publish_rate=200, monotonic=half_milliseconds())
    assert findings(doubling) == ["5 of 5 subscribers got events twice or out of order"]


async def test_refused_broken_and_gapped_subscribers_are_found() -> None:
    bus = scripted_bus.ScriptedBus(
        scripts=[
            [REFUSED],
            [connected(0), heartbeat(0), REFUSED],
            [connected(0), heartbeat(1), HANG],
            [connected(0), gap(0, 2), heartbeat(2), HANG],
            [connected(0), HANG],
        ]
    )
    outcome = await outcome_of(counting(bus))
    assert findings(outcome) == [
        "1 of 5 subscribers did not connect",
        "1 of 5 subscribers ended before the load did",
        "1 of 5 subscribers saw neither a heartbeat nor an event",
        "1 of 5 subscribers got a message that does not follow the one before",
        "1 of 5 subscribers were told of a gap",
        "2 calls ended with STREAM_LIMIT",
    ]


async def test_events_that_are_refused_are_told_with_their_reason() -> None:
    full = extraction_servicer.status(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "Later.")
    bus = scripted_bus.ScriptedBus(
        scripts=[[connected(0), heartbeat(0), HANG]], answers={"Publish": extraction_servicer.Abort(full)}
    )
    told = findings(await outcome_of(counting(bus), publish_rate=50))
    assert told == ["0 of 10 events were published: 1 calls failed with QUEUE_FULL"]


async def test_a_server_that_counts_otherwise_is_found() -> None:
    bus = EchoBus(answers={"GetStatistics": scripted_bus.numbers(subscriber_count=4)})
    told = findings(await outcome_of(bus, publish_rate=200))
    assert told[0] == "the server counts 4 subscribers, 5 are connected"
    assert [line.partition(" than")[0] for line in told[1:]] == [
        "the server counts fewer heartbeats",
        "the server counts fewer deliveries",
        "the server counts fewer events",
    ]


async def test_what_arrived_while_the_server_counted_is_no_contradiction() -> None:
    bus = counting(EchoBus())
    plenty = bus.answers["GetStatistics"]
    plenty(None)  # its first answer is that of a server at rest
    late = iter([scripted_bus.numbers(), scripted_bus.numbers(subscriber_count=5, total_published=MANY)])
    bus.answers["GetStatistics"] = lambda request: next(late, None) or plenty(request)
    assert findings(await outcome_of(bus, publish_rate=200, monotonic=half_milliseconds())) == []


async def test_who_answers_no_statistics_is_no_bus() -> None:
    with pytest.raises(ServerUnreachable):
        await LoadRun(LoadPlan("127.0.0.1:1", 1, 0.1), randomness=random.Random(7)).run()


def test_silence_beyond_two_and_a_half_periods_is_found() -> None:
    quiet = Seen(connected=True, heartbeats=1, longest_silence_s=2.6)
    outcome = LoadOutcome(LoadPlan("", 1, 1), seen=[quiet])
    outcome.during.subscriber_count = 1
    outcome.during.total_heartbeats = 1
    assert findings(outcome) == ["1 of 1 subscribers heard nothing for more than 2.5 s"]
    quiet.longest_silence_s = 2.4
    assert findings(outcome) == []


def test_what_the_server_uses_is_read_from_its_process() -> None:
    read = usage_of_process(os.getpid())
    before = read()
    assert before.rss_bytes > 10**6
    assert before.cpu_s > 0
    with pytest.raises(UsageUnknown):
        usage_of_process(2**22 + 1)()


def test_use_is_the_difference_between_the_first_and_the_last_sample() -> None:
    samples = [UsageSample(10, 1.0, 100), UsageSample(11, 1.1, 300), UsageSample(12, 1.5, 200)]
    usage = usage_between(samples)
    assert usage is not None
    assert (usage.cpu_share, usage.cpu_s) == (0.25, 0.5)
    assert (usage.rss_start_bytes, usage.rss_end_bytes, usage.rss_peak_bytes) == (100, 200, 300)
    assert usage_between(samples[:1]) is None


@pytest.fixture
def metrics_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """A page of metrics over HTTP, and what it says."""
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    page = ["process_cpu_seconds_total 1.5\nprocess_resident_memory_bytes 2.5e+07\n"]

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page[0].encode())

        def log_message(self, *arguments: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/metrics", page
        server.shutdown()
        thread.join()


def test_what_the_server_uses_is_read_from_its_metrics(metrics_page: tuple[str, list[str]]) -> None:
    url, page = metrics_page
    sample = usage_of_metrics(url)()
    assert (sample.cpu_s, sample.rss_bytes) == (1.5, 25_000_000)
    page[0] = "vidence_build_info 1\n"
    with pytest.raises(UsageUnknown, match="neither"):
        usage_of_metrics(url)()
    with pytest.raises(UsageUnknown, match="http"):
        usage_of_metrics("file:///etc/passwd")


def test_percentiles_are_exact_to_two_per_cent() -> None:
    histogram = LatencyHistogram()
    assert histogram.percentile_s(50) is None
    for millisecond in range(1, 1001):
        histogram.add(millisecond / 1000)
    for percent in (50, 99):
        told = histogram.percentile_s(percent)
        assert told is not None
        assert told == pytest.approx(percent / 100, rel=0.021)
    histogram.add(0.0)
    histogram.add(-1.0)
    assert histogram.count == 1002


def test_the_table_shows_what_was_measured() -> None:
    outcome = LoadOutcome(LoadPlan("", 1, 1), seen=[Seen(connected=True, status=WireStatus("OK"))])
    console = Console(file=io.StringIO(), record=True, width=90, color_system=None)
    console.print(table_of_measures(outcome))
    text = console.export_text()
    assert "connected" in text
    assert "latency" not in text
    assert "slowest connect" in text


@pytest.fixture
def served() -> Iterator[scripted_bus.ServedBus]:
    bus = scripted_bus.ScriptedBus(scripts=[[connected(0), heartbeat(0), HANG]])
    with scripted_bus.serving_bus_in_thread(counting(bus)) as served:
        yield served


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(load, [str(argument) for argument in arguments])


def test_the_command_tells_a_program_one_object_and_its_verdict(served: scripted_bus.ServedBus) -> None:
    result = invoke(served.address, "--subscribers", 3, "--duration", 0.2, "--pid", os.getpid())
    assert result.exit_code == ExitCode.FINE, result.output
    told = json.loads(result.stdout)
    assert (told["connected"], told["missing"]) == (3, [])
    assert told["server_rss_peak_mib"] > 1
    served.bus.scripts[:] = [[REFUSED]]
    failed = invoke(served.address, "--subscribers", 3, "--duration", 0.2)
    assert failed.exit_code == ExitCode.FAILED
    assert json.loads(failed.stdout)["missing"][0] == "3 of 3 subscribers did not connect"


def test_a_process_that_is_not_there_is_told(served: scripted_bus.ServedBus) -> None:
    result = invoke(served.address, "--subscribers", 1, "--duration", 0.1, "--pid", 2**22 + 1)
    assert result.exit_code == ExitCode.FAILED
    assert "there is no process" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["x:1", "--pid", "1", "--metrics", "http://x"],
        ["x:1", "--metrics", "ftp://x"],
        ["x:1", "--subscribers", "0"],
        [],
    ],
)
def test_contradictions_are_wrong_usage(arguments: list[str]) -> None:
    assert invoke(*arguments).exit_code == ExitCode.USAGE
