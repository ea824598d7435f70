"""Judges a history: the validators of watch streams, and what was promised to publishers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from simulation.disk_image import LogImage
from simulation.machine import Machine
from simulation.observed import WatcherRecord
from vidence.event.v1.event_pb2 import Event
from vidence_client.conformance import LoggedEvent, LoggedHole, PublishedLog, Watcher, check_watch
from vidence_server.streams.append import Durability
from vidence_server.streams.cursor import Cursor, log_id
from vidence_server.streams.durable.store import Record

_STOPS = frozenset({"KILLED", "KILLED_AT_DISK", "POWER_CUT"})
_DISK = frozenset({"DISK_FULL", "COMMIT_FAILED", "OUTCOME_UNKNOWN", "INSERT_FAILED"})
# What a gap's reason can come from. A clean stop that the disk did not let finish is no clean one.
_CAUSES: Mapping[str, frozenset[str]] = {
    "UNCLEAN_STOP": _STOPS | _DISK | {"LOG_RESTORED"},
    "CORRUPT": frozenset({"RECORD_CORRUPT", "PAGE_UNREADABLE"}),
    "EPHEMERAL": _DISK,
    "EXPIRED": frozenset(),
    "EPOCH": frozenset({"LOG_REPLACED"}),
    "OVERFLOW": frozenset(),
}


PROMISES: Mapping[str, str] = {
    "Durable": "What was acknowledged is in the log, at the place and the durability that were told.",
    "PersistedFirst": "Nothing is broadcast before it has the durability that its publisher asked for.",
    "NeverReused": "An offset names one event, for ever, also after a power cut.",
    "Once": "An identity that is kept is in the log once, and times never fall along the log.",
    "Counted": "The events of a publisher that numbers them stand in its order.",
    "Since": "A start at a time leaves out nothing that was taken at or after it.",
    "Honest": "The reason that a gap gives is one that this history has.",
    "Alive": "No subscription is silent for longer than its heartbeat period.",
    "Live": "When all is well again everybody is told everything, without anything new that would wake them.",
    "Sound": "The server raises nothing unforeseen, never spins, and its tasks end.",
}
"""What a history is judged by beside the validators of watch streams."""


class Finding(NamedTuple):
    """A promise that a history breaks."""

    promise: str
    text: str


Judgement = Sequence[Finding]


class Place(NamedTuple):
    """Where an event stands."""

    epoch: int
    offset: int


class Known(NamedTuple):
    """An event that had a place."""

    identity: str
    key: str
    time_ns: int


def judge(machine: Machine) -> Judgement:
    """All that is wrong with a history; empty where every promise was kept."""
    observed = machine.observed
    findings = [Finding("Sound", text) for text in observed.errors]
    findings += [Finding("PersistedFirst", text) for text in observed.early]
    findings += [Finding("Alive", text) for text in observed.quiet]
    image = next(iter(machine.disk.image.values()), None)
    if image is None:
        return findings
    known, reused = _known(machine)
    findings += reused
    findings += _check_durable(machine, image)
    findings += _check_kept_once(image)
    findings += _check_counts(machine, image)
    findings += _check_honest(machine)
    published = _published(machine, image, known)
    for record in observed.watchers:
        findings += _check_watcher(record, published, known)
    return findings


def _identity(record: Record) -> str:
    """By what was published, not by what the log made of it."""
    event = Event.FromString(record.body)
    return f"{event.source}\n{event.id}"


def _known(machine: Machine) -> tuple[dict[Place, Known], list[Finding]]:
    """Every event that ever had a place, kept or not, and places that two had."""
    known: dict[Place, Known] = {}
    findings = []
    epochs = machine.observed.epochs
    told = [
        (Place(epochs[t.life], t.offset), Known(t.identity, t.key, t.time_ns)) for t in machine.observed.told
    ]
    kept = [
        (Place(epoch, record.offset), Known(_identity(record), str(record.key), record.time_ns))
        for epoch, records in machine.disk.lives()
        for record in records.values()
    ]
    for place, event in [*told, *kept]:
        earlier = known.setdefault(place, event)
        if earlier != event:
            findings.append(Finding("NeverReused", f"offset {place.offset} was given twice"))
    return known, findings


def _published(machine: Machine, image: LogImage, known: dict[Place, Known]) -> PublishedLog:
    """The truth that validators compare with. Offsets that never had an event are holes."""
    disk = machine.disk
    lost = disk.corrupt | disk.unreadable
    there = {Place(image.epoch, offset) for offset in image.records if offset > disk.expired_until} - {
        Place(image.epoch, offset) for offset in lost
    }
    ends = {life.epoch: life.end for life in disk.past}
    ends[image.epoch] = max(image.extent.newest, image.reserved)
    events: list[LoggedEvent] = []
    holes: list[LoggedHole] = []
    for epoch, end in ends.items():
        places = sorted(place for place in known if place.epoch == epoch)
        events += [
            LoggedEvent(_cursor(place), known[place].identity, known[place].key, gone=place not in there)
            for place in places
        ]
        holes += _holes(places, Place(epoch, end))
    return PublishedLog(events, holes)


def _holes(places: Sequence[Place], last: Place) -> Iterator[LoggedHole]:
    before = Place(last.epoch, 0)
    end = max([last, *places])
    for place in [*places, end._replace(offset=end.offset + 1)]:
        if place.offset > before.offset + 1:
            yield LoggedHole(_cursor(before), _cursor(place._replace(offset=place.offset - 1)))
        before = place


def _cursor(place: Place) -> str:
    return str(Cursor(log_id("default", "bus"), place.epoch, place.offset))


def _check_durable(machine: Machine, image: LogImage) -> Iterator[Finding]:
    """Durable: what was acknowledged is in the log where it was told, unless something took it that may."""
    struck = set(machine.observed.struck)
    may_lose = {
        Durability.MEMORY: set(_STOPS | _DISK),
        Durability.WRITTEN: {"POWER_CUT"},
        Durability.SYNCED: set[str](),
    }
    for ack in machine.observed.acks:
        offset = image.identities.get(ack.identity)
        if machine.observed.epochs[ack.life] != image.epoch or ack.offset in machine.disk.forgotten:
            continue
        if ack.offset <= machine.disk.expired_until or struck & may_lose[ack.durability]:
            continue
        if offset is None:
            yield Finding("Durable", f"offset {ack.offset}, acknowledged as {ack.durability.name}, is gone")
        elif offset != ack.offset:
            yield Finding("Durable", f"offset {ack.offset} was acknowledged, the event is at {offset}")


def _check_kept_once(image: LogImage) -> Iterator[Finding]:
    """Once: an identity is in the log once, and times do not fall along it."""
    counts = Counter(_identity(record) for record in image.records.values())
    for identity, count in counts.items():
        if count > 1:
            yield Finding("Once", f"{identity!r} is in the log {count} times")
    times = [image.records[offset].time_ns for offset in sorted(image.records)]
    if times != sorted(times):
        yield Finding("Once", "times fall along the log")


def _check_counts(machine: Machine, image: LogImage) -> Iterator[Finding]:
    """Counted: a publisher's events stand in its own order."""
    last: dict[str, int] = {}
    for offset in sorted(image.records):
        source, _, number = _identity(image.records[offset]).partition("\n")
        if source in machine.observed.counted and int(number) <= last.get(source, -1):
            yield Finding("Counted", f"offset {offset} is out of its publisher's order")
        last[source] = int(number)


def _check_honest(machine: Machine) -> Iterator[Finding]:
    """Honest: a gap gives a reason that this history gave."""
    struck = set(machine.observed.struck)
    for record in machine.observed.watchers:
        for connection in (*record.watcher.connections, *record.probes):
            for message in connection.messages:
                if message.gap is not None and not struck & _CAUSES[message.gap.reason]:
                    retained = message.gap.reason == "EXPIRED" and machine.disk.expired_ever
                    if not retained:
                        yield Finding("Honest", f"{record.name} was told {message.gap.reason} for no reason")


def _check_watcher(
    record: WatcherRecord, published: PublishedLog, known: dict[Place, Known]
) -> Iterator[Finding]:
    for violation in check_watch(record.watcher, published, probes=record.probes):
        text = f"{record.name}, message {violation.position}: {violation.message}"
        yield Finding(violation.validator, text)
    for probe in record.probes:
        for violation in check_watch(Watcher((probe,)), published):
            yield Finding(violation.validator, f"{record.name}, probe: {violation.message}")
    if not record.caught_up:
        yield Finding("Live", f"{record.name} was not told everything when all was well again")
    if record.since_ns is not None:
        yield from _check_since(record, known)


def _check_since(record: WatcherRecord, known: dict[Place, Known]) -> Iterator[Finding]:
    """Since: a start at a time leaves out nothing that was taken at or after it."""
    first = next((c.messages[0].cursor for c in record.watcher.connections if c.messages), "")
    if not first or record.since_ns is None:
        return
    start = Cursor.parse(first)
    before = [place for place in known if place.epoch == start.epoch and place.offset <= start.offset]
    if any(known[place].time_ns >= record.since_ns for place in before):
        yield Finding("Since", f"{record.name} started behind an event that it asked for")
