"""The bus across the end of its process: clean or by kill -9, under load, each durability."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from google.protobuf.duration_pb2 import Duration

from e2e.bus_process import BusProcess, statistics
from e2e.ledger import MEMORY, SYNCED, WRITTEN, Durability, LastingPublisher, Ledger, events_of, publish
from e2e.recorded_watch import RecordedWatcher, kept_by, reaches, watching
from eventually import eventually
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.stream.v1 import stream_control_pb2 as stream


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusProcess]:
    """A bus that every test leaves running."""
    process = BusProcess(tmp_path_factory.mktemp("bus"), SERVER__DRAIN_ACCEPT_S="0")
    process.start()
    yield process
    process.close()


@pytest.fixture
async def ledger() -> AsyncIterator[Ledger]:
    async with asyncio.timeout(100):
        yield Ledger()


def watchers_of(bus: BusProcess) -> list[RecordedWatcher]:
    """Two that want everything and one with a filter."""
    filter_ = event_pb2.EventFilter(types=["document.*"])
    some = RecordedWatcher(
        bus.address,
        pb.SubscribeRequest(filter=filter_, heartbeat_period=Duration(seconds=1)),
        lambda event: event.type.startswith("document."),
    )
    return [RecordedWatcher(bus.address), RecordedWatcher(bus.address), some]


@pytest.mark.requirement("R-ST3", "R-ST4", "R-EV3")
async def test_a_clean_restart_says_goodbye_with_a_cursor_and_leaves_no_gap(
    bus: BusProcess, ledger: Ledger
) -> None:
    watcher, silent = RecordedWatcher(bus.address), RecordedWatcher(bus.address)
    async with watcher.connected() as link, silent.connected() as other:
        await link.read()
        await other.read()
        await publish(bus.address, ledger, events_of("clean/before", 50))
        await link.read_until(reaches(ledger.newest))
        stopping = asyncio.create_task(asyncio.to_thread(bus.stop))
        await link.read_to_end()
        await other.read_to_end()
        assert await stopping == 0
    for one in (watcher, silent):
        goodbye = one.links[0].responses[-1].control.disconnected
        assert goodbye.reason == stream.DISCONNECT_REASON_DRAINING
        assert goodbye.cursor == one.cursor
        assert goodbye.retry_delay.seconds == 3
    await asyncio.to_thread(bus.start)
    await publish(bus.address, ledger, events_of("clean/after", 50))
    for one in (watcher, silent):
        await one.follow_until(ledger.newest)
        assert one.violations(ledger.log()) == []
        assert (one.event_count, one.gaps()) == (100, [])
    assert not ledger.log().holes


@pytest.mark.requirement("R-EV3", "R-ST4", "R-EV6")
@pytest.mark.parametrize("durability", [WRITTEN, SYNCED])
async def test_kill_9_amid_publishing_loses_nothing_acknowledged_and_tells_the_hole(
    bus: BusProcess, ledger: Ledger, durability: Durability
) -> None:
    watchers = watchers_of(bus)
    source = f"kill/{durability}"
    caller, streamer = (LastingPublisher(bus.address, ledger, durability) for _ in range(2))
    async with watching(*watchers), asyncio.TaskGroup() as group:
        group.create_task(caller.call(events_of(f"{source}/caller", 1500)))
        group.create_task(streamer.stream(events_of(f"{source}/streamer", 4000)))
        await eventually(lambda: caller.acknowledged > 100 and streamer.acknowledged > 100)
        bus.kill()
        before = max(watcher.cursor for watcher in watchers)
        told = set(ledger.cursors())
        await asyncio.to_thread(bus.start)
        await eventually(lambda: caller.acknowledged == 1500 and streamer.acknowledged == 4000)
        await publish(bus.address, ledger, events_of(f"{source}/last", 4))
        await eventually(lambda: all(watcher.saw(ledger.newest) for watcher in watchers))
    published = ledger.log()
    assert [watcher.violations(published) for watcher in watchers] == [[], [], []]
    assert [watcher.gaps() for watcher in watchers] == [["UNCLEAN_STOP"]] * 3
    assert watchers[0].event_count == len(ledger) == 5504
    assert len(published.holes) == 1
    hole = published.holes[0]
    assert max(before, *told) <= hole.from_cursor


@pytest.mark.requirement("R-EV3", "R-ST4")
async def test_kill_9_loses_events_in_memory_only_with_a_gap(bus: BusProcess, ledger: Ledger) -> None:
    live, silent = RecordedWatcher(bus.address), RecordedWatcher(bus.address)
    async with silent.connected() as link:
        await link.read()
    async with watching(live):
        await publish(bus.address, ledger, events_of("memory/kept", 20))
        bus.limit_files(1)  # a disk that fails: what is in memory only cannot leave it
        await publish(bus.address, ledger, events_of("memory/lost", 20), MEMORY)
        await eventually(lambda: live.saw(ledger.newest))
        lost = ledger.cursors()[20:]
        bus.kill()
        await asyncio.to_thread(bus.start)
        await publish(bus.address, ledger, events_of("memory/after", 20))
        await eventually(lambda: live.saw(ledger.newest))
    await silent.follow_until(ledger.newest)
    kept = await kept_by(bus.address, ledger.newest)
    assert not kept.intersection(lost)
    assert live.gaps() == silent.gaps() == ["UNCLEAN_STOP"]
    assert (live.event_count, silent.event_count) == (60, 40)
    for watcher in (live, silent):
        assert watcher.violations(ledger.log(kept=kept)) == []
    assert ledger.cursors()[40] > lost[-1]


@pytest.mark.requirement("R-EV3", "R-ST4")
async def test_kill_9_amid_publishing_to_memory_loses_events_only_with_a_gap(
    bus: BusProcess, ledger: Ledger
) -> None:
    live, silent = RecordedWatcher(bus.address), RecordedWatcher(bus.address)
    async with silent.connected() as link:
        await link.read()
    publisher = LastingPublisher(bus.address, ledger, MEMORY, batch=50)
    async with watching(live), asyncio.TaskGroup() as group:
        group.create_task(publisher.stream(events_of("memory/load", 20_000)))
        await eventually(lambda: publisher.acknowledged > 2000)
        bus.kill()
        await asyncio.to_thread(bus.start)
        await eventually(lambda: publisher.acknowledged == 20_000)
        await eventually(lambda: live.saw(ledger.newest))
    await silent.follow_until(ledger.newest)
    live.enter_into(ledger)  # seen, and never acknowledged before the kill
    kept = await kept_by(bus.address, ledger.newest)
    published = ledger.log(kept=kept)
    for watcher in (live, silent):
        assert watcher.violations(published) == []
        assert watcher.gaps() == ["UNCLEAN_STOP"]
    assert silent.event_count == sum(not event.gone for event in published.events)
    assert (await statistics(bus.address)).running
