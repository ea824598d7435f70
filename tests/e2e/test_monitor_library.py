"""`vidence monitor` names people who are enrolled in a library, with the real models."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.bus_process import BusProcess
from e2e.monitor_process import MonitorProcess
from e2e_suite import LiveSuite, start_suite, stop_suite
from fakes.face_pictures import ASTRONAUT, decoded, encoded, mirrored, picture_bytes
from fakes.monitor_video import scene, walk_of_two, write_video
from vidence_client import Client

pytestmark = [pytest.mark.timeout(240), pytest.mark.requirement("R-CA9", "R-LI6", "R-EV5")]


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusProcess]:
    process = BusProcess(tmp_path_factory.mktemp("bus"))
    process.start()
    yield process
    process.close()


@pytest.fixture(scope="module")
def libraries(bus: BusProcess) -> Iterator[LiveSuite]:
    running = start_suite("library", environ={"VIDENCE_BUS__ADDRESS": bus.address})
    yield running
    stop_suite(running)


@dataclass(frozen=True)
class Watching:
    """Starts monitors that ask a library."""

    folder: Path
    bus: str
    libraries: str

    def start(self, source: Path, library: str, *more: str, address: str = "") -> MonitorProcess:
        where = ("--library", library, "--library-address", address or self.libraries)
        return MonitorProcess(self.folder, source, self.bus, "--fast", *where, *more)


@pytest.fixture
def watching(tmp_path: Path, bus: BusProcess, libraries: LiveSuite) -> Watching:
    return Watching(tmp_path, bus.address, libraries.address)


async def test_people_of_a_library_are_named_and_not_any_more_when_they_are_deleted(
    tmp_path: Path, watching: Watching
) -> None:
    video = write_video(tmp_path / "walk.avi", walk_of_two(stay_s=2.0))
    picture = encoded(mirrored(decoded(picture_bytes(ASTRONAUT))), ".jpg")
    async with Client(watching.libraries) as client, Client(watching.bus) as bus:
        await client.libraries.create("staff")
        await client.libraries.faces.enroll("staff", "employee-17", picture)
        monitor = watching.start(video, "staff")
        assert await asyncio.to_thread(monitor.wait) == 0, monitor.logs
        assert monitor.types.count("person.appeared") == 2
        (named,) = [event for event in monitor.events if event["type"] == "person.identified"]
        assert "employee-17" in str(named)
        assert not any("employee-17" in str(entry) for entry in monitor.logs)
        on_the_bus = [event async for event in bus.events.list() if event.type == "person.identified"]
        assert len(on_the_bus) == 1
        await client.libraries.faces.delete_subject("staff", "employee-17")
        later = watching.start(video, "staff", "--name", "later")
        assert await asyncio.to_thread(later.wait) == 0, later.logs
        assert later.types.count("person.appeared") == 2
        assert "person.identified" not in later.types


async def test_a_library_that_is_not_there_is_a_mistake_and_one_that_is_away_is_not(
    tmp_path: Path, watching: Watching
) -> None:
    empty = write_video(tmp_path / "empty.avi", [scene()] * 5)
    wrong = watching.start(empty, "nobody")
    assert await asyncio.to_thread(wrong.wait) == 2, wrong.logs
    assert any("no such library" in str(entry) for entry in wrong.logs)
    both = watching.start(empty, "staff", "--people", str(tmp_path))
    assert await asyncio.to_thread(both.wait) == 2, both.logs
    away = watching.start(empty, "staff", address=f"unix:{tmp_path}/none")
    assert await asyncio.to_thread(away.wait) == 0, away.logs
    assert any(entry.get("event") == "the library of people is away" for entry in away.logs)
