"""Runs the load generator against a server and reads what the server used meanwhile."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

from benchmarks.events.servers import Server
from benchmarks.events.usage import Usage, usage_of
from benchmarks.real_data import ROOT

GENERATOR = ROOT / ".venv-bench" / "load"
GENERATOR_CORE = "1"
_LONGEST_S = 180.0
"""No run takes so long: a generator that hangs is an error."""


class MeasurementError(RuntimeError):
    """A run went wrong, so its figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the generator is asked for."""

    connections: int = 0
    streams: int = 1
    """Per connection."""
    publish: bool = True
    unary: bool = False
    """Whether gRPC publishes by one call per message instead of one stream."""
    batch: int = 1
    """Events per message, where the protocol has messages of several."""
    durability: int = 0
    """Asked of the server; 0: its default."""
    rate: float = 0.0
    """Events per second; 0: as fast as `window` allows."""
    window: int = 100
    """Events that may be under way: to the mean subscriber, or without an answer where nobody subscribes."""
    seconds: float = 3.0
    poll_s: float = 0.0
    """Every subscriber lists events so often instead of subscribing; 0: subscribes."""

    def arguments(self, server: Server) -> list[str]:
        """The command line of the generator."""
        publishing = ("unary" if self.unary else "stream") if server.protocol == "grpc" else server.protocol
        named = {
            "port": server.port,
            "protocol": server.protocol,
            "connections": self.connections,
            "streams": self.streams,
            "publish": publishing if self.publish else "nobody",
            "batch": self.batch,
            "durability": self.durability,
            "rate": self.rate,
            "window": self.window,
            "seconds": self.seconds,
            "poll": self.poll_s,
        }
        return [word for name, value in named.items() for word in (f"--{name}", str(value))]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run measured."""

    counted: Mapping[str, float]
    """What the generator says; see `report` in `benchmarks/load/load.c`."""
    subscribers: int
    idle: Usage
    """Of the server before anybody connected."""
    connected: Usage
    """When all subscriptions were live and nothing was published."""
    published: Usage
    """When everything had arrived."""

    @property
    def cpu_s(self) -> float:
        """Processor time of the server from the first event to the arrival of the last."""
        return self.published.cpu_s - self.connected.cpu_s

    @property
    def cpu_per_million(self) -> float:
        """Processor seconds of the server per million deliveries."""
        return 1e6 * self.cpu_s / self.counted["received"]

    @property
    def cpu_share(self) -> float:
        """Of one core, 0–1."""
        return self.cpu_s / self.counted["seconds"]

    @property
    def deliveries_per_s(self) -> float:
        """Events received by all subscribers together."""
        return self.counted["received"] / self.counted["seconds"]

    @property
    def published_per_s(self) -> float:
        """Events taken by the server."""
        return self.counted["taken"] / self.counted["seconds"]

    @property
    def bytes_per_connection(self) -> float:
        """Growth of the server's resident memory by an idle subscriber."""
        return (self.connected.rss_bytes - self.idle.rss_bytes) / self.subscribers

    @property
    def growth_bytes(self) -> int:
        """Growth of the server's resident memory by everything."""
        return self.published.rss_bytes - self.idle.rss_bytes


def run(server: Server, load: Load) -> Outcome:
    """Measures once.

    Raises:
        MeasurementError: The generator failed, or not everything arrived once and in order.
    """
    command = ["taskset", "-c", GENERATOR_CORE, str(GENERATOR), *load.arguments(server)]
    idle = usage_of(server.pid)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            outcome = _conversation(process, server.pid, idle)
            process.communicate(timeout=_LONGEST_S)
        except MeasurementError as error:
            process.kill()
            assert process.stderr is not None
            words = process.stderr.read() + server.log.read_text(errors="replace")[-2000:]
            raise MeasurementError(f"{server.name}, {load}: {error}\n{words}") from None
    return outcome


def _conversation(process: subprocess.Popen[str], server: int, idle: Usage) -> Outcome:
    assert process.stdin is not None
    assert process.stdout is not None
    streams = answer(process.stdout, "connected")["streams"]
    connected = usage_of(server)
    process.stdin.write("go\n")
    process.stdin.flush()
    counted = answer(process.stdout, "published")
    outcome = Outcome(counted, int(streams), idle, connected, usage_of(server))
    if wrong := faults(outcome):
        raise MeasurementError("; ".join(wrong))
    return outcome


def answer(lines: IO[str], word: str) -> dict[str, float]:
    """The figures in the generator's next line, which begins with `word`; raises `MeasurementError`."""
    line = lines.readline()
    begin, _, figures = line.partition(" ")
    if begin != word:
        raise MeasurementError(f"no `{word}` but {line.strip()!r}")
    found: dict[str, float] = json.loads(figures)
    return found


def faults(outcome: Outcome) -> list[str]:
    """What must not happen in a measurement: loss, repetition, refusal, an ended stream."""
    counted = outcome.counted
    wrong = [
        f"{counted[name]:.0f} {name}"
        for name in ("refused", "holes", "repetitions", "ended")
        if counted[name] > 0
    ]
    lost = counted["sent"] * outcome.subscribers - counted["received"]
    if lost > 0:
        wrong.append(f"{lost:.0f} events did not arrive")
    if counted["taken"] < counted["sent"]:
        wrong.append(f"{counted['sent'] - counted['taken']:.0f} events were not acknowledged")
    return wrong
