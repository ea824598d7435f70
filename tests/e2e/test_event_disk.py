"""The bus on a disk that fails, is full, or belongs to another process already."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from e2e.bus_process import OWN_CONNECTION, BusProcess, statistics
from e2e.ledger import MEMORY, LastingPublisher, Ledger, events_of, publish
from e2e.recorded_watch import RecordedWatcher, watching
from eventually import PATIENCE_S, eventually
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusProcess]:
    process = BusProcess(tmp_path_factory.mktemp("bus"), EVENT__RING_EVENTS="512")
    process.start()
    yield process
    process.close()


@pytest.fixture
async def ledger() -> AsyncIterator[Ledger]:
    async with asyncio.timeout(60):
        yield Ledger()


def small_disk(folder: Path) -> list[str]:
    """Runs a command that finds in the folder a disk of its own, with 2 MiB free beside 22 of `ballast`."""
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f'mount -t tmpfs -o size=24m tmpfs "{folder}"'
    if subprocess.run([*unshare, "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("needs mount namespaces for users: unshare --user --mount")
    ballast = f'head -c 22M /dev/zero > "{folder}/ballast"'
    return [*unshare, "sh", "-c", f'{mount} && {ballast} && exec "$@"', "small-disk"]


def make_room(bus: BusProcess, folder: Path) -> None:
    """Removes the ballast, which only the process sees."""
    Path(f"/proc/{bus.pid}/root{folder}/ballast").unlink()


@pytest.mark.requirement("R-EV3", "R-EV6")
async def test_a_disk_that_fails_is_told_nothing_acknowledged_is_lost_and_publishing_goes_on_after_it(
    bus: BusProcess, ledger: Ledger
) -> None:
    watcher = RecordedWatcher(bus.address)
    async with watching(watcher):
        publisher = LastingPublisher(bus.address, ledger, batch=20)
        await publisher.call(events_of("failing", 100))
        bus.limit_files(1)
        publishing = asyncio.create_task(publisher.call(events_of("failing", 1000, first=101, size=5000)))
        await eventually(lambda: bool(publisher.refusals))
        numbers = await statistics(bus.address)
        assert not numbers.running
        assert set(numbers.errors_by_reason) <= {"STORAGE_FULL", "STORAGE_FAILED"}
        assert numbers.errors_by_reason
        bus.limit_files(None)
        await publishing
        await eventually(lambda: watcher.saw(ledger.newest))
    late = RecordedWatcher(
        bus.address, pb.SubscribeRequest(after_cursor=watcher.links[0].responses[0].cursor)
    )
    await late.follow_until(ledger.newest)
    assert (await statistics(bus.address)).running
    for one in (watcher, late):
        assert one.violations(ledger.log()) == []
        assert one.ids() == [str(number) for number in range(1, 1101)]


@pytest.mark.requirement("R-EV3")
async def test_events_in_memory_that_a_failing_disk_never_took_are_a_gap_to_those_who_come_later(
    bus: BusProcess, ledger: Ledger
) -> None:
    live = RecordedWatcher(bus.address)
    async with watching(live):
        await publish(bus.address, ledger, events_of("ephemeral/kept", 10))
        bus.limit_files(1)
        await publish(bus.address, ledger, events_of("ephemeral/lost", 10), MEMORY)
        await eventually(lambda: live.saw(ledger.newest))
        bus.limit_files(None)
        await publish(bus.address, ledger, events_of("ephemeral/after", 600))
        await eventually(lambda: live.saw(ledger.newest))
    late = live.probe(live.links[0].responses[0].cursor)
    await late.follow_until(ledger.newest)
    assert late.gaps() == ["EPHEMERAL"]
    cursors = ledger.cursors()
    kept = {*cursors[:10], *cursors[20:]}
    for watcher in (live, late):
        assert watcher.violations(ledger.log(kept=kept)) == []
    assert (live.event_count, late.event_count) == (620, 610)


@pytest.mark.requirement("R-EV3", "R-EV6")
async def test_a_full_disk_is_told_and_publishing_goes_on_when_there_is_room(
    tmp_path: Path, ledger: Ledger
) -> None:
    bus = BusProcess(tmp_path)
    bus.start(within=small_disk(tmp_path))
    try:
        watcher = RecordedWatcher(bus.address)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(watcher.follow())
            await eventually(lambda: bool(watcher.cursor))
            publisher = LastingPublisher(bus.address, ledger, batch=20)
            publishing = group.create_task(publisher.call(events_of("full", 1000, size=4000)))
            await eventually(lambda: bool(publisher.refusals))
            numbers = await statistics(bus.address)
            assert numbers.errors_by_reason.keys() == {"STORAGE_FULL"}
            assert not numbers.running
            make_room(bus, tmp_path)
            await publishing
            await eventually(lambda: watcher.saw(ledger.newest))
            following.cancel()
        assert publisher.refusals == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert watcher.violations(ledger.log()) == []
        assert watcher.ids() == [str(number) for number in range(1, 1001)]
    finally:
        bus.close()


@pytest.mark.requirement("R-EV3")
def test_a_second_process_on_the_same_data_is_refused_and_the_first_goes_on(bus: BusProcess) -> None:
    command = [sys.executable, "-m", "vidence_server", "serve", "event"]
    environ = {**os.environ, **bus.environ, "VIDENCE_SERVER__PORT": "0", "VIDENCE_METRICS__PORT": "0"}
    second = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == 1
    assert "Another process owns the database" in second.stderr
    with grpc.insecure_channel(bus.address, OWN_CONNECTION) as channel:
        stub = pb_grpc.EventServiceStub(channel)
        request = pb.PublishRequest(events=events_of("first", 1), durability=event_pb2.DURABILITY_SYNCED)
        results = stub.Publish(request, timeout=PATIENCE_S).results
    assert results[0].durability == event_pb2.DURABILITY_SYNCED
