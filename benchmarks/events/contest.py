"""The measurement itself: rounds in which everybody does everything, one at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.events.generator import GENERATOR_CORE, Load, Outcome, run
from benchmarks.events.servers import ALL_CORES, OURS, SERVER_CORE, Contender, Server
from benchmarks.events.workloads import DURABILITIES, SYNCED, WRITTEN, Sizes, fan_out, publishing, seed
from benchmarks.real_data import ROOT

_WARM_UP = Load(connections=1, rate=100, seconds=0.3)
_PAGES = Load(batch=100, window=1000, seconds=0.3)
"""Fills the log, so that a page of a list is full."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was measured, one element per round."""

    outcomes: dict[tuple[str, str], list[Outcome]] = field(default_factory=lambda: defaultdict(list))
    """By contender and load."""
    sdk: dict[str, list[Mapping[str, float]]] = field(default_factory=lambda: defaultdict(list))
    """By kind of event; see `sdk_process`."""
    log: dict[str, list[Mapping[str, float]]] = field(default_factory=lambda: defaultdict(list))
    """By durability; see `log_process`."""

    def take(self, server: Server, name: str, load: Load) -> None:
        """Runs a load and keeps the outcome."""
        self.outcomes[server.name, name].append(run(server, load))


def contest(present: Sequence[Contender], sizes: Sizes, rounds: int, folder: Path) -> Measured:
    """Measures all contenders.

    Raises:
        MeasurementError: A run lost or repeated events, or failed.
        ServerFailedError: A server did not start.
    """
    measured = Measured()
    for number in range(rounds):
        # A folder per round: databases of a thousand million bytes need not wait for the end.
        with TemporaryDirectory(dir=folder) as name:
            place = Path(name)
            _fan_out(measured, present, sizes, number, place)
            _publishing(measured, present, sizes, place)
            _seed(measured, present[0], sizes, place)
            _log(measured, sizes, place)
        print(f"round {number + 1} of {rounds}", flush=True)
    return measured


def _start(stack: ExitStack, contender: Contender, folder: Path, cores: str) -> Server:
    own = Path(stack.enter_context(TemporaryDirectory(dir=folder)))
    server = stack.enter_context(contender.start(own, cores))
    run(server, _WARM_UP)
    return server


def _fan_out(
    measured: Measured, present: Sequence[Contender], sizes: Sizes, number: int, folder: Path
) -> None:
    """All servers are up, and take turns load by load: a change of the machine's pace meets all of them."""
    with ExitStack() as stack:
        servers = [_start(stack, contender, folder, SERVER_CORE) for contender in present]
        for place, (name, load) in enumerate(fan_out(sizes).items()):
            for turn in range(len(servers)):
                measured.take(servers[(turn + place + number) % len(servers)], name, load)


def _publishing(measured: Measured, present: Sequence[Contender], sizes: Sizes, folder: Path) -> None:
    """One server at a time, on all cores: a log has a thread of its own beside the loop."""
    for contender in present:
        with ExitStack() as stack:
            server = _start(stack, contender, folder, ALL_CORES)
            loads = publishing(sizes, durable=server.name == OURS, messages=server.protocol == "grpc")
            for name, load in loads.items():
                measured.take(server, name, load)
            if server.name == OURS:
                _sdk(measured, server, sizes)


def _sdk(measured: Measured, server: Server, sizes: Sizes) -> None:
    for kind in ("encoded", "built"):
        options = ["--address", f"127.0.0.1:{server.port}", "--kind", kind, "--events", str(sizes.events)]
        measured.sdk[kind].append(_program("sdk_process", options, cores=GENERATOR_CORE))


def _seed(measured: Measured, contender: Contender, sizes: Sizes, folder: Path) -> None:
    for name, load in seed(sizes).items():
        with ExitStack() as stack:
            server = _start(stack, contender, folder, SERVER_CORE)
            if load.poll_s:
                run(server, _PAGES)
            measured.take(server, name, load)


def _log(measured: Measured, sizes: Sizes, folder: Path) -> None:
    for durability in (WRITTEN, SYNCED):
        name = DURABILITIES[durability]
        options = ["--folder", str(folder), "--durability", name, "--events", str(sizes.events)]
        measured.log[name].append(_program("log_process", options, cores=ALL_CORES))


def _program(module: str, options: Sequence[str], *, cores: str) -> Mapping[str, float]:
    """What a program of this folder says as JSON."""
    command = ["taskset", "-c", cores, sys.executable, "-m", f"benchmarks.events.{module}", *options]
    said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    figures: Mapping[str, float] = json.loads(said.stdout)
    return figures
