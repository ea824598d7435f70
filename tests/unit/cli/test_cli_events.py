"""`vidence events` against a bus that plays scripts."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest
from click.testing import Result
from google.protobuf import json_format
from google.rpc.status_pb2 import Status

from fakes import commands, extraction_servicer, scripted_bus
from fakes.scripted_bus import connected, cursor, disconnected, events, gap, heartbeat, made_event
from vidence.event.v1 import event_service_pb2
from vidence_cli.exit_codes import ExitCode
from vidence_server.core.errors import DomainError, Reason

pytestmark = pytest.mark.requirement("R-EV1")

HANG = extraction_servicer.Hang()
CUT = extraction_servicer.Abort(Status(code=grpc.StatusCode.UNAVAILABLE.value[0]))
EXPIRED = extraction_servicer.Abort(
    extraction_servicer.status(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED", "No longer kept.")
)


@pytest.fixture
def bus() -> Iterator[scripted_bus.ServedBus]:
    with scripted_bus.serving_bus_in_thread(scripted_bus.ScriptedBus()) as served:
        yield served


def run(bus: scripted_bus.ServedBus, *arguments: object, stdin: str | None = None) -> Result:
    return commands.invoke("events", *arguments, "--server", bus.address, stdin=stdin)


def lines_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def responses_of(output: str) -> list[event_service_pb2.SubscribeResponse]:
    return [json_format.ParseDict(line, event_service_pb2.SubscribeResponse()) for line in lines_of(output)]


@pytest.mark.requirement("R-ST4")
def test_tail_writes_every_message_and_goes_on_after_a_cut(bus: scripted_bus.ServedBus) -> None:
    messages = [connected(0), events(0, 2), heartbeat(2)]
    bus.bus.scripts[:] = [[*messages, CUT], [connected(2), events(2, 5), HANG]]
    result = run(bus, "tail", "--type", "sale.*", "--from-start", "-n", 4)
    assert result.exit_code == ExitCode.FINE
    told = responses_of(result.stdout)
    assert told[:4] == [*messages, connected(2)]
    assert told[4] == events(2, 4), "the last message ends with the event that was asked for last"
    first, second = bus.bus.requests
    assert (first.position, first.filter.types) == (2, ["sale.*"])
    assert (second.after_cursor, second.filter) == (cursor(2), first.filter)


def test_tail_ends_with_its_time(bus: scripted_bus.ServedBus) -> None:
    bus.bus.scripts[:] = [[connected(0), events(0, 1), HANG]]
    assert run(bus, "tail", "--timeout", 0.3).exit_code == ExitCode.FINE
    assert run(bus, "tail", "--timeout", 0.3, "-n", 1).exit_code == ExitCode.FINE
    assert run(bus, "tail", "--timeout", 0.3, "-n", 2).exit_code == ExitCode.FAILED


@pytest.mark.requirement("R-ST4")
def test_a_start_that_expired_is_an_error_or_a_gap_as_asked(bus: scripted_bus.ServedBus) -> None:
    bus.bus.scripts[:] = [[EXPIRED], [connected(0), gap(0, 3), events(3, 4), HANG]]
    failed = run(bus, "tail", "--after", cursor(0))
    assert failed.exit_code == ExitCode.FAILED
    assert "CURSOR_EXPIRED" in failed.stderr
    told = run(bus, "tail", "--after", cursor(0), "--on-expired", "gap", "-n", 1)
    assert told.exit_code == ExitCode.FINE
    assert responses_of(told.stdout)[1] == gap(0, 3)
    assert [request.on_expired for request in bus.bus.requests] == [0, 2]


def test_an_unreachable_bus_ends_with_3(tmp_path: Path) -> None:
    with scripted_bus.serving_bus_in_thread(scripted_bus.ScriptedBus()) as gone:
        pass
    for arguments in (["tail"], ["publish", "a.b"], ["list"], ["get", cursor(1)], ["stats"]):
        result = run(gone, *arguments)
        assert result.exit_code == ExitCode.UNREACHABLE, arguments
        assert "cannot be reached" in result.stderr
    assert (
        commands.invoke("record", tmp_path / "r", "--server", gone.address).exit_code == ExitCode.UNREACHABLE
    )
    assert commands.invoke("load", gone.address, "--duration", 0.1).exit_code == ExitCode.UNREACHABLE
    assert commands.invoke("conformance", gone.address).exit_code == ExitCode.UNREACHABLE


def test_a_list_ends_with_its_limit(bus: scripted_bus.ServedBus) -> None:
    def page(request: event_service_pb2.ListEventsRequest) -> event_service_pb2.ListEventsResponse:
        start = int(request.page_token or "9")
        offsets = range(start, start - request.page_size, -1)
        return event_service_pb2.ListEventsResponse(
            events=[made_event(offset) for offset in offsets], next_page_token=str(start - request.page_size)
        )

    bus.bus.answers["ListEvents"] = page
    result = run(
        bus, "list", "--limit", 5, "--page-size", 2, "--query", "till", "--since", "2026-01-01T00:00Z"
    )
    pages = [
        json_format.ParseDict(line, event_service_pb2.ListEventsResponse())
        for line in lines_of(result.stdout)
    ]
    assert [[event.id for event in one.events] for one in pages] == [["9", "8"], ["7", "6"], ["5"]]
    request = bus.bus.requests[0]
    assert (request.query, request.page_size, request.since_time.seconds) == ("till", 2, 1_767_225_600)


def test_one_event_is_found_by_either_of_its_names(bus: scripted_bus.ServedBus) -> None:
    bus.bus.answers["GetEvent"] = event_service_pb2.GetEventResponse(event=made_event(3))
    by_cursor = run(bus, "get", cursor(3))
    by_key = run(bus, "get", "--source", "vidence/till", "--id", "3")
    for result in (by_cursor, by_key):
        (line,) = lines_of(result.stdout)
        assert json_format.ParseDict(line, event_service_pb2.GetEventResponse()).event == made_event(3)
    assert [request.WhichOneof("name") for request in bus.bus.requests] == ["cursor", "key"]
    for wrong in ([], [cursor(3), "--id", "3"], ["--id", "3"], [cursor(3), "--source", "a", "--id", "3"]):
        assert run(bus, "get", *wrong).exit_code == ExitCode.USAGE


@pytest.mark.requirement("R-EV2")
def test_the_numbers_are_told_once_or_again_and_again(bus: scripted_bus.ServedBus) -> None:
    bus.bus.answers["GetStatistics"] = scripted_bus.numbers(total_published=17)
    (line,) = lines_of(run(bus, "stats").stdout)
    assert line["statistics"]["total_published"] == "17"
    over = disconnected(1)
    over.control.disconnected.ClearField("retry_delay")
    snapshot = event_service_pb2.StatisticsEvent(cursor=cursor(1), sequence=1)
    snapshot.snapshot.total_published = 18
    message = event_service_pb2.WatchStatisticsResponse(
        events=[snapshot], cursor=cursor(1), previous_cursor=cursor(0)
    )
    bus.bus.scripts[:] = [[connected(0), message, over]]
    watched = run(bus, "stats", "--watch")
    assert watched.exit_code == ExitCode.FINE
    assert [line.get("events", [{}])[0].get("snapshot") for line in lines_of(watched.stdout)] == [
        None,
        {"total_published": "18"},
        None,
    ]


@dataclass(frozen=True, slots=True)
class Report:
    """What a check of a database may tell."""

    sound: bool
    path: Path
    logs: Sequence[dict[str, object]] = ()


@pytest.fixture
def durable(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The server's part, replaced; what its functions do."""
    module = ModuleType("vidence_server.streams.durable")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module.__dict__


@pytest.mark.requirement("R-EV3")
def test_a_database_is_verified_and_repaired_offline(durable: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "event.db"
    file.touch()
    durable["verify"] = lambda path: Report(sound=False, path=path, logs=({"corrupt": 3},))
    durable["repair"] = lambda path, **_: Report(sound=True, path=path)
    verified = commands.invoke("events", "verify", file)
    assert verified.exit_code == ExitCode.FAILED
    assert json.loads(verified.stdout) == {"sound": False, "path": str(file), "logs": [{"corrupt": 3}]}
    assert commands.invoke("events", "repair", file).exit_code == ExitCode.FINE
    assert commands.invoke("events", "verify", tmp_path / "absent").exit_code == ExitCode.USAGE


@pytest.mark.requirement("R-EV3")
def test_a_database_that_cannot_be_looked_at_is_told(
    durable: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "event.db"
    file.touch()

    def fail(path: Path) -> Report:
        raise DomainError(Reason.DATABASE_IN_USE, "Another process owns it.")

    durable["verify"] = fail
    result = commands.invoke("events", "verify", file)
    assert result.exit_code == ExitCode.FAILED
    assert "DATABASE_IN_USE: Another process owns it." in result.stderr
    monkeypatch.setitem(sys.modules, "vidence_server.streams.durable", None)
    assert commands.invoke("events", "verify", file).exit_code == ExitCode.USAGE


def in_terminal(bus: scripted_bus.ServedBus, *arguments: str) -> tuple[subprocess.Popen[bytes], int]:
    """Starts a command at a terminal of its own; its process, and our end of the terminal."""
    ours, theirs = pty.openpty()
    path = os.pathsep.join(entry for entry in sys.path if entry)
    process = subprocess.Popen(
        [*commands.PROGRAM, *arguments, "--server", bus.address],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40", "PYTHONPATH": path},
    )
    os.close(theirs)
    return process, ours


def shown_until(terminal: int, text: bytes) -> bytes:
    """What the terminal shows up to a text, or to its end."""
    shown = b""
    while text not in shown:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # how Linux tells that the other side of a terminal is closed
            return shown
        shown += part
    return shown


def test_a_person_sees_lines_and_leaves_by_ctrl_c(bus: scripted_bus.ServedBus) -> None:
    bus.bus.scripts[:] = [[connected(0), events(0, 1), gap(1, 5), CUT], [connected(5), events(5, 6), HANG]]
    process, terminal = in_terminal(bus, "events", "tail", "-v")
    try:
        with process:
            shown = shown_until(terminal, cursor(6).encode())
            process.send_signal(signal.SIGINT)
            rest = shown_until(terminal, b"never shown")
            assert process.wait(timeout=60) == ExitCode.INTERRUPTED
    finally:
        os.close(terminal)
    assert b"\x1b[36msale.completed" in shown
    assert b"EXPIRED: 4 events missing" in shown
    assert b"connected again" in shown
    assert b"Traceback" not in shown + rest


def test_a_person_sees_tables(bus: scripted_bus.ServedBus) -> None:
    bus.bus.answers["GetStatistics"] = scripted_bus.numbers(
        total_published=17, errors_by_reason={"QUEUE_FULL": 2}
    )
    process, terminal = in_terminal(bus, "events", "stats")
    try:
        with process:
            shown = shown_until(terminal, b"never shown")
            assert process.wait(timeout=60) == ExitCode.FINE
    finally:
        os.close(terminal)
    assert b"running" in shown
    assert b"QUEUE_FULL 2" in shown
