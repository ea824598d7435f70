"""What a history leaves for its judges, and the lines in which it can be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from simulation.virtual_loop import VirtualLoop
from vidence_client.conformance import Connection, Watcher
from vidence_server.streams.append import Durability


class Ack(NamedTuple):
    """What a publisher was told."""

    identity: str
    offset: int
    durability: Durability
    life: int
    """Which process answered."""


class Told(NamedTuple):
    """An event as it was broadcast."""

    offset: int
    identity: str
    key: str
    time_ns: int
    life: int


@dataclass(frozen=True, slots=True)
class WatcherRecord:
    """What one watcher saw."""

    name: str
    watcher: Watcher
    probes: tuple[Connection, ...] = ()
    since_ns: int | None = None
    """It asked for everything from this time on."""
    caught_up: bool = True
    """At the end, when all was well again, it was told everything."""


@dataclass(slots=True)
class Observed:
    """Filled while a history runs."""

    acks: list[Ack] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    epochs: dict[int, int] = field(default_factory=dict)
    """The epoch of the log that each process served, by its life."""
    early: list[str] = field(default_factory=list)
    """Events that were broadcast before they had their durability."""
    quiet: list[str] = field(default_factory=list)
    """Subscriptions that gave no frame for longer than their heartbeat period."""
    errors: list[str] = field(default_factory=list)
    """What the server raised and should not have."""
    watchers: list[WatcherRecord] = field(default_factory=list)
    wanted: dict[str, Durability] = field(default_factory=dict)
    """The lowest durability that anybody asked for, by identity."""
    counted: set[str] = field(default_factory=set)
    """Publishers that number their events."""
    faults: list[str] = field(default_factory=list)
    """Names of the faults that may strike."""
    struck: list[str] = field(default_factory=list)
    """Names of those that did, in order."""


class Trace:
    """The lines of a history: the same seed gives the same lines, byte for byte."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        """Writes a line with the virtual time."""
        self.lines.append(f"{self._loop.time():12.6f} {text}")
