"""Capture by the SDK and by the command, against a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes.capture import capture_server
from fakes.capture_scripts import scripted
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import session_pb2
from vidence_cli.capture.commands import capture
from vidence_cli.capture.top import render
from vidence_client import Client, VidenceError, sync
from vidence_client.capture import SessionKey, make_frame, make_raw_frame

FACE = session_pb2.SessionPlan(targets=[session_pb2.TARGET_FACE])


@pytest.mark.requirement("R-CA1")
async def test_a_session_by_the_asynchronous_client(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server, Client(server.running.server.address) as client:
        created = await client.capture.create_session(FACE, ttl_s=30)
        key = SessionKey(created.session.id, created.session_token)
        over = asyncio.Event()

        async def frames() -> AsyncIterator[pb.Frame]:
            number = 0
            while not over.is_set():
                number += 1
                yield make_frame(scripted(number), number=number)
                await asyncio.sleep(0.002)

        pushing = asyncio.create_task(client.capture.push_frames(key, frames()))
        async with client.capture.watch_session(key) as watch:
            events = [event async for event in watch]
        over.set()
        assert events[-1].session_end.session.state == session_pb2.SESSION_STATE_COMPLETED
        assert (await pushing).state == session_pb2.SESSION_STATE_COMPLETED
        session = await client.capture.get_session(key.session_id, token=key.token)
        image = await client.capture.get_image(session.captured[0].image.id, token=key.token)
        assert image.startswith(b"\xff\xd8\xff")
        assert (await client.capture.list_sessions()).sessions[0].id == key.session_id
        assert not (await client.capture.get_evidence(key.session_id)).passive
        assert (await client.capture.statistics()).session_count == 1
        assert (await client.capture.cancel_session(key.session_id)).state == session.state
        with pytest.raises(VidenceError) as caught:
            await client.capture.push_frame(key, make_frame(b"x"))
        assert caught.value.reason == "SESSION_ENDED"
        with pytest.raises(VidenceError) as caught:
            await client.capture.confirm(key)
        assert caught.value.reason == "SESSION_ENDED"
        with pytest.raises(VidenceError) as caught:
            await client.capture.push_frames(key, frames())
        assert caught.value.reason == "SESSION_ENDED"


@pytest.mark.requirement("R-CA1")
async def test_all_sessions_by_the_client(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server, Client(server.running.server.address) as client:
        created = await client.capture.create_session(FACE)
        async with client.capture.watch_sessions() as watch:
            first, second = await anext(watch), await anext(watch)
            await client.capture.cancel_session(created.session.id)
            third = await anext(watch)
        assert first.snapshot.session.id == created.session.id
        assert second.snapshot_complete.session_count == 1
        assert third.changed.session.state == session_pb2.SESSION_STATE_CANCELLED


@pytest.mark.requirement("R-CA1")
async def test_a_session_by_the_client_for_plain_code(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        address = server.running.server.address

        def plain_code() -> Sequence[str]:
            with sync.Client(address) as client:
                created = client.capture.create_session(FACE)
                key = SessionKey(created.session.id, created.session_token)
                first = client.capture.push_frame(key, make_frame(scripted(1), number=1))
                assert first.fate == pb.FRAME_FATE_PROCESSED
                ended = ""
                for number in range(2, 100):
                    try:
                        client.capture.push_frames(key, [make_frame(scripted(number), number=number)])
                    except VidenceError as error:
                        ended = error.reason
                        break
                assert ended == "SESSION_ENDED"
                with client.capture.watch_session(key) as watch:
                    told = [event.WhichOneof("payload") or "" for event in watch]
                session = client.capture.get_session(key.session_id)
                assert client.capture.get_image(session.captured[0].image.id)
                assert client.capture.list_sessions().sessions
                assert client.capture.statistics().session_count == 1
                assert client.capture.get_evidence(key.session_id) is not None
                with client.capture.watch_sessions() as sessions:
                    assert next(sessions).snapshot.session.id == key.session_id
                other = client.capture.create_session(FACE)
                other_key = SessionKey(other.session.id, other.session_token)
                with pytest.raises(VidenceError):
                    client.capture.confirm(other_key, retake=True)
                assert client.capture.cancel_session(other.session.id).HasField("end_time")
                return told

        told = await asyncio.to_thread(plain_code)
        assert told[0] == "session_start"
        assert told[-1] == "session_end"


def test_a_raw_frame_says_its_size() -> None:
    frame = make_raw_frame(b"\0" * 12, 2, 2, number=3)
    assert (frame.raw.width_px, frame.raw.height_px, frame.frame_number) == (2, 2, 3)


@pytest.mark.requirement("R-CA1")
async def test_the_command_runs_a_session_from_pictures_and_saves_what_was_captured(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(1, 40):
        (pictures / f"{number:03}.jpg").write_bytes(scripted(number))
    async with capture_server(tmp_path) as server:
        arguments = ["run", "--images", str(pictures), "--fps", "50", "--json"]
        arguments += ["--server", server.running.server.address, "--save", str(tmp_path / "saved")]
        result = await asyncio.to_thread(CliRunner().invoke, capture, arguments)
        assert result.exit_code == 0, result.output
        told = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        assert "session_start" in told[0]
        assert told[-1]["session_end"]["session"]["state"] == "SESSION_STATE_COMPLETED"
        assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == ["face-crop.jpg", "face.jpg"]


async def test_the_command_cancels_a_session_whose_frames_end(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "1.jpg").write_bytes(scripted(1, subjects=0))
    async with capture_server(tmp_path) as server:
        address = server.running.server.address
        arguments = ["run", "--images", str(pictures), "--fps", "0", "--json", "--server", address]
        result = await asyncio.to_thread(CliRunner().invoke, capture, arguments)
        assert result.exit_code == 1
        states = [one.state for one in server.capture.service.book]
        assert states == ["CANCELLED"]


@pytest.mark.requirement("R-ST11")
async def test_the_command_shows_all_sessions(tmp_path: Path) -> None:
    async with capture_server(tmp_path) as server:
        camera = await server.create()
        await camera.push()
        address = server.running.server.address
        arguments = ["top", "-n", "2", "--period", "0.1", "--json", "--server", address]
        result = await asyncio.to_thread(CliRunner().invoke, capture, arguments)
        assert result.exit_code == 0, result.output
        told = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        assert [one["sessions"][0]["session_id"] for one in told] == [camera.session_id] * 2
        now = await server.stub.GetStreamStatistics(pb.GetStreamStatisticsRequest())
        assert render(now, None, 24) is not None
        assert render(now, now, 24) is not None


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "--camera", "0", "--video", "x"],
        ["run", "--video", "/nowhere.mp4", "--server", "127.0.0.1:1"],
    ],
)
def test_a_command_without_frames_is_refused(arguments: list[str]) -> None:
    assert CliRunner().invoke(capture, arguments).exit_code != 0
