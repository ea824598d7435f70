"""`vidence monitor` with the real models and a real bus: two people, and what a kill -9 changes."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from e2e.bus_process import OWN_CONNECTION, BusProcess
from e2e.monitor_process import MonitorProcess
from e2e.watching_process import RecordFile
from eventually import eventually
from fakes.access import KeyFile
from fakes.monitor_video import folder_of_people, scene, walk_of_two, write_video
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence.monitor.v1 import monitor_events_pb2
from vidence.stream.v1 import stream_control_pb2
from vidence_client import Client, Credentials

WATCHING = Path(__file__).with_name("watching_process.py")
LONG_S = 60.0
"""The models are loaded meanwhile, and other tests want the cores."""


pytestmark = pytest.mark.timeout(400)
"""Each test starts three or four processes; on a busy machine each takes its time."""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "walk.avi", walk_of_two(stay_s=2.0))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_people(tmp_path_factory.mktemp("people"))


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[BusProcess]:
    process = BusProcess(tmp_path / "bus")
    yield process
    process.close()


async def listed(address: str) -> list[event_pb2.Event]:
    """All events of monitors in the log, in its order."""
    wanted = event_pb2.EventFilter(sources=["vidence/monitor"])
    async with grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel:
        answer = await pb_grpc.EventServiceStub(channel).ListEvents(
            pb.ListEventsRequest(filter=wanted, page_size=1000), wait_for_ready=True
        )
    return sorted(answer.events, key=lambda event: event.cursor)


async def arrived(address: str, count: int, *, after_cursor: str = "") -> list[event_pb2.Event]:
    """The first so many events of monitors in the log, or after a cursor, waited for."""
    if count < 1:
        return []
    request = pb.SubscribeRequest(filter=event_pb2.EventFilter(sources=["vidence/monitor"]))
    if after_cursor:
        request.after_cursor = after_cursor
    else:
        request.position = stream_control_pb2.START_POSITION_EARLIEST
    events: list[event_pb2.Event] = []
    async with grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel:
        call = pb_grpc.EventServiceStub(channel).Subscribe(request, timeout=LONG_S, wait_for_ready=True)
        async for message in call:
            events += message.events
            if len(events) >= count:
                return events
    raise AssertionError(f"only {len(events)} events arrived")


@pytest.mark.requirement("R-CA9", "R-EV5")
async def test_a_video_of_two_people_becomes_their_events_with_snapshots(
    tmp_path: Path, video: Path, people: Path, bus: BusProcess
) -> None:
    await asyncio.to_thread(bus.start)
    monitor = MonitorProcess(
        tmp_path, video, bus.address, "--fast", "--people", str(people), "--name", "door"
    )
    assert await asyncio.to_thread(monitor.wait) == 0, monitor.logs
    assert monitor.types == [
        "person.appeared",
        "person.identified",
        "person.appeared",
        "person.left",
        "person.left",
    ]
    events = await arrived(bus.address, 5)
    assert [event.id for event in events] == monitor.ids
    first = monitor_events_pb2.PersonAppeared()
    named = monitor_events_pb2.PersonIdentified()
    left = [monitor_events_pb2.PersonLeft(), monitor_events_pb2.PersonLeft()]
    assert events[0].data.Unpack(first)
    assert events[1].data.Unpack(named)
    assert all(event.data.Unpack(payload) for event, payload in zip(events[3:], left, strict=True))
    assert (named.name, named.appearance_id, named.monitor) == ("Ada Example", first.appearance_id, "door")
    assert left[0].appearance_id == first.appearance_id
    assert {payload.reason for payload in left} == {monitor_events_pb2.LEAVE_REASON_LEFT}
    seen_s = left[0].last_seen_time.ToSeconds() - left[0].first_seen_time.ToSeconds()
    assert 4 <= seen_s <= 9
    picture = tmp_path / "monitor_images" / first.snapshot.id.replace("img_", "blb_")
    assert picture.read_bytes().startswith(b"\xff\xd8")
    assert not any("Ada" in str(entry) for entry in monitor.logs)


@pytest.mark.requirement("R-CA9", "R-EV6")
async def test_watching_outlives_the_event_service_and_every_event_arrives_later_once(
    tmp_path: Path, video: Path, people: Path, bus: BusProcess
) -> None:
    await asyncio.to_thread(bus.start)
    monitor = MonitorProcess(tmp_path, video, bus.address, "--people", str(people))
    try:
        await eventually(lambda: "person.appeared" in monitor.types, within_s=LONG_S)
        bus.kill()
        frames = await asyncio.to_thread(lambda: monitor.frames)
        await eventually(lambda: monitor.types.count("person.appeared") == 2, within_s=LONG_S)
        assert await asyncio.to_thread(lambda: monitor.frames) > frames
        await asyncio.to_thread(bus.start)
        assert await asyncio.to_thread(monitor.wait) == 0
    finally:
        monitor.close()
    assert len(monitor.ids) == len(set(monitor.ids)) == 5
    # What it could not bring before its end waits for the next one of its name.
    later = MonitorProcess(tmp_path, write_video(tmp_path / "empty.avi", [scene()] * 5), bus.address)
    assert await asyncio.to_thread(later.wait) == 0
    assert [event.id for event in await arrived(bus.address, 5)] == monitor.ids
    assert len(await listed(bus.address)) == 5


@pytest.mark.requirement("R-CA9", "R-EV6", "R-ST4")
async def test_a_watcher_that_is_killed_misses_nothing_and_the_monitor_does_not_notice(
    tmp_path: Path, video: Path, people: Path, bus: BusProcess
) -> None:
    await asyncio.to_thread(bus.start)
    seen = RecordFile(tmp_path / "seen")
    watcher = subprocess.Popen([sys.executable, WATCHING, bus.address, tmp_path / "seen"])
    monitor = None
    try:
        await eventually(lambda: seen.cursor != "", within_s=LONG_S)  # it watches
        monitor = MonitorProcess(tmp_path, video, bus.address, "--people", str(people))
        await eventually(lambda: ids_in(seen) != [], within_s=LONG_S)
        watcher.kill()
        watcher.wait()
        frames = await asyncio.to_thread(lambda: monitor.frames)
        await eventually(lambda: monitor.types.count("person.appeared") == 2, within_s=LONG_S)
        assert await asyncio.to_thread(lambda: monitor.frames) > frames
        assert await asyncio.to_thread(monitor.wait) == 0
    finally:
        watcher.kill()
        watcher.wait()
        if monitor is not None:
            monitor.close()
    await arrived(bus.address, 5)
    before = ids_in(seen)
    later = await arrived(bus.address, 5 - len(before), after_cursor=seen.cursor)
    assert before + [event.id for event in later] == monitor.ids


def ids_in(seen: RecordFile) -> list[str]:
    """Of the events that a watching process has written down."""
    return [event.id for event in seen.events()]


@pytest.mark.requirement("R-CA9", "R-EV6")
async def test_a_killed_monitor_leaves_nobody_there_for_ever(
    tmp_path: Path, video: Path, bus: BusProcess
) -> None:
    monitor = MonitorProcess(tmp_path, video, bus.address)
    database = tmp_path / "monitor_default.db"
    try:
        await eventually(lambda: bool(monitor.events) and open_rows(database) > 0, within_s=LONG_S)
    finally:
        monitor.kill()
    await asyncio.to_thread(bus.start)
    empty = write_video(tmp_path / "empty.avi", [scene()] * 5)
    later = MonitorProcess(tmp_path, empty, bus.address, "--fast")
    assert await asyncio.to_thread(later.wait) == 0
    assert later.events == []
    assert open_rows(database) == 0
    appeared, left = await arrived(bus.address, 2)
    assert (appeared.type, left.type) == ("person.appeared", "person.left")
    assert appeared.subject == left.subject
    payload = monitor_events_pb2.PersonLeft()
    assert left.data.Unpack(payload)
    assert payload.reason == monitor_events_pb2.LEAVE_REASON_INTERRUPTED
    assert payload.last_seen_time.ToNanoseconds() >= payload.first_seen_time.ToNanoseconds()
    assert len(await listed(bus.address)) == 2


def open_rows(database: Path) -> int:
    """Appearances that nobody ended, as another process sees the file."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT count(*) FROM monitor_appearances WHERE reason = ''").fetchone()
    return int(found[0])


@pytest.mark.requirement("R-CA9", "R-OP5", "R-ST8")
async def test_a_monitor_tells_its_own_tenant_and_no_other(
    tmp_path: Path, video: Path, bus: BusProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    own = tmp_path / "own-key"
    own.write_text(keys.key("*", "events.publish"))
    readers = {tenant: keys.key(tenant, "events.read") for tenant in ("default", "acme")}
    tenants = '["default", "acme"]'
    access = {"MODE": "on", "TENANTS": tenants, "KEYS_FILE": str(keys.path)}
    bus.environ |= {f"VIDENCE_ACCESS__{key}": value for key, value in access.items()}
    await asyncio.to_thread(bus.start)
    monkeypatch.setenv("VIDENCE_ACCESS__OWN_KEY_FILE", str(own))
    unknown = MonitorProcess(tmp_path, video, bus.address, "--fast", "--tenant", "acme")
    assert await asyncio.to_thread(unknown.wait) == 2, unknown.logs
    assert any("monitor.tenant" in str(entry) for entry in unknown.logs)
    monkeypatch.setenv("VIDENCE_ACCESS__TENANTS", tenants)
    monitor = MonitorProcess(tmp_path, video, bus.address, "--fast", "--tenant", "acme")
    assert await asyncio.to_thread(monitor.wait) == 0, monitor.logs
    found = {}
    for tenant, key in readers.items():
        async with Client(bus.address, credentials=Credentials(api_key=key)) as client:
            found[tenant] = sorted([event.id async for event in client.events.list()])
    assert found == {"default": [], "acme": sorted(monitor.ids)}
    assert monitor.ids


@pytest.mark.requirement("R-CA9")
async def test_what_cannot_be_watched_is_said(tmp_path: Path) -> None:
    for source in ("nowhere.avi", __file__):
        monitor = MonitorProcess(tmp_path, source, "127.0.0.1:1")
        assert await asyncio.to_thread(monitor.wait) == 2, monitor.logs
        assert any("video" in str(entry) or "source" in str(entry) for entry in monitor.logs)
