"""A purge reaches what real monitors kept of a person whom they recognised, one of them killed at it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.monitor_process import MonitorProcess
from e2e_suite import LiveSuite, start_suite, stop_suite
from eventually import eventually
from fakes.erasure import counts, files_with
from fakes.face_pictures import ASTRONAUT, decoded, encoded, mirrored, picture_bytes
from fakes.monitor_video import folder_of_people, walk_of_two, write_video
from vidence.erasure.v1 import erasure_pb2 as erasure
from vidence_client import Client, VidenceError

pytestmark = [pytest.mark.timeout(400), pytest.mark.requirement("R-OP5", "R-CA9")]
"""The whole suite and two monitors load models; on a busy machine each takes its time."""

LIBRARY_NAME, FOLDER_NAME = "employee-17", "Ada Example"
LONG_S = 120.0


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def suite(data: Path) -> Iterator[LiveSuite]:
    running = start_suite("all", environ={"VIDENCE_DATA_DIR": str(data)})
    yield running
    stop_suite(running)


async def test_faces_that_monitors_kept_of_a_person_go(tmp_path: Path, data: Path, suite: LiveSuite) -> None:
    video = write_video(tmp_path / "walk.avi", walk_of_two(stay_s=2.0))
    async with Client(suite.address) as client:
        await client.libraries.create("staff")
        await enrol(client)
        of_library = ("--library", "staff", "--library-address", suite.address)
        whole = await watched(data, video, suite, "--fast", "--name", "door", *of_library)
        killed = await killed_when_somebody_is_named(data, video, suite, "--name", "gate", *of_library)
        people = folder_of_people(tmp_path / "people", FOLDER_NAME)
        of_folder = await watched(data, video, suite, "--fast", "--name", "hall", "--people", str(people))
        mine = [picture_of_named(monitor.events, LIBRARY_NAME) for monitor in (whole, killed)]
        others = [picture for picture in pictures(whole.events).values() if picture not in mine]
        others += pictures(of_folder.events).values()
        assert len(others) == 3
        assert all([await is_there(client, image_id) for image_id in (*mine, *others)])
        purged = await client.erasure.purge(LIBRARY_NAME)
        assert purged.state == erasure.PURGE_STATE_COMPLETE
        assert counts(purged) == {"monitor_image": (2, 2, 0), "face_template": (1, 1, 0)}
        assert not any([await is_there(client, image_id) for image_id in mine])
        assert all([await is_there(client, image_id) for image_id in others])
        assert [name for name in names_in(data) if any(uuid_of(image_id) in name for image_id in mine)] == []
        # A name of the operator's folder is a subject like any other.
        again = await client.erasure.purge(FOLDER_NAME)
        assert counts(again) == {"monitor_image": (1, 1, 0)}
        assert not await is_there(client, picture_of_named(of_folder.events, FOLDER_NAME))
    assert not [name for name in names_in(data) if LIBRARY_NAME in name or "Ada" in name]
    # Where the name may be still, as the receipt says: on the bus.
    assert {name.partition(".")[0] for name in files_with(data, LIBRARY_NAME.encode())} <= {"event"} | {
        f"monitor_{name}" for name in ("door", "gate", "hall")
    }


async def enrol(client: Client) -> None:
    """The astronaut, by another picture than those of the video."""
    picture = encoded(mirrored(decoded(picture_bytes(ASTRONAUT))), ".jpg")
    await client.libraries.faces.enroll("staff", LIBRARY_NAME, picture)


async def watched(data: Path, video: Path, suite: LiveSuite, *arguments: str) -> MonitorProcess:
    monitor = MonitorProcess(data, video, suite.address, *arguments)
    assert await asyncio.to_thread(monitor.wait) == 0, monitor.logs
    return monitor


async def killed_when_somebody_is_named(
    data: Path, video: Path, suite: LiveSuite, *arguments: str
) -> MonitorProcess:
    monitor = MonitorProcess(data, video, suite.address, *arguments)
    try:
        await eventually(lambda: "person.identified" in monitor.types, within_s=LONG_S)
    finally:
        monitor.kill()
    return monitor


def pictures(events: list[dict[str, Any]]) -> dict[str, str]:
    """Ids of the kept pictures, by appearance."""
    found = [event["data"] for event in events if event["type"] == "person.appeared"]
    return {data["appearance_id"]: data["snapshot"]["id"] for data in found}


def picture_of_named(events: list[dict[str, Any]], name: str) -> str:
    """The picture of the one appearance that has a name."""
    (named,) = [event["data"] for event in events if event["type"] == "person.identified"]
    assert named["name"] == name
    return pictures(events)[named["appearance_id"]]


async def is_there(client: Client, image_id: str) -> bool:
    try:
        return bool(await client.capture.get_image(image_id))
    except VidenceError as error:
        if error.reason != "IMAGE_NOT_FOUND":
            raise
        return False


def uuid_of(image_id: str) -> str:
    return image_id.removeprefix("img_")


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*")]
