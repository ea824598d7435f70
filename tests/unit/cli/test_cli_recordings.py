"""Recordings: captured, judged, told again; a broken one is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner, Result
from google.protobuf import json_format
from google.rpc.status_pb2 import Status

from fakes import commands, extraction_servicer, scripted_bus
from fakes.recordings import written
from fakes.scripted_bus import connected, disconnected, events, heartbeat
from vidence.event.v1 import event_service_pb2
from vidence_cli.exit_codes import ExitCode
from vidence_cli.recordings.check import check
from vidence_cli.recordings.format import (
    Recording,
    read_recording,
)
from vidence_cli.recordings.record import record
from vidence_cli.recordings.replay import paced, replay
from vidence_cli.wire import EXTRACT_DOCUMENT

pytestmark = pytest.mark.requirement("R-ST1")

HANG = extraction_servicer.Hang()


CUT = extraction_servicer.Abort(Status(code=grpc.StatusCode.UNAVAILABLE.value[0]))


@pytest.fixture
def bus() -> Iterator[scripted_bus.ServedBus]:
    with scripted_bus.serving_bus_in_thread(scripted_bus.ScriptedBus()) as served:
        yield served


def run(command: Any, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def recorded(bus: scripted_bus.ServedBus, file: Path, *arguments: object) -> Result:
    return run(record, file, "--server", bus.address, *arguments)


@pytest.mark.requirement("R-ST4")
def test_a_stream_is_recorded_over_broken_connections_checked_and_told_again(
    bus: scripted_bus.ServedBus, tmp_path: Path
) -> None:
    bus.bus.scripts[:] = [
        [connected(0), events(0, 2), CUT],
        [CUT],
        [connected(2), heartbeat(2), disconnected(2)],
        [connected(2), events(2, 4), HANG],
    ]
    file = tmp_path / "stream.jsonl"
    result = recorded(bus, file, "--from-start", "--type", "sale.*", "-n", "4")
    assert (result.exit_code, result.stdout) == (ExitCode.FINE, "")
    assert "4 events in 7 messages, 4 connections" in result.stderr
    asked = [request.after_cursor for request in bus.bus.requests]
    assert asked == ["", scripted_bus.cursor(2), scripted_bus.cursor(2), scripted_bus.cursor(2)]
    assert all(request.filter.types == ["sale.*"] for request in bus.bus.requests)

    verdict = run(check, file)
    assert verdict.exit_code == ExitCode.FINE
    told = json.loads(verdict.stdout)
    assert (told["messages"], told["connections"], told["violations"]) == (7, 4, [])

    again = run(replay, file, "--speed", "max")
    assert again.exit_code == ExitCode.FINE
    messages = [
        json_format.ParseDict(json.loads(line), event_service_pb2.SubscribeResponse())
        for line in again.stdout.splitlines()
    ]
    assert [one.id for message in messages for one in message.events] == ["1", "2", "3", "4"]


def test_a_broken_recording_fails_the_check(bus: scripted_bus.ServedBus, tmp_path: Path) -> None:
    bus.bus.scripts[:] = [[connected(0), events(0, 1), events(2, 3), HANG]]
    file = tmp_path / "stream.jsonl"
    assert recorded(bus, file, "-n", "2").exit_code == ExitCode.FINE
    verdict = run(check, file)
    assert verdict.exit_code == ExitCode.FAILED
    violations = json.loads(verdict.stdout)["violations"]
    assert {"validator": "Chained", "position": 2} in [
        {"validator": found["validator"], "position": found["position"]} for found in violations
    ]
    file.write_text(file.read_text()[:-30])
    cut = run(check, file)
    assert cut.exit_code == ExitCode.FAILED
    assert "is no JSON object" in cut.stderr


def test_a_recording_ends_with_its_time_or_its_first_connection(
    bus: scripted_bus.ServedBus, tmp_path: Path
) -> None:
    bus.bus.scripts[:] = [[connected(0), CUT], [connected(0), HANG]]
    ended = recorded(bus, tmp_path / "one.jsonl", "--no-reconnect")
    assert ended.exit_code == ExitCode.FAILED
    assert "UNAVAILABLE" in ended.stderr
    timed = recorded(bus, tmp_path / "two.jsonl", "--timeout", "0.2")
    assert timed.exit_code == ExitCode.FINE
    assert run(check, tmp_path / "two.jsonl").exit_code == ExitCode.FINE


@pytest.mark.parametrize(
    ("ending", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.FINE)]
)
def test_a_recorder_that_is_stopped_leaves_a_whole_file(
    bus: scripted_bus.ServedBus, tmp_path: Path, ending: signal.Signals, code: ExitCode
) -> None:
    bus.bus.scripts[:] = [[connected(0), events(0, 1), HANG]]
    file = tmp_path / "stream.jsonl"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    process = subprocess.Popen(
        [*commands.PROGRAM, "record", str(file), "--server", bus.address],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    with process:
        bus.thread.run(bus.bus.hanging.wait())
        process.send_signal(ending)
        assert process.wait(timeout=60) == code
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
    assert run(check, file).exit_code == ExitCode.FINE


def test_statistics_are_recorded_by_their_own_rpc(bus: scripted_bus.ServedBus, tmp_path: Path) -> None:
    bus.bus.scripts[:] = [
        [event_service_pb2.WatchStatisticsResponse.FromString(connected(0).SerializeToString()), HANG]
    ]
    file = tmp_path / "numbers.jsonl"
    assert recorded(bus, file, "--stats", "--from-start", "--timeout", "0.3").exit_code == ExitCode.FINE
    assert isinstance(bus.bus.requests[0], event_service_pb2.WatchStatisticsRequest)
    assert bus.bus.requests[0].position == 2
    assert recorded(bus, file, "--stats", "--type", "a").exit_code == ExitCode.USAGE


def test_what_cannot_be_opened_is_told(bus: scripted_bus.ServedBus, tmp_path: Path) -> None:
    assert recorded(bus, tmp_path / "no" / "folder").exit_code == ExitCode.FAILED
    (tmp_path / "picture").write_bytes(b"\xff\x00")
    for command in (check, replay):
        assert run(command, tmp_path / "picture").exit_code == ExitCode.FAILED
        assert run(command, tmp_path / "absent").exit_code == ExitCode.USAGE


@pytest.mark.parametrize(("speed", "pauses"), [(1.0, [0.1, 0.1]), (2.0, [0.05, 0.05]), (float("inf"), [])])
async def test_a_replay_keeps_the_timing_at_its_speed(speed: float, pauses: list[float]) -> None:
    recording: Recording = read_recording(written([connected(0), events(0, 1), heartbeat(1)]))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    told = [message async for message in paced(recording, speed=speed, sleep=sleep)]
    assert [round(pause, 6) for pause in slept] == pauses
    assert told == recording.connections[0].messages


@pytest.mark.parametrize("speed", ["0", "-1", "fast"])
def test_a_speed_is_a_factor_or_max(tmp_path: Path, speed: str) -> None:
    file = tmp_path / "stream.jsonl"
    file.write_text("\n".join(written([connected(0)])))
    assert run(replay, file, "--speed", speed).exit_code == ExitCode.USAGE


def test_a_recorded_reading_is_told_again_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "reading.jsonl"
    file.write_text("\n".join(written(list(extraction_servicer.PASSPORT), rpc=EXTRACT_DOCUMENT)))
    told = run(replay, file, "--speed", "max")
    assert len(told.stdout.splitlines()) == len(extraction_servicer.PASSPORT)
    assert run(replay, file, "--publish").exit_code == ExitCode.USAGE
