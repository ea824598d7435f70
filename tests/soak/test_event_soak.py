"""The bus for a long time, with very many peers, and killed again and again."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import statistics as mathematics
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from e2e.bus_process import OWN_CONNECTION, BusProcess, left_behind, statistics
from e2e.ledger import MEMORY, SYNCED, WRITTEN, Durability, LastingPublisher, Ledger, events_of, publish
from e2e.recorded_watch import RecordedWatcher, kept_by, reaches, watching
from e2e.watching_process import RecordFile
from eventually import eventually
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc

pytestmark = pytest.mark.soak
WATCHING = Path(__file__).parents[1] / "e2e" / "watching_process.py"
SUBSCRIBERS = 5000
STREAMS_PER_CONNECTION = 5
CYCLES = 10_000
ROUNDS = 20
MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
LONG_S = 300.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process takes of the machine."""

    rss_mib: float
    descriptors: int
    threads: int
    cpu_s: float


def report(text: str) -> None:
    """Tells a figure; `-rA` and `-s` show it."""
    sys.stdout.write(f"{text}\n")


def footprint(bus: BusProcess) -> Footprint:
    folder = Path(f"/proc/{bus.pid}")
    lines = (line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    status = {name: value.split()[0] for name, value in lines if value.strip()}
    # The name of the program, in brackets, may hold spaces.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return Footprint(
        rss_mib=int(status["VmRSS"]) / 1024,
        descriptors=len(list((folder / "fd").iterdir())),
        threads=int(status["Threads"]),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_PER_S,
    )


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """As many open files as this machine allows, here and in the processes that are started."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed[1], allowed[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, allowed)


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[BusProcess]:
    """A bus that has room for all of them; its ring and its log are soon full."""
    process = BusProcess(
        tmp_path, SERVER__MAX_STREAMS="6000", EVENT__RING_EVENTS="2000", EVENT__RETENTION_EVENTS="5000"
    )
    process.start()
    yield process
    process.close()


@asynccontextmanager
async def channels(bus: BusProcess, count: int) -> AsyncIterator[list[grpc.aio.Channel]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(grpc.aio.insecure_channel(bus.address, OWN_CONNECTION))
            for _ in range(count)
        ]


@pytest.mark.requirement("R-ST7", "R-ST10", "R-ST6")
@pytest.mark.timeout(900)
async def test_five_thousand_subscribers_connect_at_once_and_one_event_reaches_them_all(
    bus: BusProcess,
) -> None:
    ledger = Ledger()
    watchers = [RecordedWatcher(bus.address) for _ in range(SUBSCRIBERS)]
    await publish(bus.address, Ledger(), events_of("before", 1))  # now its files and threads are open
    before = footprint(bus)
    async with channels(bus, SUBSCRIBERS // STREAMS_PER_CONNECTION) as dialled, AsyncExitStack() as stack:
        links = [
            await stack.enter_async_context(watcher.connected(dialled[number % len(dialled)]))
            for number, watcher in enumerate(watchers)
        ]
        opened = await asyncio.gather(*(link.read() for link in links))
        assert all(message is not None and message.control.HasField("connected") for message in opened)
        numbers = await statistics(bus.address)
        assert numbers.subscriber_count == SUBSCRIBERS
        during = footprint(bus)
        await publish(bus.address, ledger, events_of("all", 1))
        await asyncio.gather(*(link.read_until(reaches(ledger.newest)) for link in links))
    published = ledger.log()
    assert not any(watcher.violations(published) for watcher in watchers)
    assert all(watcher.ids() == ["1"] for watcher in watchers)
    await eventually(lambda: not left_behind(bus), within_s=LONG_S)
    await eventually(lambda: footprint(bus).descriptors < before.descriptors + 20, within_s=LONG_S)
    report(f"{SUBSCRIBERS} subscribers: {before} → {during} → {footprint(bus)}")


@pytest.mark.requirement("R-ST7", "R-ST1")
@pytest.mark.timeout(1800)
async def test_ten_thousand_connections_come_and_go_and_leave_nothing_behind(bus: BusProcess) -> None:
    async def come_and_go(number: int) -> None:
        watcher = RecordedWatcher(bus.address)
        async with watcher.connected() as link:
            if number % 3:  # the others leave before they were let in
                await link.read()

    async def some(first: int, count: int) -> None:
        for start in range(first, first + count, 20):
            await asyncio.gather(*(come_and_go(number) for number in range(start, start + 20)))

    await some(0, CYCLES // 10)
    await eventually(lambda: not left_behind(bus), within_s=LONG_S)
    early = footprint(bus)
    await some(CYCLES // 10, CYCLES - CYCLES // 10)
    await eventually(lambda: not left_behind(bus), within_s=LONG_S)
    await eventually(lambda: footprint(bus).descriptors <= early.descriptors + 2, within_s=LONG_S)
    late = footprint(bus)
    numbers = await statistics(bus.address)
    assert numbers.total_subscriptions >= CYCLES * 2 // 3
    assert late.threads <= early.threads + 2
    assert late.rss_mib < early.rss_mib + 10
    report(f"{CYCLES} connections: {early} → {late}")


class FrugalWatcher:
    """Checks the chain of what it sees, and keeps only its end."""

    def __init__(self) -> None:
        self.cursor = ""
        self.event_count = 0

    async def follow(self, bus: BusProcess) -> None:
        """Watches until it is cancelled."""
        async with grpc.aio.insecure_channel(bus.address, OWN_CONNECTION) as channel:
            call: Any = pb_grpc.EventServiceStub(channel).Subscribe(pb.SubscribeRequest())
            async for message in call:
                assert message.previous_cursor == self.cursor
                assert not message.control.HasField("gap")
                self.cursor = message.cursor
                self.event_count += len(message.events)


@pytest.mark.requirement("R-ST7", "R-ST10")
@pytest.mark.timeout(MINUTES * 60 + LONG_S)
async def test_a_hundred_watchers_for_a_long_time_take_no_more_memory_in_the_end(bus: BusProcess) -> None:
    ledger, watchers = Ledger(), [FrugalWatcher() for _ in range(100)]
    publisher = LastingPublisher(bus.address, ledger, batch=5)
    loop = asyncio.get_running_loop()
    samples: list[Footprint] = []
    async with asyncio.TaskGroup() as group:
        following = [group.create_task(watcher.follow(bus)) for watcher in watchers]
        await eventually(lambda: all(watcher.cursor for watcher in watchers))
        # Retention and the ring are full from the start: what grows from here on would grow for ever.
        await publisher.call(events_of("fill", 6000))
        begin, begin_s = footprint(bus), loop.time()
        while loop.time() < begin_s + MINUTES * 60:
            await publisher.call(events_of(f"long/{len(samples)}", 25))
            samples.append(footprint(bus))
            await asyncio.sleep(0.5)  # a load of some fifty events per second; it waits for nothing
        await eventually(lambda: all(watcher.cursor >= ledger.newest for watcher in watchers))
        for task in following:
            task.cancel()
    assert {watcher.event_count for watcher in watchers} == {len(ledger)}
    quarter, end = len(samples) // 4, samples[-1]
    early = mathematics.median(sample.rss_mib for sample in samples[:quarter])
    late = mathematics.median(sample.rss_mib for sample in samples[-quarter:])
    cpu_share = (end.cpu_s - begin.cpu_s) / (loop.time() - begin_s)
    report(f"{MINUTES:g} min, {len(ledger)} events: {early:.1f} → {late:.1f} MiB, {cpu_share:.1%} CPU")
    assert late < early + 5
    assert end.descriptors <= begin.descriptors + 2
    assert end.threads <= begin.threads + 2


@pytest.mark.requirement("R-ST7")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("busy", [True, False], ids=["busy", "quiet"])
async def test_a_stopped_peer_is_freed_within_a_minute_with_the_settings_that_everybody_has(
    bus: BusProcess, tmp_path: Path, busy: bool
) -> None:
    record = RecordFile(tmp_path / "record")
    client = subprocess.Popen([sys.executable, str(WATCHING), bus.address, str(tmp_path / "record")])
    try:
        await eventually(lambda: bool(record.cursor))
        client.send_signal(signal.SIGSTOP)
        begin_s = asyncio.get_running_loop().time()
        if busy:
            await publish(bus.address, Ledger(), events_of("stopped", 4000, size=2000))
        async with asyncio.timeout(60):
            while (await statistics(bus.address)).subscriber_count:
                pass
        report(f"freed after {asyncio.get_running_loop().time() - begin_s:.1f} s")
        assert (await statistics(bus.address)).stale_removed == int(busy)
    finally:
        client.kill()
        client.wait()


@pytest.mark.requirement("R-EV3", "R-ST4", "R-EV6")
@pytest.mark.timeout(1800)
async def test_a_server_that_is_killed_again_and_again_under_load_loses_nothing_silently(
    tmp_path: Path,
) -> None:
    bus = BusProcess(tmp_path)
    bus.start()
    ledgers = {level: Ledger() for level in (MEMORY, WRITTEN, SYNCED)}
    watchers = [RecordedWatcher(bus.address) for _ in range(3)]
    try:
        async with watching(*watchers):
            for number in range(ROUNDS):
                await killed_under_load(bus, ledgers, number)
            newest = max(ledger.newest for ledger in ledgers.values())
            await eventually(lambda: all(watcher.saw(newest) for watcher in watchers), within_s=LONG_S)
        kept = await kept_by(bus.address, newest)
    finally:
        bus.close()
    assert kept.issuperset([*ledgers[WRITTEN].cursors(), *ledgers[SYNCED].cursors()])
    seen = Ledger()
    for ledger in ledgers.values():
        ledger.enter_into(seen)
    for watcher in watchers:
        watcher.enter_into(seen)
    published = seen.log(kept=kept)
    assert [watcher.violations(published) for watcher in watchers] == [[]] * len(watchers)
    assert {len(watcher.gaps()) for watcher in watchers} == {ROUNDS} == {len(published.holes)}
    assert {gap for watcher in watchers for gap in watcher.gaps()} == {"UNCLEAN_STOP"}
    lost = sum(event.gone for event in published.events)
    report(f"{ROUNDS} kills, {len(published.events)} events, {lost} in memory lost and told")


async def killed_under_load(bus: BusProcess, ledgers: Mapping[Durability, Ledger], number: int) -> None:
    """Publishes with each durability, kills the server amid it, and goes on until all is acknowledged."""
    publishers = [LastingPublisher(bus.address, ledger, level) for level, ledger in ledgers.items()]
    enough = 50 + 137 * number  # another moment in each round
    async with asyncio.timeout(LONG_S), asyncio.TaskGroup() as group:
        for level, publisher in zip(ledgers, publishers, strict=True):
            group.create_task(publisher.stream(events_of(f"round/{number}/{level}", 2000)))
        await eventually(lambda: sum(p.acknowledged for p in publishers) > enough, within_s=LONG_S)
        bus.kill()
        await asyncio.to_thread(bus.start)
