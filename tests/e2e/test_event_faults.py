"""The bus under faults of its clients and its disk: cuts, slow, stopped and dead peers, limits, no room."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2

from e2e.bus_process import BusProcess, left_behind, statistics
from e2e.ledger import LastingPublisher, Ledger, events_of, publish
from e2e.recorded_watch import RecordedWatcher, Wants, beats, reaches, watching
from e2e.watching_process import RecordFile
from eventually import PATIENCE_S, eventually
from fakes.runtime import error_info, status_of
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.stream.v1 import stream_control_pb2 as stream
from vidence_client.conformance import Connection, Watcher, check_watch

MAX_STREAMS = 30
WATCHING = Path(__file__).with_name("watching_process.py")
FILTERS: tuple[tuple[event_pb2.EventFilter | None, Wants | None], ...] = (
    (None, None),
    (event_pb2.EventFilter(types=["document.*"]), lambda event: event.type.startswith("document.")),
    (event_pb2.EventFilter(types=["batch.completed"]), lambda event: event.type == "batch.completed"),
    (event_pb2.EventFilter(subject_pattern="*/7"), lambda event: event.subject.endswith("/7")),
    (event_pb2.EventFilter(sources=["nobody"]), lambda event: event.source == "nobody"),
)


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusProcess]:
    """A bus that is found impatient: small ring, quick heartbeats, quick to find peers frozen.

    Half of the timeout is what a peer that stops has to fall behind, to be counted as stale when it is found.
    """
    settings = {
        "EVENT__RING_EVENTS": "512",
        "SERVER__HEARTBEAT_PERIOD_S": "0.2",
        "SERVER__KEEPALIVE_TIME_S": "1",
        "SERVER__KEEPALIVE_TIMEOUT_S": "12",
        "SERVER__MAX_STREAMS": str(MAX_STREAMS),
    }
    process = BusProcess(tmp_path_factory.mktemp("bus"), **settings)
    process.start()
    yield process
    process.close()


@pytest.fixture
async def ledger() -> AsyncIterator[Ledger]:
    async with asyncio.timeout(60):
        yield Ledger()


async def until_subscribers(bus: BusProcess, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await statistics(bus.address)).subscriber_count != count:
            pass


async def until_kept(bus: BusProcess, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await statistics(bus.address)).log.event_count != count:
            pass


def event_count(connections: list[Connection]) -> int:
    return sum(len(message.events) for connection in connections for message in connection.messages)


def start_watching(bus: BusProcess, record: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(WATCHING), bus.address, str(record)])


@pytest.mark.requirement("R-ST4", "R-ST1")
@pytest.mark.parametrize("cuts", [(1, 2), (2,), (3,), (7,)], ids=str)
async def test_a_watcher_that_is_cut_after_a_few_messages_again_and_again_has_the_whole_log_in_the_end(
    bus: BusProcess, ledger: Ledger, cuts: tuple[int, ...]
) -> None:
    watcher = RecordedWatcher(bus.address)
    async with watcher.connected() as link:
        await link.read()
    publisher = LastingPublisher(bus.address, ledger, batch=5)
    publishing = asyncio.create_task(publisher.call(events_of(f"cut/{cuts}", 100)))
    lengths = cycle(cuts)
    while not (publishing.done() and watcher.saw(ledger.newest)):
        async with watcher.connected() as link:
            for _ in range(next(lengths)):
                await link.read()
    await publishing
    assert watcher.violations(ledger.log()) == []
    assert watcher.gaps() == []
    assert watcher.ids() == [str(number) for number in range(1, 101)]


@pytest.mark.requirement("R-ST4", "R-ST5")
async def test_every_cursor_that_was_told_is_a_bookmark_those_of_heartbeats_too(
    bus: BusProcess, ledger: Ledger
) -> None:
    filter_, wants = FILTERS[2]
    watcher = RecordedWatcher(bus.address, pb.SubscribeRequest(filter=filter_), wants)
    bookmarks = []
    async with watcher.connected() as link:
        for part in range(3):
            await publish(bus.address, ledger, events_of(f"bookmark/{part}", 30))
            beat = await link.read_until(beats)
            told = next(response for response in reversed(link.responses) if response.events)
            bookmarks += [beat.cursor, told.cursor, told.events[0].cursor]
    probes = [watcher.probe(cursor) for cursor in {*bookmarks, watcher.cursor}]
    for probe in probes:
        async with probe.connected() as link:
            await link.read_until(reaches(ledger.newest))
    assert len(probes) > 5
    assert watcher.violations(ledger.log(), probes=probes) == []
    assert [probe.violations(ledger.log()) for probe in probes] == [[]] * len(probes)


@pytest.mark.requirement("R-ST6", "R-EV3")
async def test_a_burst_reaches_twenty_watchers_while_one_of_them_does_not_read(
    bus: BusProcess, ledger: Ledger
) -> None:
    asked = [FILTERS[number % len(FILTERS)] for number in range(19)]
    watchers = [RecordedWatcher(bus.address, pb.SubscribeRequest(filter=f), wants) for f, wants in asked]
    slow = RecordedWatcher(bus.address)
    async with slow.connected() as link:
        await link.read()
        async with watching(*watchers):
            await publish(bus.address, ledger, events_of("burst", 20_000, size=300))
            await eventually(lambda: all(watcher.saw(ledger.newest) for watcher in watchers))
            numbers = await statistics(bus.address)
        assert numbers.subscribers[0].lag_events > 512
        await link.read_until(reaches(ledger.newest))
    published = ledger.log()
    assert [watcher.violations(published) for watcher in (slow, *watchers)] == [[]] * 20
    assert slow.event_count == watchers[0].event_count == 20_000
    assert not any(watcher.gaps() for watcher in (slow, *watchers))


@pytest.mark.requirement("R-ST7", "R-ST4")
async def test_a_stopped_peer_is_freed_in_seconds_and_resumes_when_it_goes_on(
    bus: BusProcess, ledger: Ledger, tmp_path: Path
) -> None:
    record = RecordFile(tmp_path / "record")
    other = RecordedWatcher(bus.address)
    before = (await statistics(bus.address)).stale_removed
    client = start_watching(bus, tmp_path / "record")
    try:
        await eventually(lambda: bool(record.cursor))
        async with watching(other):
            client.send_signal(signal.SIGSTOP)
            await publish(bus.address, ledger, events_of("stopped", 4000, size=2000))
            await eventually(lambda: other.saw(ledger.newest))
            await until_subscribers(bus, 1)
            assert (await statistics(bus.address)).stale_removed == before + 1
            client.send_signal(signal.SIGCONT)
            await publish(bus.address, ledger, events_of("stopped/after", 10))
            await eventually(lambda: record.cursor >= ledger.newest)
    finally:
        client.kill()
        client.wait()
    connections = record.connections()
    assert len(connections) > 1
    assert check_watch(Watcher(tuple(connections)), ledger.log()) == []
    assert event_count(connections) == 4010
    assert other.violations(ledger.log()) == []


@pytest.mark.requirement("R-ST7", "R-ST1")
async def test_a_killed_watcher_leaves_nothing_behind(
    bus: BusProcess, ledger: Ledger, tmp_path: Path
) -> None:
    record = RecordFile(tmp_path / "record")
    other = RecordedWatcher(bus.address)
    client = start_watching(bus, tmp_path / "record")
    try:
        await eventually(lambda: bool(record.cursor))
        async with watching(other):
            publishing = asyncio.create_task(publish(bus.address, ledger, events_of("killed", 2000)))
            await eventually(lambda: event_count(record.connections()) > 0)
            client.kill()
            await publishing
            await eventually(lambda: other.saw(ledger.newest))
            await until_subscribers(bus, 1)
    finally:
        client.kill()
        client.wait()
    await eventually(lambda: not left_behind(bus))
    for connections in (record.connections(), other.connections()):
        assert check_watch(Watcher(tuple(connections)), ledger.log()) == []


@pytest.mark.requirement("R-ST7", "R-ST3")
async def test_a_watcher_over_the_limit_is_told_when_to_come_again_and_gets_the_place_of_another(
    bus: BusProcess,
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(MAX_STREAMS - 1):
            link = await stack.enter_async_context(RecordedWatcher(bus.address).connected())
            await link.read()
        async with RecordedWatcher(bus.address).connected() as last:
            await last.read()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                async with RecordedWatcher(bus.address).connected() as refused:
                    await refused.read()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        status = status_of(caught.value)
        assert error_info(status).reason == "STREAM_LIMIT"
        retry = error_details_pb2.RetryInfo()
        assert any(detail.Unpack(retry) for detail in status.details)
        assert retry.retry_delay.ToTimedelta().total_seconds() == 3
        await until_subscribers(bus, MAX_STREAMS - 1)
        async with RecordedWatcher(bus.address).connected() as next_one:
            assert await next_one.read() is not None


@pytest.mark.requirement("R-ST4", "R-EV3")
async def test_a_cursor_that_retention_overtook_is_refused_or_answered_by_a_gap(
    tmp_path: Path, ledger: Ledger
) -> None:
    bus = BusProcess(tmp_path, EVENT__RETENTION_EVENTS="100", EVENT__RING_EVENTS="64")
    bus.start()
    try:
        early = RecordedWatcher(bus.address)
        async with early.connected() as link:
            await link.read()
        await publish(bus.address, ledger, events_of("expiring", 3000))
        await until_kept(bus, 100)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async with early.connected() as link:
                await link.read()
        assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
        info = error_info(status_of(caught.value))
        assert (info.reason, info.metadata["newest_cursor"]) == ("CURSOR_EXPIRED", ledger.newest)
        early.request.on_expired = stream.ON_EXPIRED_GAP
        async with early.connected() as link:
            await link.read_until(reaches(ledger.newest))
            gap = link.responses[1].control.gap
    finally:
        bus.close()
    assert early.violations(ledger.log(kept=set(ledger.cursors()[-100:]))) == []
    assert (gap.reason, gap.missed_count) == (stream.GAP_REASON_EXPIRED, 2900)
    assert gap.to_cursor == info.metadata["oldest_cursor"]
    assert early.ids() == [str(number) for number in range(2901, 3001)]
