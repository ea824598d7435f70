"""Figures of the bus: what the generator and the kernel say, and what is made of rounds of it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from math import isnan
from pathlib import Path

import pytest

from benchmarks.events.contest import Measured
from benchmarks.events.generator import Load, MeasurementError, Outcome, answer, faults
from benchmarks.events.servers import NAIVE, NATS, OURS, Server, events_logged
from benchmarks.events.standing import (
    Standing,
    as_json,
    cpu_per_million,
    deliveries_per_s,
    floors,
    tables,
)
from benchmarks.events.usage import Usage, parse_stat
from benchmarks.events.workloads import (
    POLLED,
    SUBSCRIBED,
    Sizes,
    fan_out,
    idle,
    publishing,
    saturated,
    seed,
    steady,
    streamed,
)

SIZES = Sizes(counts=(1, 100, 1000))
ZEROS = dict.fromkeys(
    (
        "sent",
        "taken",
        "refused",
        "received",
        "holes",
        "repetitions",
        "ended",
        "polls",
        "bytes",
        "p50_ms",
        "p99_ms",
    ),
    0.0,
)


def outcome(cpu_s: float = 1.0, *, subscribers: int = 10, **counted: float) -> Outcome:
    sent = counted.get("sent", 100.0)
    figures = ZEROS | {"sent": sent, "taken": sent, "received": sent * subscribers, "seconds": 2.0} | counted
    return Outcome(
        figures, subscribers, Usage(5.0, 1_000_000), Usage(6.0, 1_500_000), Usage(6.0 + cpu_s, 3_000_000)
    )


def standing(*runs: tuple[str, str, Outcome]) -> Standing:
    measured = Measured()
    for name, load, one in runs:
        measured.outcomes[name, load].append(one)
    return Standing(measured, SIZES)


def test_processor_time_and_memory_are_read_behind_a_name_with_blanks_and_parentheses() -> None:
    behind = ["S", *["0"] * 10, "300", "50", *["0"] * 8, "7", "0"]
    assert parse_stat(f"42 (a (b) c) {' '.join(behind)}") == Usage(3.5, 7 * 4096)


def test_the_generators_figures_are_read_after_their_word() -> None:
    assert answer(io.StringIO('published {"sent": 3}\n'), "published") == {"sent": 3}


@pytest.mark.parametrize("line", ["", "connected {}\n"])
def test_a_generator_that_says_something_else_is_an_error(line: str) -> None:
    with pytest.raises(MeasurementError, match="no `published`"):
        answer(io.StringIO(line), "published")


def test_a_run_in_which_everything_arrived_once_has_no_faults() -> None:
    assert faults(outcome()) == []


@pytest.mark.parametrize(
    ("counted", "fault"),
    [
        ({"received": 999.0}, "1 events did not arrive"),
        ({"holes": 2.0}, "2 holes"),
        ({"repetitions": 1.0}, "1 repetitions"),
        ({"refused": 4.0, "taken": 100.0}, "4 refused"),
        ({"taken": 90.0}, "10 events were not acknowledged"),
        ({"ended": 1.0}, "1 ended"),
    ],
)
def test_a_run_that_lost_or_repeated_something_is_faulty(counted: dict[str, float], fault: str) -> None:
    one = outcome()
    assert faults(replace(one, counted={**one.counted, **counted})) == [fault]


def test_costs_are_told_per_delivery_and_per_connection() -> None:
    one = outcome(cpu_s=0.5)
    assert one.cpu_per_million == 500
    assert one.deliveries_per_s == 500
    assert one.cpu_share == 0.25
    assert one.bytes_per_connection == 50_000
    assert one.growth_bytes == 2_000_000


def test_a_log_that_is_still_being_written_is_read_as_far_as_it_goes() -> None:
    assert events_logged('raw\n{"event": "listening", "address": "a:1"}\n{"event": "rea') == {
        "listening": {"event": "listening", "address": "a:1"}
    }


@pytest.mark.parametrize(
    ("protocol", "unary", "way"),
    [("grpc", False, "stream"), ("grpc", True, "unary"), ("nats", False, "nats")],
)
def test_each_protocol_publishes_in_its_own_way(protocol: str, unary: bool, way: str) -> None:
    server = Server("any", protocol, 1, 2, Path("log"))
    words = Load(connections=3, unary=unary).arguments(server)
    assert words[words.index("--publish") + 1] == way
    assert words[words.index("--connections") + 1] == "3"


def test_the_idle_run_comes_first_because_memory_is_measured_on_fresh_servers() -> None:
    names = list(fan_out(SIZES))
    assert names[0] == idle(1000)
    assert {saturated(count) for count in SIZES.counts} < set(names)


def test_only_a_server_with_a_log_is_asked_for_durability() -> None:
    asked = [load.durability for load in publishing(SIZES, durable=False, messages=True).values()]
    assert set(asked) == {0}
    assert streamed(10, 3) in publishing(SIZES, durable=True, messages=True)


def test_who_polls_and_who_subscribes_meet_the_same_load() -> None:
    loads = seed(SIZES)
    assert (loads[SUBSCRIBED].rate, loads[SUBSCRIBED].connections) == (loads[POLLED].rate, 100)
    assert (loads[SUBSCRIBED].poll_s, loads[POLLED].poll_s) == (0, 5)


def test_figures_are_medians_and_ratios_are_taken_within_a_round() -> None:
    load = saturated(1000)
    rounds = [(1.0, 20.0), (2.0, 60.0), (9.0, 90.0)]
    runs = [
        (name, load, outcome(cpu_s=cpu_s))
        for ours, theirs in rounds
        for name, cpu_s in ((OURS, ours), (NAIVE, theirs))
    ]
    made = standing(*runs)
    assert made.of(OURS, load, cpu_per_million) == 2000
    assert made.ratio(NAIVE, OURS, load, cpu_per_million) == 20
    assert isnan(made.of(NATS, load, deliveries_per_s))
    assert isnan(made.ratio(OURS, NATS, load, cpu_per_million))


def test_floors_without_a_measurement_are_not_reached() -> None:
    assert not any(floor.reached for floor in floors(standing()))


def test_every_floor_is_reached_by_what_it_asks_for() -> None:
    good = outcome(cpu_s=0.01, p99_ms=10.0, sent=300_000.0)
    measured = standing(
        (OURS, saturated(1000), outcome(cpu_s=1.0)),
        (NAIVE, saturated(1000), outcome(cpu_s=20.0)),
        (NATS, saturated(1000), outcome(cpu_s=0.8)),
        *((OURS, steady(count, rate), good) for count in (1, 100) for rate in (10, 100)),
        (OURS, SUBSCRIBED, good),
        (OURS, streamed(10), good),
    )
    for kind in ("encoded", "built"):
        measured.measured.sdk[kind].append({"events": 1e6, "call_s": 0.5, "flush_s": 9.0})
    for durability in ("WRITTEN", "SYNCED"):
        measured.measured.log[durability].append({"events": 1e6, "log_s": 10.0, "raw_s": 7.0})
    assert [str(floor) for floor in floors(measured) if not floor.reached] == []


def test_tables_show_a_dash_for_what_was_not_measured() -> None:
    text = tables(standing((OURS, saturated(1000), outcome(sent=1e6))))
    assert "| vidence |" in text
    assert "5,000,000" in text
    assert "–" in text


def test_all_rounds_are_kept() -> None:
    made = standing((OURS, saturated(1), outcome()), (OURS, saturated(1), outcome(cpu_s=2.0)))
    (load,) = json.loads(json.dumps(as_json(made)))["loads"]
    assert [one["server_cpu_s"] for one in load["rounds"]] == [1.0, 2.0]
