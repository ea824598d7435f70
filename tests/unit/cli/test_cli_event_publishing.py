"""`vidence events publish`: one event as its options say, and those of a file over one stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from fakes import commands, event_servicer, scripted_bus
from fakes.event_servicer import Bus, Served
from fakes.scripted_bus import cursor
from vidence.event.v1 import event_pb2, event_service_pb2
from vidence_cli.exit_codes import ExitCode

pytestmark = pytest.mark.requirement("R-EV1")


@pytest.fixture
def bus() -> Iterator[scripted_bus.ServedBus]:
    with scripted_bus.serving_bus_in_thread(scripted_bus.ScriptedBus()) as served:
        yield served


@pytest.fixture
def log() -> Iterator[Served]:
    with event_servicer.serving_in_thread(Bus(retry_delay_s=0.01)) as served:
        yield served


def run(bus: scripted_bus.ServedBus | Served, *arguments: object, stdin: str | None = None) -> Result:
    return commands.invoke("events", *arguments, "--server", bus.address, stdin=stdin)


def lines_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def written(*events: dict[str, str]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def accepting(request: event_service_pb2.PublishRequest) -> Any:
    """Takes all events."""
    results = [
        event_service_pb2.PublishResult(id=event.id, cursor=cursor(7), durability=request.durability)
        for event in request.events
    ]
    return event_service_pb2.PublishResponse(results=results)


def test_one_event_is_published_as_its_options_say(bus: scripted_bus.ServedBus) -> None:
    bus.bus.answers["Publish"] = accepting
    result = run(
        bus,
        *("publish", "sale.completed", "--source", "vidence/till", "--subject", "tills/7", "--id", "17"),
        *("--attribute", "colour=red", "--severity", "warning", "--durability", "synced"),
        *("--data", '{"total": 12.5}'),
    )
    assert result.exit_code == ExitCode.FINE
    assert lines_of(result.stdout) == [{"cursor": cursor(7), "id": "17", "durability": "DURABILITY_SYNCED"}]
    (request,) = bus.bus.requests
    assert request.events[0] == event_pb2.Event(
        type="sale.completed",
        source="vidence/till",
        subject="tills/7",
        id="17",
        attributes={"colour": "red"},
        severity=event_pb2.SEVERITY_WARNING,
        opaque=event_pb2.OpaqueData(content_type="application/json", content=b'{"total": 12.5}'),
    )


def test_a_refused_event_of_a_file_does_not_stop_the_others(log: Served, tmp_path: Path) -> None:
    log.bus.faults.poisonous_types = "wrong"
    file = tmp_path / "events.ndjson"
    file.write_text(written(*({"type": kind, "id": kind} for kind in ("a.b", "wrong", "c.d"))))
    result = run(log, "publish", "--file", file, "--source", "vidence/till")
    assert result.exit_code == ExitCode.FAILED
    good, refused, last = lines_of(result.stdout)
    assert (good["id"], last["id"]) == ("a.b", "c.d")
    assert refused["id"] == "wrong"
    assert refused["error"]["details"][0]["reason"] == "REQUEST_INVALID"
    assert [(event.source, event.id) for event in log.bus.log] == [
        ("vidence/till", "a.b"),
        ("vidence/till", "c.d"),
    ]


def test_events_of_standard_input_go_over_one_stream_and_have_ids(log: Served) -> None:
    lines = written(*({"type": "a.b", "source": f"s{number}"} for number in range(250)))
    result = run(log, "publish", "--file", "-", stdin=lines)
    assert result.exit_code == ExitCode.FINE
    assert (log.bus.publish_streams, len(log.bus.publish_requests)) == (1, 3)
    assert [event.source for event in log.bus.log] == [f"s{number}" for number in range(250)]
    told = [line["id"] for line in lines_of(result.stdout)]
    assert told == [event.id for event in log.bus.log]
    assert len({*told} - {""}) == 250


def test_a_break_costs_no_event_of_a_file_and_no_result(log: Served) -> None:
    log.bus.faults.publish_cuts.extend([1, 2])
    lines = written(*({"type": "a.b", "id": str(number)} for number in range(400)))
    result = run(log, "publish", "--file", "-", "--durability", "synced", stdin=lines)
    assert result.exit_code == ExitCode.FINE
    told = lines_of(result.stdout)
    everyone = [str(number) for number in range(400)]
    assert [line["id"] for line in told] == everyone == [event.id for event in log.bus.log]
    assert sum(line.get("repeated", False) for line in told) >= 2
    assert {request.durability for request in log.bus.publish_requests} == {event_pb2.DURABILITY_SYNCED}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], ExitCode.USAGE),
        (["a.b", "--file", "-"], ExitCode.USAGE),
        (["--file", "-", "--subject", "x"], ExitCode.USAGE),
        (["a.b", "--durability", "eternal"], ExitCode.USAGE),
        (["a.b", "--data", "{"], ExitCode.FAILED),
        (["a.b", "--data", "@/no/such/file"], ExitCode.FAILED),
        (["--file", "/no/such/file"], ExitCode.FAILED),
        (["--file", "-"], ExitCode.FAILED),
    ],
)
def test_what_cannot_be_published_is_told_before_any_call(
    bus: scripted_bus.ServedBus, arguments: list[str], code: ExitCode
) -> None:
    result = run(bus, "publish", *arguments, stdin="no event\n")
    assert result.exit_code == code
    assert result.stdout == ""
    assert bus.bus.requests == []
